//! The newest end of the chain of seals, and the lock under which the chain grows.

use sqlx::PgConnection;

use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::audit::Hash;

/// The advisory lock under which one process at a time seals: "audit" and a number.
pub(super) const LOCK: i64 = 0x61_75_64_69_74_01;

/// The newest seal. An installation keeps it elsewhere, to detect later that seals were cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: i64,
    /// Its hash.
    pub hash: Hash,
}

/// Waits for the process that seals, and keeps all others from sealing until the transaction ends.
pub(super) async fn lock_until_end(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(conn).await?;
    Ok(())
}

/// Returns the newest seal, and the last entry that it covers.
pub(super) async fn newest(conn: &mut PgConnection) -> Result<Option<(Head, (i64, i64))>, StoreError> {
    let row = sqlx::query!(
        r#"select number, hash, last_transaction::text::bigint as "last_transaction!", last_id
           from audit_seal order by number desc limit 1"#
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let head = Head { number: row.number, hash: hash_of(&row.hash)? };
    Ok(Some((head, (row.last_transaction, row.last_id))))
}

/// Returns the newest seal.
pub async fn head(session: &Session) -> Result<Option<Head>, StoreError> {
    let row = sqlx::query!("select number, hash from audit_seal order by number desc limit 1");
    let row = row.fetch_optional(session).await?;
    row.map(|row| Ok(Head { number: row.number, hash: hash_of(&row.hash)? })).transpose()
}

pub(super) fn hash_of(bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes.try_into().map_err(|_| StoreError::Fault("a hash has another length".into()))
}
