//! The index of the people whom entries name. It is built when entries are sealed, not when they are written.
//!
//! A page of two hundred people would add two hundred items to an index of all people, in front of its answer. So the index
//! follows the seals: a segment holds the pairs of person and entry of consecutive seals, as [posting lists](super::postings).
//! Small segments are merged into larger ones. A lookup reads one block of each segment, and scans the entries that no
//! segment covers: those of the last seconds. The index is derived, and the verification of the trail compares it with the
//! entries.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::postings::{Block, Posting, decode, encode, entries_about, merge, sort};
use crate::store::Database;
use crate::store::array::BigInts;
use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::audit::Entry;

/// The advisory lock under which one process at a time extends the index: "audit" and a number.
const LOCK: i64 = 0x61_75_64_69_74_02;
/// About the most pairs of a merged segment.
const MOST_PAIRS: i64 = 1 << 19;

/// How long one call indexes. After an update there may be a hundred thousand seals to index, and sealing must go on.
const LONGEST: Duration = Duration::from_secs(5);

/// Indexes the seals that no segment covers, one in each transaction, for a few seconds at most. Does nothing while another
/// process does so.
pub(super) async fn extend(database: &Database) -> Result<(), StoreError> {
    let (session, began) = (&database.control, Instant::now());
    while began.elapsed() < LONGEST && session.in_time(extend_once(session)).await? {}
    Ok(())
}

/// Indexes the next seal. Returns `false` if there is none.
async fn extend_once(session: &Session) -> Result<bool, StoreError> {
    let mut transaction = session.begin().await?;
    let locked = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)").bind(LOCK);
    let is_extended = match locked.fetch_one(&mut *transaction).await? {
        true => index_next(&mut transaction).await?,
        false => false,
    };
    transaction.commit().await?;
    Ok(is_extended)
}

async fn index_next(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let next = "select s.number, s.last_transaction::text, s.last_id,
                       coalesce(b.last_transaction::text, '0'), coalesce(b.last_id, 0)
                from (select coalesce(max(last_seal), 0) as seal from audit_segment) c
                join audit_seal s on s.number = c.seal + 1
                left join audit_seal b on b.number = c.seal";
    let next: Option<(i64, String, i64, String, i64)> =
        sqlx::query_as(next).fetch_optional(&mut *conn).await?;
    let Some((seal, last_transaction, last_id, behind_transaction, behind_id)) = next else {
        drop_index_of_before(conn).await?;
        return Ok(false);
    };
    let entries = "select id, subjects from audit_entry
                   where (transaction, id) > ($1::xid8, $2) and (transaction, id) <= ($3::xid8, $4)";
    let entries: Vec<(i64, BigInts)> = sqlx::query_as(entries)
        .bind(behind_transaction)
        .bind(behind_id)
        .bind(last_transaction)
        .bind(last_id)
        .fetch_all(&mut *conn)
        .await?;
    let pairs_of = |(entry, BigInts(subjects)): (i64, BigInts)| {
        subjects.into_iter().map(move |subject| (subject, entry))
    };
    let mut postings: Vec<Posting> = entries.into_iter().flat_map(pairs_of).collect();
    let (mut pairs, mut first_seal) = (i64::try_from(postings.len()).unwrap_or(i64::MAX), seal);
    let mut segments = Vec::new();
    for (segment, pairs_of_segment) in segments_to_merge(conn, pairs).await? {
        segments.push(take_segment(conn, segment).await?);
        pairs = pairs.saturating_add(pairs_of_segment);
        first_seal = segment;
    }
    // Sorting and merging would hold up other tasks.
    let blocks = tokio::task::spawn_blocking(move || {
        sort(&mut postings);
        segments.push(encode(postings));
        merge(&segments)
    });
    let blocks = blocks.await.map_err(|_| StoreError::Fault("encoding a segment failed".into()))?;
    let blocks = blocks.ok_or_else(damaged)?;
    write_segment(conn, (first_seal, seal), pairs, &blocks).await?;
    Ok(true)
}

/// Drops the index of earlier versions, which every new entry would have to maintain. It served the entries that were sealed
/// before this index covered them.
async fn drop_index_of_before(conn: &mut PgConnection) -> Result<(), StoreError> {
    let exists = "select to_regclass('audit_entry_by_subject') is not null";
    if sqlx::query_scalar(exists).fetch_one(&mut *conn).await? {
        sqlx::query("select drop_audit_entry_by_subject()").execute(&mut *conn).await?;
        tracing::info!("dropped the index of audit entries by person that earlier versions maintained");
    }
    Ok(())
}

/// Returns the newest segments that a new one of this size is merged with, newest first, and how many pairs each has. Sizes of what remains at least
/// double from each segment to the one before, up to [`MOST_PAIRS`], so few segments are small and each pair is rewritten
/// a few times.
async fn segments_to_merge(conn: &mut PgConnection, pairs: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let newest = "select first_seal, pairs from audit_segment order by first_seal desc limit 64";
    let newest: Vec<(i64, i64)> = sqlx::query_as(newest).fetch_all(conn).await?;
    let mut sum = pairs;
    let fits = |&(_, pairs): &(i64, i64)| {
        let fits = pairs <= sum.saturating_mul(2) && pairs.saturating_add(sum) <= MOST_PAIRS;
        sum = sum.saturating_add(pairs);
        fits
    };
    Ok(newest.into_iter().take_while(fits).collect())
}

/// Deletes a segment and returns its blocks, in order.
async fn take_segment(conn: &mut PgConnection, first_seal: i64) -> Result<Vec<Block>, StoreError> {
    sqlx::query("delete from audit_segment where first_seal = $1")
        .bind(first_seal)
        .execute(&mut *conn)
        .await?;
    let taken = "delete from audit_posting where first_seal = $1 returning first_subject, postings";
    let mut taken: Vec<(i64, Vec<u8>)> = sqlx::query_as(taken).bind(first_seal).fetch_all(conn).await?;
    taken.sort_unstable_by_key(|&(first_subject, _)| first_subject);
    Ok(taken.into_iter().map(|(first_subject, bytes)| Block { first_subject, bytes }).collect())
}

async fn write_segment(
    conn: &mut PgConnection,
    (first_seal, last_seal): (i64, i64),
    pairs: i64,
    blocks: &[Block],
) -> Result<(), StoreError> {
    let segment = "insert into audit_segment (first_seal, last_seal, pairs) values ($1, $2, $3)";
    sqlx::query(segment).bind(first_seal).bind(last_seal).bind(pairs).execute(&mut *conn).await?;
    // What a segment that was deleted by hand has left.
    let left = "delete from audit_posting where first_seal between $1 and $2";
    sqlx::query(left).bind(first_seal).bind(last_seal).execute(&mut *conn).await?;
    let postings = "insert into audit_posting (first_seal, first_subject, postings)
                    select $1, u.first_subject, u.postings from unnest($2::bigint[], $3::bytea[]) u(first_subject, postings)";
    let subjects: Vec<i64> = blocks.iter().map(|block| block.first_subject).collect();
    let bytes: Vec<&[u8]> = blocks.iter().map(|block| block.bytes.as_slice()).collect();
    sqlx::query(postings).bind(first_seal).bind(subjects).bind(bytes).execute(conn).await?;
    Ok(())
}

/// Returns the ids of all entries that name a person: sealed ones by the index, and the others by a scan.
pub(super) async fn find_entries_about(session: &Session, person: i64) -> Result<Vec<i64>, StoreError> {
    let found = "
        with covered as materialized (
            select s.last_transaction, s.last_id from audit_seal s
            where s.number = (select max(last_seal) from audit_segment)
        )
        select b.first_subjects, b.blocks, array(
            select a.id from audit_entry a
            where (a.transaction, a.id) > (coalesce((select last_transaction from covered), '0'::xid8),
                                           coalesce((select last_id from covered), 0))
              and a.subjects @> array[$1]
        )
        from (select coalesce(array_agg(p.first_subject), '{}') as first_subjects,
                     coalesce(array_agg(p.postings), '{}') as blocks
              from audit_segment s cross join lateral (
                  select first_subject, postings from audit_posting p
                  where p.first_seal = s.first_seal and p.first_subject <= $1 order by p.first_subject desc limit 1) p) b";
    let (first_subjects, blocks, mut entries): (Vec<i64>, Vec<Vec<u8>>, Vec<i64>) =
        sqlx::query_as(found).bind(person).fetch_one(session).await?;
    for (first_subject, bytes) in first_subjects.into_iter().zip(blocks) {
        entries.extend(entries_about(&Block { first_subject, bytes }, person).ok_or_else(damaged)?);
    }
    entries.sort_unstable();
    Ok(entries)
}

fn damaged() -> StoreError {
    StoreError::Fault("a segment of the index of audit entries is damaged".into())
}

/// Compares the index with the entries, seal by seal.
pub(super) struct IndexCheck {
    /// Keeps the index from being extended meanwhile.
    locked: PgConnection,
    /// Those that were not compared yet, as first and last seal.
    segments: VecDeque<(i64, i64)>,
    /// The seals since the last segment that was compared, and their pairs.
    began: i64,
    postings: Vec<Posting>,
    /// Entries of these seals that were detached with their partitions, so that their people are not known.
    detached: HashSet<i64>,
}

impl IndexCheck {
    pub(super) async fn begin(database: &Database) -> Result<Self, StoreError> {
        let mut locked = database.maintenance().await?;
        sqlx::query("select pg_advisory_lock_shared($1)").bind(LOCK).execute(&mut locked).await?;
        let segments = "select first_seal, last_seal from audit_segment order by first_seal";
        let segments: Vec<(i64, i64)> = sqlx::query_as(segments).fetch_all(&database.control).await?;
        Ok(Self {
            locked,
            segments: segments.into(),
            began: 1,
            postings: Vec::new(),
            detached: HashSet::new(),
        })
    }

    /// Passes over what the index says of entries of the next seal that were detached.
    pub(super) fn pass_over(&mut self, entries: impl IntoIterator<Item = i64>) {
        self.detached.extend(entries);
    }

    /// Adds the entries of the next seal. Returns `false` if the segment that ends with it has other pairs.
    pub(super) async fn add(
        &mut self,
        session: &Session,
        seal: i64,
        entries: &[Entry],
    ) -> Result<bool, StoreError> {
        let Some(&(first_seal, last_seal)) = self.segments.front() else { return Ok(true) };
        for entry in entries {
            self.postings.extend(entry.subjects.iter().map(|&subject| (subject, entry.id)));
        }
        if first_seal != self.began || last_seal < seal {
            return Ok(false);
        }
        if last_seal > seal {
            return Ok(true);
        }
        self.segments.pop_front();
        self.began = seal + 1;
        let (mut expected, detached) =
            (std::mem::take(&mut self.postings), std::mem::take(&mut self.detached));
        let stored =
            "select first_subject, postings from audit_posting where first_seal = $1 order by first_subject";
        let stored: Vec<(i64, Vec<u8>)> = sqlx::query_as(stored).bind(first_seal).fetch_all(session).await?;
        let stored = stored.into_iter().map(|(first_subject, bytes)| Block { first_subject, bytes });
        sort(&mut expected);
        if detached.is_empty() {
            return Ok(stored.eq(encode(expected)));
        }
        let Some(pairs) = stored.map(|block| decode(&block)).collect::<Option<Vec<_>>>() else {
            return Ok(false);
        };
        Ok(pairs.into_iter().flatten().filter(|(_, entry)| !detached.contains(entry)).eq(expected))
    }

    /// Is a segment left that claims to cover seals after the last one?
    pub(super) fn claims_more(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Lets the index be extended again.
    pub(super) async fn end(self) {
        // If closing fails, the server notices that the connection is gone.
        let _ = self.locked.close().await;
    }
}
