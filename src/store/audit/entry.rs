//! Entries of the audit trail, and writing them.

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::store::array::column;
use crate::store::error::StoreError;
use domain::actor::Role;
use domain::audit::AuditOutcome;

/// An entry to be written. Its id, time and transaction are the database's.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Name of the client.
    pub client: String,
    /// What the client is to the agency.
    pub role: Role,
    /// What was done with the people.
    pub outcome: AuditOutcome,
    /// Root fields of the request, with blanks between.
    pub operation: String,
    /// What for, as the client said.
    pub purpose: Option<String>,
    /// The people, ascending, each once.
    pub subjects: Vec<i64>,
    /// The request.
    pub request_id: Uuid,
}

/// Writes entries in one statement.
///
/// # Errors
/// After an error the request that they are about must not be answered.
pub async fn insert_many(executor: impl PgExecutor<'_>, entries: &[NewEntry]) -> Result<(), StoreError> {
    // An array of arrays has equal lengths in PostgreSQL, so all people travel in one, and each entry takes its part of it.
    // As a text for each entry, PostgreSQL would have to read every number.
    let mut subjects = Vec::new();
    let part = |entry: &NewEntry| {
        let first = subjects.len() as i32 + 1;
        subjects.extend_from_slice(&entry.subjects);
        (first, subjects.len() as i32)
    };
    let (first, last): (Vec<i32>, Vec<i32>) = entries.iter().map(part).unzip();
    sqlx::query!(
        "insert into audit_entry (client, role, outcome, operation, purpose, subjects, request_id)
         select u.client, u.role::client_role, u.outcome::audit_outcome, u.operation, u.purpose, ($6::bigint[])[u.first:u.last],
                u.request_id
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $7::int[], $8::int[], $9::uuid[])
              as u(client, role, outcome, operation, purpose, first, last, request_id)",
        &column(entries, |e| e.client.as_str()) as &[&str],
        &column(entries, |e| <&str>::from(e.role)) as &[&str],
        &column(entries, |e| <&str>::from(e.outcome)) as &[&str],
        &column(entries, |e| e.operation.as_str()) as &[&str],
        &column(entries, |e| e.purpose.as_deref()) as &[Option<&str>],
        &subjects,
        &first,
        &last,
        &column(entries, |e| e.request_id),
    )
    .execute(executor)
    .await
    .map_err(|error| match StoreError::from(error) {
        error if error.is_transient() || error == StoreError::NoPartition => error,
        // The request may be retried once the cause is fixed. Until then nothing is answered.
        error => {
            tracing::error!(%error, "audit entries cannot be written");
            StoreError::Unavailable("audit entries cannot be written".into())
        }
    })?;
    Ok(())
}
