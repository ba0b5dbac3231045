//! Partitions of the audit trail. Each has a range of ids, so that a seal, which knows its entries by their ids, says exactly
//! which entries a partition had. Ids grow with time, so a partition is a stretch of time.
//!
//! Servers make partitions ahead. The owner of the tables detaches old ones as a whole: an order that is signed with the
//! installation's key, so that the verification of the trail can tell it from a deletion. Seals and their chain stay, and a
//! detached partition that is attached again is verified entry by entry.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgExecutor};

use super::chain::lock_until_end;
use crate::store::error::StoreError;
use crate::store::keys::{Keys, evidence_key_id, verify_evidence};
use crate::store::partition::{self, Partition};
use crate::store::session::Session;
use domain::audit::Hash;

/// A partition that was detached.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Detachment {
    /// Its first id.
    pub first_id: i64,
    /// The first id after it.
    pub before_id: i64,
    /// The number of its entries.
    pub entries: i64,
    /// When it was detached, by the database's clock.
    pub detached_at: DateTime<Utc>,
}

impl Detachment {
    /// The hash that is signed.
    fn hash(&self) -> Hash {
        let mut digest = Sha256::new();
        digest.update(b"registry audit detachment 1");
        for number in [self.first_id, self.before_id, self.entries, self.detached_at.timestamp_micros()] {
            digest.update(number.to_be_bytes());
        }
        digest.finalize().into()
    }

    async fn insert(&self, conn: &mut PgConnection, keys: &Keys) -> Result<(), StoreError> {
        let sql =
            "insert into audit_detachment (first_id, before_id, entries, detached_at, key_id, signature)
                   values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
        let row = sqlx::query(sql).bind(self.first_id).bind(self.before_id).bind(self.entries);
        row.bind(self.detached_at)
            .bind(evidence_key_id(&keys.evidence_public_key()).as_slice())
            .bind(keys.sign_evidence(&self.hash()).as_slice())
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// The ids whose partitions were detached by a holder of the key in force.
#[derive(Debug)]
pub(super) struct Detached(Vec<Detachment>);

impl Detached {
    pub(super) async fn read(session: &Session, keys: &Keys) -> Result<Self, StoreError> {
        Ok(Self(signed(session, keys).await?))
    }

    /// May the entry with this id be absent?
    pub(super) fn has(&self, id: i64) -> bool {
        self.0.iter().any(|one| (one.first_id..one.before_id).contains(&id))
    }
}

/// Returns the number of entries that are in detached partitions, and so are not found.
pub async fn detached_entries(session: &Session) -> Result<i64, StoreError> {
    let sql = "select coalesce(sum(entries), 0)::bigint
        from (select distinct on (first_id) first_id, before_id, entries from audit_detachment order by first_id) d
        where not exists (select from audit_entry e where e.id >= d.first_id and e.id < d.before_id)";
    Ok(sqlx::query_scalar(sql).fetch_one(session).await?)
}

/// Returns the detachments that a key has signed.
async fn signed(executor: impl PgExecutor<'_>, keys: &Keys) -> Result<Vec<Detachment>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        detachment: Detachment,
        signature: Vec<u8>,
    }
    let key = keys.evidence_public_key();
    let sql =
        "select first_id, before_id, entries, detached_at, signature from audit_detachment where key_id = $1
               order by first_id";
    let rows: Vec<Row> =
        sqlx::query_as(sql).bind(evidence_key_id(&key).as_slice()).fetch_all(executor).await?;
    let is_signed = |row: &Row| verify_evidence(&key, &row.detachment.hash(), &row.signature);
    Ok(rows.into_iter().filter(is_signed).map(|row| row.detachment).collect())
}

/// Signs with another key what the former one has signed, within the transaction that rotates the key.
pub async fn sign_again(conn: &mut PgConnection, old: &Keys, new: &Keys) -> Result<(), StoreError> {
    for detachment in signed(&mut *conn, old).await? {
        detachment.insert(conn, new).await?;
    }
    Ok(())
}

/// Detaches the oldest partitions, as long as all entries of one are older than a moment, sealed and indexed. Returns them with
/// the names of their tables. The connection belongs to the owner of the tables.
pub async fn detach_older(
    conn: &mut PgConnection,
    keys: &Keys,
    than: DateTime<Utc>,
) -> Result<Vec<(String, Detachment)>, StoreError> {
    let mut detached = Vec::new();
    let mut transaction = conn.begin().await?;
    // No seal is made meanwhile, and requests do not wait for long.
    lock_until_end(&mut transaction).await?;
    sqlx::query("set local lock_timeout = '2s'").execute(&mut *transaction).await?;
    for partition in partition::full(&mut transaction, "audit_entry", "audit_entry_id_seq").await? {
        let Partition { name, first_id, before_id } = partition;
        let whole = format!(
            "select count(*), clock_timestamp() from {name} having max(at) < $1 and bool_and((transaction, id) <= (
                 select last_transaction, last_id from audit_seal
                 where number = (select max(last_seal) from audit_segment)))"
        );
        let whole = sqlx::query_as(AssertSqlSafe(whole)).bind(than).fetch_optional(&mut *transaction);
        let Some((entries, detached_at)) = whole.await? else { break };
        let detachment = Detachment { first_id, before_id, entries, detached_at };
        detachment.insert(&mut transaction, keys).await?;
        let detach = format!("alter table audit_entry detach partition {name}");
        sqlx::query(AssertSqlSafe(detach)).execute(&mut *transaction).await?;
        detached.push((name, detachment));
    }
    transaction.commit().await?;
    Ok(detached)
}
