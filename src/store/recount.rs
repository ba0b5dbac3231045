//! Counts all people again, only from people and enrollments, to check the maintained counters or to rebuild them.
//!
//! A cursor reads people channel by channel, so memory does not grow with the register. Other modules get only counts.

mod counters;
mod inconsistency;
mod people;

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use self::counters::{
    DailyKey, PEOPLE_COUNTERS, PayerCounts, SUM_CHECKS, SUM_STATEMENTS, stored_channels, stored_days,
    stored_payers, write_days, write_payers,
};
use self::inconsistency::{HISTORY_CHECKS, LapsedUntil};
use self::people::{ChannelPeople, PeopleCursor};
use super::error::StoreError;
use super::event::partition::DetachedEvents;
use super::pool::connect_for_maintenance;
use super::session::Session;
use domain::rule::Rulebook;

/// Maximum number of differences that a recount lists one by one.
const LISTED: usize = 100;

/// The result of a recount: the number of counters compared, and those that differ.
#[derive(Clone, Debug, Default)]
pub struct Recount {
    /// Number of people counted.
    pub people: u64,
    /// Number of counters compared.
    pub figures: u64,
    /// Number of counters that differ.
    pub different: u64,
    /// The first hundred differences.
    pub differences: Vec<Difference>,
    /// The events that are detached. Wages and moves that may be among them were not compared.
    pub detached: DetachedEvents,
}

/// A maintained counter that differs from the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of the counter.
    pub figure: String,
    /// Its maintained value.
    pub kept: i64,
    /// The value of the new count.
    pub counted: i64,
}

impl Recount {
    fn compare(&mut self, counter: impl FnOnce() -> String, kept: i64, counted: i64) {
        self.figures += 1;
        if kept != counted {
            self.different += 1;
            if self.differences.len() < LISTED {
                self.differences.push(Difference { figure: counter(), kept, counted });
            }
        }
    }
}

/// Counts all people in one snapshot. Compares the result with the maintained counters, and with the columns that
/// people and enrollments derive from others. Calls `progress` with the number of people counted so far.
pub async fn recount(
    options: &PgConnectOptions,
    rules: &Rulebook,
    today: NaiveDate,
    progress: impl Fn(u64) + Sync,
) -> Result<Recount, StoreError> {
    let mut connection = connect_for_maintenance(options).await?;
    let mut transaction = connection.begin().await?;
    for statement in
        ["set transaction isolation level repeatable read, read only", "set local role registry_writer"]
    {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    let mut recount = Recount::default();
    let payers = compare_channels(&mut transaction, &mut recount, rules, today, progress).await?;
    compare_payers(&mut transaction, &mut recount, payers).await?;
    for (table, sql) in SUM_CHECKS {
        let different: i64 = sqlx::query_scalar(sql).fetch_one(&mut *transaction).await?;
        recount.compare(
            || format!("rows of {table} that are not the sum of channel_figure_day"),
            different,
            0,
        );
    }
    recount.detached = DetachedEvents::read(&mut *transaction).await?;
    for (rows, sql) in HISTORY_CHECKS {
        let check = sqlx::query_scalar(sql).bind(recount.detached.newest());
        let different: i64 = check.fetch_one(&mut *transaction).await?;
        recount.compare(|| rows.to_owned(), different, 0);
    }
    transaction.rollback().await?;
    Ok(recount)
}

/// Compares the daily counters channel by channel, and returns the new counts of all payers.
async fn compare_channels(
    conn: &mut PgConnection,
    recount: &mut Recount,
    rules: &Rulebook,
    today: NaiveDate,
    progress: impl Fn(u64) + Sync,
) -> Result<PayerCounts, StoreError> {
    let mut not_seen = stored_channels(conn).await?;
    let lapsed_until = LapsedUntil::read(conn, today).await?;
    let mut people = PeopleCursor::open(conn).await?;
    while let Some(next) = people.next_channel(conn, rules, Some(lapsed_until)).await? {
        let ChannelPeople { id: channel, counted, inconsistencies } = next;
        for (rows, what) in inconsistencies.by_kind() {
            recount.compare(|| format!("channel {channel}, {what}"), rows, 0);
        }
        not_seen.remove(&channel);
        compare_days(recount, channel, stored_days(conn, channel).await?, counted);
        progress(people.count);
    }
    // Channels that have counters but no people.
    for channel in not_seen {
        compare_days(recount, channel, stored_days(conn, channel).await?, HashMap::new());
    }
    recount.people = people.count;
    Ok(people.payers)
}

async fn compare_payers(
    conn: &mut PgConnection,
    recount: &mut Recount,
    mut counted: PayerCounts,
) -> Result<(), StoreError> {
    for (payer, id, status, stored) in stored_payers(conn).await? {
        let counted = counted.remove(&(payer, id, status)).unwrap_or_default();
        recount.compare(|| format!("{payer:?} {id}, {status}"), stored, counted);
    }
    for ((payer, id, status), counted) in counted {
        recount.compare(|| format!("{payer:?} {id}, {status}"), 0, counted);
    }
    Ok(())
}

/// Rebuilds all maintained counters within the caller's transaction, and locks them until it ends. Returns the number
/// of people.
pub async fn rebuild(conn: &mut PgConnection, rules: &Rulebook) -> Result<u64, StoreError> {
    sqlx::query("lock table count_delta in share row exclusive mode").execute(&mut *conn).await?;
    for table in ["count_delta", "employer_count", "association_count"].iter().chain(&PEOPLE_COUNTERS) {
        let statement = sqlx::AssertSqlSafe(format!("delete from {table}"));
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    let mut people = PeopleCursor::open(&mut *conn).await?;
    while let Some(channel) = people.next_channel(&mut *conn, rules, None).await? {
        write_days(conn, channel.id, &channel.counted).await?;
    }
    for statement in SUM_STATEMENTS {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    write_payers(conn, &people.payers).await?;
    sqlx::query("update installation set figures_due = false").execute(&mut *conn).await?;
    sqlx::query("update figure_version set version = gen_random_uuid()").execute(&mut *conn).await?;
    Ok(people.count)
}

/// Rebuilds the counters if a migration has changed their definition and requested it.
pub(super) async fn rebuild_where_due(
    control: &Session,
    options: &PgConnectOptions,
    rules: &Rulebook,
) -> Result<(), StoreError> {
    let is_due = "select figures_due from installation";
    if !sqlx::query_scalar::<_, bool>(is_due).fetch_one(control).await? {
        return Ok(());
    }
    let mut connection = connect_for_maintenance(options).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("set local role registry_writer").execute(&mut *transaction).await?;
    // Another process may have rebuilt them while this one waited for the lock.
    sqlx::query("lock table count_delta in share row exclusive mode").execute(&mut *transaction).await?;
    if sqlx::query_scalar::<_, bool>(is_due).fetch_one(&mut *transaction).await? {
        let people = rebuild(&mut transaction, rules).await?;
        tracing::info!(people, "rebuilt the maintained counters");
    }
    transaction.commit().await?;
    Ok(())
}

fn compare_days(
    recount: &mut Recount,
    channel: i64,
    stored: HashMap<DailyKey, i64>,
    mut counted: HashMap<DailyKey, i64>,
) {
    let name = |(day, province, standing): DailyKey| {
        move || format!("channel {channel}, province {province}, {day}, standing {standing}")
    };
    for (day, stored) in stored {
        recount.compare(name(day), stored, counted.remove(&day).unwrap_or_default());
    }
    for (day, counted) in counted {
        recount.compare(name(day), 0, counted);
    }
}
