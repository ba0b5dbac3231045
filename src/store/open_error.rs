//! Errors of opening a database. Each message says the cause and how to remove it.

use std::io;

use sqlx::postgres::PgConnectOptions;

use super::error::StoreError;

/// An error of opening a database. Messages may quote the server, because it cannot repeat personal data while a
/// connection is opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No server answers at the address.
    #[error(
        "PostgreSQL cannot be reached at {address}: {cause}. Check DATABASE_URL, and that the server is running"
    )]
    Unreachable {
        /// Host and port, or the folder of the socket.
        address: String,
        /// The error of the operating system.
        cause: String,
    },
    /// The server is starting, stopping or recovering.
    #[error("PostgreSQL accepts no connections yet: {0}. Try again in a moment")]
    NotAccepting(String),
    /// The password is wrong or missing.
    #[error(
        "PostgreSQL refuses the password of the login {login}: correct it in DATABASE_URL, or set it with \
         `alter role {login} password '...'`"
    )]
    WrongPassword {
        /// The login.
        login: String,
    },
    /// The login does not exist, may not log in, or may not connect from here.
    #[error(
        "PostgreSQL refuses the login {login}: {cause}. Create it with `create role {login} login noinherit`, or allow \
         it in pg_hba.conf"
    )]
    LoginRefused {
        /// The login.
        login: String,
        /// The message of the server.
        cause: String,
    },
    /// The server accepts the login over TLS only.
    #[error("PostgreSQL accepts the login {login} over TLS only: add sslmode=require to DATABASE_URL")]
    TlsRequired {
        /// The login.
        login: String,
    },
    /// TLS could not be established.
    #[error(
        "TLS to PostgreSQL failed: {0}. Check sslmode and sslrootcert in DATABASE_URL, and that the server has `ssl = on`"
    )]
    Tls(String),
    /// The database does not exist.
    #[error(
        "the database {0} does not exist: create it with `create database {0} owner ...`, or correct DATABASE_URL"
    )]
    NoDatabase(String),
    /// The login may not connect to the database.
    #[error(
        "the login {login} may not connect to the database {database}: \
         `grant connect on database {database} to {login}`"
    )]
    NoConnectRight {
        /// The login.
        login: String,
        /// The database.
        database: String,
    },
    /// The server, the database or the login has no connection left.
    #[error(
        "PostgreSQL has no connection left: {0}. Raise max_connections, or the connection limit of the login or the \
         database, or configure fewer connections"
    )]
    TooManyConnections(String),
    /// The limits allow fewer connections than the registry is configured for.
    #[error(
        "the registry is configured for {needed} connections, and {limit_of} allows {limit}: raise it, or lower \
         REGISTRY_POOL"
    )]
    TooFewConnections {
        /// Number of connections of all pools, and one for announcements.
        needed: u32,
        /// The lowest limit.
        limit: u32,
        /// The owner of that limit: the server, the database or the login.
        limit_of: String,
    },
    /// A connection pooler runs each transaction on another connection.
    #[error(
        "DATABASE_URL leads to a connection pooler in transaction mode, such as PgBouncer with pool_mode = transaction: \
         the registry needs sessions, for roles, row security and locks. Set pool_mode = session, or connect to \
         PostgreSQL directly"
    )]
    TransactionPooling,
    /// The server refuses the connection for another reason.
    #[error("PostgreSQL refuses the connection: {message} ({code})")]
    Refused {
        /// The message of the server.
        message: String,
        /// The SQLSTATE.
        code: String,
    },
    /// A statement failed while the database was being opened.
    #[error("the database could not be opened: {0}")]
    Statement(StoreError),
    /// The server is too old.
    #[error("PostgreSQL {0} is too old: 15 or newer is needed")]
    TooOld(String),
    /// The server is read-only.
    #[error("PostgreSQL is read-only: it is a standby, or default_transaction_read_only is on")]
    ReadOnly,
    /// Roles that the tables refer to do not exist on this server.
    #[error(
        "the roles {} do not exist on this server. A dump does not contain roles: run `{remedy}` before the dump is restored",
        .missing.join(", ")
    )]
    RolesMissing {
        /// The roles.
        missing: Vec<&'static str>,
        /// The statements that create them and grant them to the login.
        remedy: String,
    },
    /// The login may not assume the roles of the registry.
    #[error("the login {login} may not assume the role {role}: run `{remedy}`")]
    NotGranted {
        /// The role.
        role: &'static str,
        /// The login.
        login: String,
        /// The statements that grant the roles to the login.
        remedy: String,
    },
    /// The login that migrates may neither create nor grant the roles.
    #[error(
        "the roles that begin with registry_ could not be created and granted: {0}. Migrate under a login with \
         CREATEROLE (`alter role ... createrole`)"
    )]
    Roles(StoreError),
    /// The login that migrates inherits a role whose policies would apply to it.
    #[error(
        "the login that migrates inherits the role {0}, and its row security with it: revoke the roles that begin with \
         registry_ from this login, and grant it registry_roles instead"
    )]
    Inherited(&'static str),
    /// There are no tables.
    #[error("there are no tables yet: run `registry migrate` under the login that owns the database")]
    NoTables,
    /// The tables are of another version. The login does not own them, or this command does not migrate.
    #[error("the tables are of another version: back up, and run `registry migrate` as their owner")]
    NotMigrated,
    /// The tables are of a newer version than the program.
    #[error("the tables are of a newer version than this program: install the newer program")]
    NewerTables,
    /// A migration failed, or the tables are of a newer version of the program.
    #[error("the tables could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Other sessions held locks on the tables for as long as a migration waits for them.
    #[error(
        "migration {migration} could not lock its tables, because {holder} holds a lock. Migrations before it are applied, and \
         nothing of it. Let that session end, or end it with pg_terminate_backend, and run `registry migrate` again"
    )]
    TablesLocked {
        /// The migration.
        migration: i64,
        /// The session that held a lock, as far as it is known.
        holder: String,
    },
    /// The tables could not be distributed.
    #[error(
        "the database has the extension citus, and the tables could not be distributed: {0}. Each worker needs the owner and \
         the roles that begin with registry_, with the right to log in: see docs/scale-out.md"
    )]
    Distribution(String),
    /// Standbys are named for a coordinator of Citus. The workers would not learn the scope of a query there.
    #[error(
        "the people of this database are distributed by Citus, so no standby can serve queries: unset DATABASE_REPLICA_URL"
    )]
    StandbysOfCluster,
    /// The numbers are indexed under another key.
    #[error(
        "this database belongs to another identity key: with this one, everybody could be enrolled a second time. \
         Use the key file of this database. If it was restored to before a key rotation, set REGISTRY_PREVIOUS_KEY_FILE to \
         the key file of that time"
    )]
    WrongKey,
    /// A server of DATABASE_REPLICA_URL is no standby of the database.
    #[error("DATABASE_REPLICA_URL: {name} cannot be read from, because {wrong}")]
    Standby {
        /// Host and port, or the folder of the socket.
        name: String,
        /// What is wrong.
        wrong: WrongStandby,
    },
    /// The maintained counters could not be rebuilt after a migration.
    #[error("the maintained counters could not be rebuilt: {0}")]
    Counters(StoreError),
    /// The reference data cannot be read.
    #[error("the reference data cannot be read: {0}")]
    Reference(StoreError),
}

/// Why a server cannot be read from as a standby.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongStandby {
    /// It belongs to another server or another database.
    #[error("it is a copy of another database than DATABASE_URL")]
    OtherDatabase,
    /// It takes writes.
    #[error("it is no standby: it takes writes itself, so it does not follow DATABASE_URL")]
    Writable,
    /// It lacks migrations.
    #[error("its tables are of an older version: wait until it has replayed the migrations")]
    OlderSchema,
}

impl OpenError {
    /// Returns the error for a failure while connecting.
    pub(super) fn of_connecting(error: sqlx::Error, options: &PgConnectOptions) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                Self::of_code(code, error.message().to_owned(), options)
            }
            sqlx::Error::Io(error) => Self::unreachable(&error, options),
            sqlx::Error::Tls(error) => Self::Tls(error.to_string()),
            sqlx::Error::Configuration(error) => Self::Tls(error.to_string()),
            error => Self::Statement(error.into()),
        }
    }

    /// Returns the error for a failure while distributing. It quotes the server, whose message about a layout names no people.
    pub(super) fn of_distributing(error: sqlx::Error) -> Self {
        Self::Distribution(match error {
            sqlx::Error::Database(error) => error.message().to_owned(),
            error => StoreError::from(error).to_string(),
        })
    }

    /// Returns the error for an SQLSTATE while connecting.
    fn of_code(code: String, message: String, options: &PgConnectOptions) -> Self {
        let login = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&login).to_owned();
        match code.as_str() {
            "57P03" => Self::NotAccepting(message),
            "28P01" => Self::WrongPassword { login },
            "28000" if message.contains("no encryption") => Self::TlsRequired { login },
            "28000" => Self::LoginRefused { login, cause: message },
            "3D000" => Self::NoDatabase(database),
            "42501" => Self::NoConnectRight { login, database },
            "53300" => Self::TooManyConnections(message),
            // The prepared statements of different connections collide, or are missing.
            "42P05" | "26000" => Self::TransactionPooling,
            _ => Self::Refused { message, code },
        }
    }

    fn unreachable(error: &io::Error, options: &PgConnectOptions) -> Self {
        let address = match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        Self::Unreachable { address, cause: error.to_string() }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Statement(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: &str, said: &str) -> String {
        let options = PgConnectOptions::new_without_pgpass().username("anna").database("register");
        OpenError::of_code(code.to_owned(), said.to_owned(), &options).to_string()
    }

    #[test]
    fn each_refusal_of_a_connection_names_its_cause_and_the_fix() {
        for (code, said, expected) in [
            ("57P03", "the database system is starting up", "starting up. Try again"),
            ("28P01", "password authentication failed", "alter role anna password"),
            ("28000", "role \"anna\" does not exist", "create role anna login"),
            ("28000", "no pg_hba.conf entry for host \"::1\", no encryption", "sslmode=require"),
            ("3D000", "database \"register\" does not exist", "create database register"),
            ("42501", "permission denied for database", "grant connect on database register to anna"),
            ("53300", "sorry, too many clients already", "too many clients already. Raise max_connections"),
            ("42P05", "prepared statement already exists", "pool_mode = session"),
            ("26000", "prepared statement does not exist", "pool_mode = session"),
            (
                "08P01",
                "unsupported startup parameter: options",
                "unsupported startup parameter: options (08P01)",
            ),
        ] {
            let message = message(code, said);
            assert!(message.contains(expected), "{code}: {message}");
        }
    }
}
