//! Why the registry refuses to start with a database.

use super::error::StoreError;

/// Why the registry cannot work with a database at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is away.
    #[error("PostgreSQL cannot be reached: {0}")]
    Connect(StoreError),
    /// It is too old.
    #[error("PostgreSQL {0} is too old: 15 or newer is needed")]
    TooOld(String),
    /// It takes no writes.
    #[error("PostgreSQL takes no writes: it is a standby, or default_transaction_read_only is on")]
    ReadOnly,
    /// The login may not take on the roles that the registry works under.
    #[error(
        "the login of DATABASE_URL may not take on the role {0}: grant it, and the others that begin with registry_, \
         to this login"
    )]
    NotGranted(&'static str),
    /// The login that migrates may neither create nor grant the roles.
    #[error(
        "the roles that begin with registry_ could not be created and granted: {0}. Migrate under a login with \
         CREATEROLE, or create them as a superuser: see \"In production\" in the README"
    )]
    Roles(StoreError),
    /// The login that migrates inherits a role whose policies would apply to it.
    #[error(
        "the login that migrates inherits the role {0}, and its row security with it: revoke the roles that begin with \
         registry_ from this login, and grant it registry_roles instead"
    )]
    Inherited(&'static str),
    /// Its tables are of an older version, and the login may not change them.
    #[error(
        "the tables are of another version, and belong to another login: run `registry migrate` as their owner"
    )]
    NotMigrated,
    /// Its tables are those of another version of the program.
    #[error("the tables could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Its numbers are indexed under another key.
    #[error(
        "this database belongs to another identity key: with this one, everybody could be enrolled a second time. \
         Use the key file that the database was made with"
    )]
    WrongKey,
    /// Its figures could not be counted anew after its tables were brought up to date.
    #[error("the figures could not be counted: {0}")]
    Figures(StoreError),
    /// Its reference data cannot be read.
    #[error("the reference data cannot be read: {0}")]
    Reference(StoreError),
}
