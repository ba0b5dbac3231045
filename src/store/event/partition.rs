//! Partitions of the history of people. The owner of the tables detaches old ones as a whole, and may attach them again.
//!
//! What is detached is on record, and in the memory of every server: whoever reads a history asks [`DetachedEvents`], so that no
//! answer lacks an event without saying so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgExecutor};

use crate::store::distribution;
use crate::store::error::StoreError;
use crate::store::partition::{self, Partition};

/// A partition that is detached.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Detachment {
    /// The name of its table.
    pub partition: String,
    /// Its first id.
    pub first_id: i64,
    /// The first id after it.
    pub before_id: i64,
    /// The number of its events.
    pub events: i64,
    /// When the newest of its events was recorded.
    pub recorded_until: DateTime<Utc>,
}

impl Detachment {
    /// The range of its ids, as `attach partition` takes it. The first partition has no lower bound.
    fn range(&self) -> String {
        match self.first_id {
            0 => format!("from (minvalue) to ({})", self.before_id),
            first => format!("from ({first}) to ({})", self.before_id),
        }
    }
}

/// The events that are detached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetachedEvents(Vec<Detachment>);

impl DetachedEvents {
    /// Reads which events are detached.
    pub async fn read(executor: impl PgExecutor<'_>) -> Result<Self, StoreError> {
        let sql = "select partition, first_id, before_id, events, recorded_until from event_detachment
                   where attached_at is null order by first_id";
        Ok(Self(sqlx::query_as(sql).fetch_all(executor).await?))
    }

    /// Returns what is on record as detached and still attached: a command is at work, or was ended before its time.
    pub async fn half_done(executor: impl PgExecutor<'_>) -> Result<Vec<HalfDone>, StoreError> {
        let sql = "select partition from event_detachment
                   where attached_at is null and exists (select from pg_inherits where inhrelid = to_regclass(partition))
                   order by first_id";
        Ok(sqlx::query_scalar(sql).fetch_all(executor).await?.into_iter().map(HalfDone).collect())
    }

    /// Returns when the newest event that was detached with the one with this id was recorded; `None` if that is not detached.
    pub fn with_event(&self, id: i64) -> Option<DateTime<Utc>> {
        let has = |one: &&Detachment| (one.first_id..one.before_id).contains(&id);
        self.0.iter().find(has).map(|one| one.recorded_until)
    }

    /// Returns when the newest detached event was recorded; `None` if none is detached.
    pub fn newest(&self) -> Option<DateTime<Utc>> {
        self.0.iter().map(|one| one.recorded_until).max()
    }

    /// Returns when the newest detached event was recorded, if some of them can be of a person who was registered at this moment;
    /// `None` if the history of the person is complete.
    pub fn of_person(&self, registered_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.newest().filter(|&newest| registered_at <= newest)
    }

    /// Returns the number of detached events.
    pub fn count(&self) -> i64 {
        self.0.iter().map(|one| one.events).sum()
    }
}

/// A partition whose events are refused as if it were detached, although it is attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the detachment of {0} was announced and not done, and questions about its events are refused: unless `registry events` is at \
     work now, give the command again, or `registry events attach {0}`"
)]
pub struct HalfDone(String);

/// Detaches the oldest partitions, as long as all events of one were recorded before a moment. The connection belongs to the owner
/// of the tables.
///
/// It first puts on record what it will detach, and waits until servers have `heard` of it. So no request computes with a part of
/// the events and takes it for the whole. If it fails in between, answers say less than they could, and the next call goes on.
pub async fn detach_older(
    conn: &mut PgConnection,
    than: DateTime<Utc>,
    heard: Duration,
) -> Result<Vec<Detachment>, StoreError> {
    let detachments = record_older(conn, than).await?;
    if detachments.is_empty() {
        return Ok(detachments);
    }
    tokio::time::sleep(heard).await;
    let mut transaction = conn.begin().await?;
    // Requests do not wait for long. The locks are those that detaching takes, in the order of those who write.
    for statement in [
        "set local lock_timeout = '2s'",
        "lock table participant in share row exclusive mode",
        "lock table participant_event in access exclusive mode",
    ] {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    for Detachment { partition, .. } in &detachments {
        let detach = format!("alter table participant_event detach partition {partition}");
        sqlx::query(AssertSqlSafe(detach)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(detachments)
}

/// Records the partitions that are to be detached, and returns them with those that an earlier call recorded and did not detach.
async fn record_older(conn: &mut PgConnection, than: DateTime<Utc>) -> Result<Vec<Detachment>, StoreError> {
    let mut detachments = Vec::new();
    let mut transaction = conn.begin().await?;
    sqlx::query("set local lock_timeout = '2s'").execute(&mut *transaction).await?;
    sqlx::query("lock table event_detachment in share row exclusive mode").execute(&mut *transaction).await?;
    let recorded = DetachedEvents::read(&mut *transaction).await?.0;
    let full = partition::full(&mut transaction, "participant_event", "participant_event_id_seq").await?;
    for Partition { name, first_id, before_id } in full {
        if let Some(detachment) = recorded.iter().find(|one| one.partition == name) {
            detachments.push(detachment.clone());
            continue;
        }
        // Waits for those who are still writing there; readers go on.
        let lock = format!("lock table {name} in share mode");
        sqlx::query(AssertSqlSafe(lock)).execute(&mut *transaction).await?;
        let record = format!(
            "insert into event_detachment (first_id, before_id, partition, events, recorded_until)
             select $1, $2, $3, count(*), max(recorded_at) from {name} having max(recorded_at) < $4
             returning partition, first_id, before_id, events, recorded_until"
        );
        let record =
            sqlx::query_as(AssertSqlSafe(record)).bind(first_id).bind(before_id).bind(&name).bind(than);
        let Some(detachment) = record.fetch_optional(&mut *transaction).await? else { break };
        detachments.push(detachment);
    }
    transaction.commit().await?;
    Ok(detachments)
}

/// The foreign key of each partition.
const REFERENCE: &str = "participant_event_participant_id_fkey";

/// Why a table was not attached. The next call repeats the steps that were done, such as adding the foreign key.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It is no partition that is detached.
    #[error("`{0}` is not a detached partition of the history of people")]
    NotDetached(String),
    /// The database has no such table.
    #[error("there is no table `{0}`: restore it first")]
    Missing(String),
    /// The table has other events than the partition had.
    #[error("the table has {found} events, and {detached} were detached")]
    Differs {
        /// The number of its events.
        found: i64,
        /// The number of events that the partition had.
        detached: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AttachError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Attaches a detached partition again. The connection belongs to the owner of the tables.
///
/// It puts on record that the history is whole when all standbys have `replayed` that. If it fails in between, answers say less than
/// they could, and the next call goes on.
pub async fn attach(
    conn: &mut PgConnection,
    table: &str,
    replayed: Duration,
) -> Result<Detachment, AttachError> {
    let detached = DetachedEvents::read(&mut *conn).await?.0;
    let Some(detachment) = detached.into_iter().find(|one| one.partition == table) else {
        return Err(AttachError::NotDetached(table.to_owned()));
    };
    let partition = &detachment.partition;
    let state = "select to_regclass($1) is not null,
                        exists (select from pg_inherits where inhrelid = to_regclass($1))";
    let (exists, is_attached): (bool, bool) =
        sqlx::query_as(state).bind(partition).fetch_one(&mut *conn).await?;
    if !exists {
        return Err(AttachError::Missing(partition.clone()));
    }
    let count = AssertSqlSafe(format!("select count(*) from {partition}"));
    let found: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await?;
    if found != detachment.events {
        return Err(AttachError::Differs { found, detached: detachment.events });
    }
    if !is_attached {
        prepare(conn, &detachment).await?;
        let mut transaction = conn.begin().await?;
        let range = detachment.range();
        for statement in [
            "set local lock_timeout = '2s'".to_owned(),
            format!("alter table participant_event attach partition {partition} for values {range}"),
            format!("alter table {partition} drop constraint event_range"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        tokio::time::sleep(replayed).await;
    }
    let record = "update event_detachment set attached_at = clock_timestamp(), attached_by = session_user
                  where partition = $1 and attached_at is null";
    sqlx::query(record).bind(partition).execute(conn).await?;
    Ok(detachment)
}

/// Checks the range of a table and its foreign key, which a restored one can lack. Attaching then reads no row, while nobody can write
/// people.
async fn prepare(conn: &mut PgConnection, detachment: &Detachment) -> Result<(), AttachError> {
    let Detachment { partition, first_id, before_id, .. } = detachment;
    // On a cluster only a distributed table can refer to people, and attaching distributes it.
    let can_refer = !distribution::is_distributed(conn).await?;
    let refers = "select exists (select from pg_constraint where conrelid = $1::regclass and contype = 'f')";
    let refers: bool = sqlx::query_scalar(refers).bind(partition).fetch_one(&mut *conn).await?;
    let add_reference = format!(
        "alter table {partition}
             add constraint {REFERENCE} foreign key (participant_id) references participant not valid"
    );
    let validate = |name: &str| format!("alter table {partition} validate constraint {name}");
    // One by one: a cluster passes each statement on by itself.
    let statements = [
        Some("set lock_timeout = '2s'".to_owned()),
        Some(format!(
            "alter table {partition} enable row level security, drop constraint if exists event_range"
        )),
        Some(format!(
            "alter table {partition} add constraint event_range check (id >= {first_id} and id < {before_id}) not valid"
        )),
        Some(validate("event_range")),
        (can_refer && !refers).then_some(add_reference),
        can_refer.then(|| validate(REFERENCE)),
        Some("reset lock_timeout".to_owned()),
    ];
    for statement in statements.into_iter().flatten() {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}
