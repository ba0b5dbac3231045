//! Seals: a background job signs entries, and no request waits for it.
//!
//! If each entry were hashed into the next one, only one request could write at a time. So entries are appended freely, and
//! a seal covers those among which no further entry can appear: all by transactions older than every running one. The
//! index (`index.rs`) of the people whom entries name follows the seals.

use std::collections::{HashSet, VecDeque};

use sqlx::PgConnection;

use super::chain::{Head, LOCK, hash_of, newest};
use super::index::{self, IndexCheck};
use super::partition::Detached;
use super::succession::Succession;
use crate::store::Database;
use crate::store::array::BigInts;
use crate::store::columns::{in_order, read_all};
use crate::store::error::StoreError;
use crate::store::keys::evidence_key_id;
use crate::store::rotation;
use crate::store::session::Session;
use domain::actor::Role;
use domain::audit::{AuditOutcome, ChainCheck, Entry, Hash, Leaf, Seal, Statement, Tampering};

/// The most entries of one seal. The rest is covered by the next one.
const MOST_ENTRIES: i64 = 10_000;
/// About the most people whom the entries of one seal name: an export leaves entries with thousands of them. It bounds the
/// memory of the seal, of its index and of its verification.
const MOST_PEOPLE: i64 = 100_000;
/// Seals read at a time when they are verified.
const SEALS_AT_A_TIME: i64 = 20;

/// Seals what can be sealed and indexes it. Returns the last seal that was made, or `None` if there was nothing to seal or
/// another process is sealing.
pub async fn seal(database: &Database) -> Result<Option<Head>, StoreError> {
    let mut made = None;
    while let (Some(head), is_full) = seal_once(database).await? {
        made = Some(head);
        if !is_full {
            break;
        }
    }
    if let Err(error) = index::extend(database).await {
        // Entries that are not indexed are found by a scan, and the seals are made.
        tracing::warn!(%error, "audit entries were not indexed by person; the next attempt follows");
    }
    Ok(made)
}

/// Makes one seal. Says whether there may be more entries than it holds.
async fn seal_once(database: &Database) -> Result<(Option<Head>, bool), StoreError> {
    database.control.in_time(seal_alone(database)).await
}

async fn seal_alone(database: &Database) -> Result<(Option<Head>, bool), StoreError> {
    let mut transaction = database.control.begin().await?;
    let sealed = match is_alone(&mut transaction).await? {
        true => write(&mut transaction, database).await?,
        false => (None, false),
    };
    transaction.commit().await?;
    Ok(sealed)
}

async fn is_alone(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let locked = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "locked!""#, LOCK);
    Ok(locked.fetch_one(conn).await?)
}

async fn write(conn: &mut PgConnection, database: &Database) -> Result<(Option<Head>, bool), StoreError> {
    // A rotation of the key holds the lock until the new key is in force.
    rotation::require_in_force(&mut *conn, &database.keys).await?;
    let last = newest(&mut *conn).await?;
    let (number, previous, behind) =
        last.map_or((0, [0; 32], (0, 0)), |(head, last)| (head.number, head.hash, last));
    let entries = final_entries(&mut *conn, behind).await?;
    let people: usize = entries.iter().map(|entry| entry.subjects.len()).sum();
    let is_full = entries.len() as i64 >= MOST_ENTRIES || people as i64 >= MOST_PEOPLE;
    let Some(newest) = entries.last() else { return Ok((None, false)) };
    let leaves: Vec<Leaf> = entries.iter().map(Entry::leaf).collect();
    let statement = Statement {
        number: number + 1,
        sealed_at: sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&mut *conn).await?,
        last: (newest.transaction, newest.id),
        leaves: Leaf::write_all(&leaves),
        previous,
    };
    let hash = statement.hash();
    let key_id = evidence_key_id(&database.keys.evidence_public_key());
    let signature = database.keys.sign_evidence(&hash);
    sqlx::query!(
        "insert into audit_seal (number, sealed_at, last_transaction, last_id, leaves, previous, hash, key_id, signature)
         values ($1, $2, $3::text::xid8, $4, $5, $6, $7, $8, $9)",
        statement.number,
        statement.sealed_at,
        statement.last.0.to_string(),
        statement.last.1,
        statement.leaves,
        statement.previous.as_slice(),
        hash.as_slice(),
        key_id.as_slice(),
        signature.as_slice()
    )
    .execute(conn)
    .await?;
    Ok((Some(Head { number: statement.number, hash }), is_full))
}

/// Returns entries after `behind`, before which no further entry can appear, in order, up to the size of a seal: at least
/// one entry, however many people it names.
///
/// A transaction gets its number before its entries get their ids, and numbers grow. So the entries of a running
/// transaction come after all of these.
async fn final_entries(conn: &mut PgConnection, behind: (i64, i64)) -> Result<Vec<Entry>, StoreError> {
    // Not `query_as!`: PostgreSQL cannot tell which columns of a subquery are never null.
    let rows = sqlx::query(
        "select transaction::text::bigint as transaction, id, at, client, role, outcome, operation, purpose, subjects,
                request_id
         from (
             select *, sum(cardinality(subjects)) over (order by transaction, id) - cardinality(subjects) as people_before
             from (
                 select * from audit_entry
                 where (transaction, id) > ($1::text::xid8, $2)
                   and transaction < pg_snapshot_xmin(pg_current_snapshot())
                 order by audit_entry.transaction, id limit $3
             ) entry
         ) entry
         where people_before < $4
         order by entry.transaction, id",
    )
    .bind(behind.0.to_string())
    .bind(behind.1)
    .bind(MOST_ENTRIES)
    .bind(MOST_PEOPLE);
    let rows: Vec<EntryColumns> = read_all(&rows.fetch_all(conn).await?)?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// Returns the entries after `behind` up to `to`, in order: those that a seal should cover.
async fn entries_between(
    session: &Session,
    behind: (i64, i64),
    to: (i64, i64),
) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query_as!(
        EntryColumns,
        r#"select transaction::text::bigint as "transaction!", id, at, client, role as "role: Role",
                  outcome as "outcome: AuditOutcome", operation, purpose, subjects, request_id
           from audit_entry
           where (transaction, id) > ($1::text::xid8, $2) and (transaction, id) <= ($3::text::xid8, $4)
           order by audit_entry.transaction, id"#,
        behind.0.to_string(),
        behind.1,
        to.0.to_string(),
        to.1
    );
    Ok(rows.fetch_all(session).await?.into_iter().map(Entry::from).collect())
}

struct EntryColumns {
    transaction: i64,
    id: i64,
    at: chrono::DateTime<chrono::Utc>,
    client: String,
    role: Role,
    outcome: AuditOutcome,
    operation: String,
    purpose: Option<String>,
    subjects: BigInts,
    request_id: uuid::Uuid,
}

in_order!(EntryColumns {
    transaction,
    id,
    at,
    client,
    role,
    outcome,
    operation,
    purpose,
    subjects,
    request_id
});

impl From<EntryColumns> for Entry {
    fn from(row: EntryColumns) -> Self {
        let EntryColumns { transaction, id, at, client, role, outcome, operation, .. } = row;
        let (purpose, BigInts(subjects), request_id) = (row.purpose, row.subjects, row.request_id);
        Self { transaction, id, at, client, role, outcome, operation, purpose, subjects, request_id }
    }
}

/// The result of a verification without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of seals.
    pub seals: i64,
    /// The number of entries that they cover.
    pub sealed: u64,
    /// The number of entries that are not sealed yet. A change of these cannot be detected.
    pub unsealed: i64,
    /// The number of sealed entries that were detached with their partitions.
    pub detached: u64,
    /// The hash of the newest seal; zeros if there is none.
    pub head: Hash,
}

/// Reads the whole trail and compares it with its seals, with the index of people, and with a `head` that was kept elsewhere.
///
/// # Errors
/// The database is unavailable. The inner error is the first fault of the trail.
pub async fn verify(
    database: &Database,
    head: Option<&Hash>,
) -> Result<Result<Verified, Tampering>, StoreError> {
    let session = &database.control;
    let succession = Succession::read(session, &database.keys).await?;
    let detached = Detached::read(session, &database.keys).await?;
    let mut index = IndexCheck::begin(database).await?;
    let verified = verify_seals(session, (&succession, head), &detached, &mut index).await;
    index.end().await;
    verified
}

async fn verify_seals(
    session: &Session,
    (succession, head): (&Succession, Option<&Hash>),
    detached: &Detached,
    index: &mut IndexCheck,
) -> Result<Result<Verified, Tampering>, StoreError> {
    let signed = |seal: &Seal| succession.has_signed(seal);
    let (mut walk, mut sealed, mut absent, mut seals) = (ChainCheck::default(), 0, 0, VecDeque::new());
    loop {
        if seals.is_empty() {
            seals.extend(seals_behind(session, walk.number).await?);
        }
        let Some(seal) = seals.pop_front() else { break };
        let behind = walk.last;
        let leaves = match walk.next(&seal, signed) {
            Ok(leaves) => leaves,
            Err(tampering) => return Ok(Err(tampering)),
        };
        let entries = entries_between(session, behind, walk.last).await?;
        let found: Vec<Leaf> = entries.iter().map(Entry::leaf).collect();
        let present: HashSet<i64> = found.iter().map(|leaf| leaf.id).collect();
        let is_detached = |leaf: &Leaf| !present.contains(&leaf.id) && detached.has(leaf.id);
        let (gone, leaves): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(is_detached);
        if let Some(tampering) = Tampering::between(&leaves, &found) {
            return Ok(Err(tampering));
        }
        absent += gone.len() as u64;
        index.pass_over(gone.iter().map(|leaf| leaf.id));
        if !index.add(session, walk.number, &entries).await? {
            return Ok(Err(Tampering::IndexChanged(walk.number)));
        }
        sealed += found.len() as u64;
    }
    if let Some(Err(tampering)) = head.map(|head| walk.require(head)) {
        return Ok(Err(tampering));
    }
    if index.claims_more() {
        return Ok(Err(Tampering::IndexChanged(walk.number)));
    }
    let unsealed = unsealed_behind(session, walk.last).await?;
    Ok(Ok(Verified { seals: walk.number, sealed, unsealed, detached: absent, head: walk.hash }))
}

async fn unsealed_behind(session: &Session, last: (i64, i64)) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "n!" from audit_entry where (transaction, id) > ($1::text::xid8, $2)"#,
        last.0.to_string(),
        last.1
    );
    Ok(count.fetch_one(session).await?)
}

async fn seals_behind(session: &Session, number: i64) -> Result<Vec<Seal>, StoreError> {
    let rows = sqlx::query!(
        r#"select number, sealed_at, last_transaction::text::bigint as "last_transaction!", last_id, leaves, previous,
                  hash, key_id, signature
           from audit_seal where number > $1 order by number limit $2"#,
        number,
        SEALS_AT_A_TIME
    );
    let rows = rows.fetch_all(session).await?;
    rows.into_iter()
        .map(|row| {
            let statement = Statement {
                number: row.number,
                sealed_at: row.sealed_at,
                last: (row.last_transaction, row.last_id),
                leaves: row.leaves,
                previous: hash_of(&row.previous)?,
            };
            Ok(Seal { statement, hash: row.hash, key_id: row.key_id, signature: row.signature })
        })
        .collect()
}
