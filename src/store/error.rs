//! Errors of the database, without personal data.
//!
//! PostgreSQL repeats values of rows in its messages and details ("Key (…)=(…) already exists"). So an error keeps only the
//! SQLSTATE and the name of the constraint, and the message where it is about the server and not about rows.

use sqlx::error::DatabaseError;

/// Why a statement failed. Every function of the store that reaches the database can return each of these; its documentation
/// says only what is special to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, starting, stopping, full or too slow. The same request can succeed later.
    #[error("database unavailable ({0})")]
    Unavailable(String),
    /// As [`Unavailable`](Self::Unavailable), and nothing was written by this statement or transaction: there was no connection, or
    /// the commit was not sent. Others may have committed before.
    #[error("database unavailable ({0})")]
    Unwritten(String),
    /// Two transactions were in conflict. Nothing was written, and the same request can succeed at once.
    #[error("serialization conflict ({0})")]
    Contended(String),
    /// Another transaction held a lock for too long. Nothing was written, and the same request can succeed later.
    #[error("locked by another transaction")]
    Locked,
    /// A statement could not complete what it had begun. Nothing was written; several statements can do the same.
    #[error("a statement gave up")]
    GivenUp,
    /// A row has no partition yet. Nothing was written, and the same request can succeed once the partition is made.
    #[error("a row has no partition yet")]
    NoPartition,
    /// A named constraint was violated.
    #[error("constraint {0} violated")]
    Constraint(String),
    /// A defect of the registry.
    #[error("database fault ({0})")]
    Fault(String),
}

impl StoreError {
    /// Can the same request succeed later?
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unwritten(_) | Self::Contended(_) | Self::Locked)
    }

    /// Has PostgreSQL no space left on its disk?
    pub fn is_out_of_space(&self) -> bool {
        matches!(self, Self::Unavailable(reason) | Self::Unwritten(reason) if reason.starts_with(DISK_FULL))
    }

    /// Returns this error of a transaction whose commit was not sent.
    pub(crate) fn before_commit(self) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Unwritten(reason),
            error => error,
        }
    }
}

/// The error of a caller who got no connection: none of its statements was sent. It travels within a [`sqlx::Error`], which is what
/// an executor returns.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct NothingSent(sqlx::Error);

impl NothingSent {
    /// Wraps the error of a connection that could not be had.
    pub(super) fn because_of(error: sqlx::Error) -> sqlx::Error {
        sqlx::Error::Io(std::io::Error::other(Self(error)))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::of(&error)
    }
}

impl StoreError {
    fn of(error: &sqlx::Error) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(database) => of_database(database.as_ref()),
            Error::Io(io) => match io.get_ref().and_then(|source| source.downcast_ref()) {
                Some(NothingSent(cause)) => Self::of(cause).before_commit(),
                None => Self::Unavailable(io.kind().to_string()),
            },
            Error::PoolTimedOut => Self::Unavailable("no connection became free".into()),
            Error::PoolClosed => Self::Unavailable("stopping".into()),
            Error::WorkerCrashed | Error::Protocol(_) | Error::Tls(_) => {
                Self::Unavailable("connection broken".into())
            }
            Error::RowNotFound => Self::Fault("a row that must be there is missing".into()),
            Error::ColumnDecode { index, .. } => Self::Fault(format!("column {index} cannot be read")),
            Error::ColumnNotFound(name) => Self::Fault(format!("column {name} is missing")),
            _ => Self::Fault("the driver refused".into()),
        }
    }
}

fn of_database(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default().into_owned();
    if let Some(constraint) = error.constraint() {
        return StoreError::Constraint(constraint.to_owned());
    }
    match code.as_str() {
        "40001" | "40P01" => StoreError::Contended(code),
        "RG001" => StoreError::GivenUp,
        // A row that Citus copied to a worker: it passes on the message without the code.
        "XX000" if error.message().starts_with("no partition of relation") => StoreError::NoPartition,
        "XX000" if error.message() == "deadlock detected" => StoreError::Contended(code),
        // The violation of a check, without a constraint.
        "23514" => StoreError::NoPartition,
        "55P03" => StoreError::Locked,
        // Connection lost, resources used up, operator intervention (shutdown, starting, statement timeout), read-only server.
        "25006" => StoreError::Unavailable(code),
        _ if matches!(code.get(..2), Some("08" | "53" | "57" | "58")) => {
            StoreError::Unavailable(described(code, error.message()))
        }
        _ => StoreError::Fault(described(code, error.message())),
    }
}

const DISK_FULL: &str = "53100";
const FORBIDDEN: &str = "42501";

/// Adds the message to an SQLSTATE, if messages of this kind name logins, tables and files, and no values of rows.
fn described(code: String, message: &str) -> String {
    let remedy = match code.as_str() {
        DISK_FULL => "; free space on the disk of PostgreSQL",
        FORBIDDEN => "; `registry migrate` under the owner of the tables grants what the registry needs",
        _ => "",
    };
    let is_about_the_server = ["08", "28", "53", "57P", FORBIDDEN].iter().any(|kind| code.starts_with(kind));
    if is_about_the_server { format!("{code}: {message}{remedy}") } else { code }
}
