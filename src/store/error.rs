//! What can go wrong between the registry and its database, without a word of what was in the rows.
//!
//! PostgreSQL repeats values in its messages and details ("Key (…)=(…) already exists"), so neither is ever kept:
//! only the SQLSTATE and the name of the constraint.

use sqlx::error::DatabaseError;

/// Why a statement failed. Cheap to clone: all waiters of a batch get the same one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is away, starting, stopping, full or too slow. The same request can succeed later.
    #[error("the database is not available ({0})")]
    Unavailable(String),
    /// Two transactions met; nothing was written and the same request can succeed at once.
    #[error("the transaction met another one ({0})")]
    Contended(String),
    /// A named constraint refused the row.
    #[error("constraint {0}")]
    Constraint(String),
    /// Anything else is ours.
    #[error("database fault ({0})")]
    Fault(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match &error {
            Error::Database(database) => of_database(database.as_ref()),
            Error::Io(io) => Self::Unavailable(io.kind().to_string()),
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
        // Connection lost, resources used up, operator intervention (shutdown, starting, statement timeout),
        // lock not available, read-only server.
        "55P03" | "25006" => StoreError::Unavailable(code),
        _ if matches!(code.get(..2), Some("08" | "53" | "57" | "58")) => StoreError::Unavailable(code),
        _ => StoreError::Fault(code),
    }
}
