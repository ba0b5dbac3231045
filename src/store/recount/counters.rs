//! Reads and writes all maintained counters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::error::StoreError;
use domain::participant::ParticipantStatus;

/// The key of a daily counter of one channel, as in `channel_figure_day`: day, province and standing.
pub(super) type DailyKey = (NaiveDate, i16, i32);
/// People by payer and status, as in `employer_count` and `association_count`.
pub(super) type PayerCounts = BTreeMap<(Payer, i64, ParticipantStatus), i64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payer {
    Employer,
    Association,
}

/// Returns the channels with daily counters.
pub(super) async fn stored_channels(conn: &mut PgConnection) -> Result<BTreeSet<i64>, StoreError> {
    let channels: Vec<i64> = sqlx::query_scalar(
        "select channel_id from channel_figure_day union select channel_id from unfolded_delta where standing is not null",
    )
    .fetch_all(conn)
    .await?;
    Ok(channels.into_iter().collect())
}

/// Returns the daily counters of a channel: base plus deltas.
pub(super) async fn stored_days(
    conn: &mut PgConnection,
    channel: i64,
) -> Result<HashMap<DailyKey, i64>, StoreError> {
    let rows: Vec<(NaiveDate, i16, i32, i64)> = sqlx::query_as(
        "select effective_on, province_id, standing, sum(persons)::bigint from (
             select effective_on, province_id, standing, persons from channel_figure_day where channel_id = $1
             union all
             select effective_on, province_id, standing, persons from unfolded_delta
             where channel_id = $1 and standing is not null) k
         group by 1, 2, 3",
    )
    .bind(channel)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(day, province, standing, persons)| ((day, province, standing), persons))
        .collect())
}

/// Returns the counters of all payers: base plus deltas.
pub(super) async fn stored_payers(
    conn: &mut PgConnection,
) -> Result<Vec<(Payer, i64, ParticipantStatus, i64)>, StoreError> {
    let rows: Vec<(bool, i64, ParticipantStatus, i64)> = sqlx::query_as(
        "select is_employer, id, status, sum(persons)::bigint from (
             select true as is_employer, employer_id as id, status, persons from employer_count
             union all select false, association_id, status, persons from association_count
             union all select employer_id is not null, coalesce(employer_id, association_id), status, persons
                       from unfolded_delta where standing is null) k
         group by 1, 2, 3",
    )
    .fetch_all(conn)
    .await?;
    let payer = |is_employer| if is_employer { Payer::Employer } else { Payer::Association };
    Ok(rows.into_iter().map(|(is_employer, id, status, n)| (payer(is_employer), id, status, n)).collect())
}

/// Writes the daily counters of a channel.
pub(super) async fn write_days(
    conn: &mut PgConnection,
    channel: i64,
    days: &HashMap<DailyKey, i64>,
) -> Result<(), StoreError> {
    let days: Vec<(&DailyKey, &i64)> = days.iter().filter(|(_, persons)| **persons != 0).collect();
    sqlx::query(
        "insert into channel_figure_day (channel_id, effective_on, province_id, standing, persons)
         select $1, u.* from unnest($2::date[], $3::smallint[], $4::integer[], $5::bigint[]) u",
    )
    .bind(channel)
    .bind(days.iter().map(|(day, _)| day.0).collect::<Vec<_>>())
    .bind(days.iter().map(|(day, _)| day.1).collect::<Vec<_>>())
    .bind(days.iter().map(|(day, _)| day.2).collect::<Vec<_>>())
    .bind(days.iter().map(|(_, persons)| **persons).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the counters of all payers.
pub(super) async fn write_payers(conn: &mut PgConnection, payers: &PayerCounts) -> Result<(), StoreError> {
    for (payer, statement) in [
        (
            Payer::Employer,
            "insert into employer_count (employer_id, status, persons)
             select u.id, u.status::participant_status, u.persons
             from unnest($1::bigint[], $2::text[], $3::bigint[]) as u(id, status, persons)",
        ),
        (
            Payer::Association,
            "insert into association_count (association_id, status, persons)
             select u.id, u.status::participant_status, u.persons
             from unnest($1::bigint[], $2::text[], $3::bigint[]) as u(id, status, persons)",
        ),
    ] {
        let rows: Vec<_> =
            payers.iter().filter(|((of, ..), persons)| *of == payer && **persons != 0).collect();
        sqlx::query(statement)
            .bind(rows.iter().map(|((_, id, _), _)| *id).collect::<Vec<_>>())
            .bind(rows.iter().map(|((_, _, status), _)| <&str>::from(*status)).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, persons)| **persons).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The tables with counters of people.
pub(super) const PEOPLE_COUNTERS: [&str; 6] =
    ["figure", "figure_day", "figure_month", "channel_figure", "channel_figure_day", "channel_figure_month"];

/// The statements that derive the other tables with counters of people. Each is a sum of `channel_figure_day`.
pub(super) const SUM_STATEMENTS: [&str; 5] = [
    "insert into channel_figure (channel_id, province_id, standing, persons)
     select channel_id, province_id, standing, sum(persons) from channel_figure_day
     group by 1, 2, 3 having sum(persons) <> 0",
    "insert into channel_figure_month (channel_id, month, province_id, standing, persons)
     select channel_id, date_trunc('month', effective_on)::date, province_id, standing, sum(persons)
     from channel_figure_day group by 1, 2, 3, 4 having sum(persons) <> 0",
    "insert into figure_day (effective_on, province_id, channel_kind, standing, persons)
     select effective_on, province_id, c.kind, standing, sum(persons)
     from channel_figure_day d join channel c on c.id = d.channel_id group by 1, 2, 3, 4 having sum(persons) <> 0",
    "insert into figure_month (month, province_id, channel_kind, standing, persons)
     select date_trunc('month', effective_on)::date, province_id, channel_kind, standing, sum(persons)
     from figure_day group by 1, 2, 3, 4 having sum(persons) <> 0",
    "insert into figure (province_id, channel_kind, standing, persons)
     select province_id, channel_kind, standing, sum(persons) from figure_day
     group by 1, 2, 3 having sum(persons) <> 0",
];

/// The statements that count, for each table, the keys whose value is not the sum of `channel_figure_day`. A counter of
/// zero may have a row or none.
pub(super) const SUM_CHECKS: [(&str, &str); 5] = [
    (
        "channel_figure",
        "select count(*) from (
             select from (select channel_id, province_id, standing, persons from channel_figure union all
                          select channel_id, province_id, standing, -persons from channel_figure_day) s
             group by channel_id, province_id, standing having sum(persons) <> 0) d",
    ),
    (
        "channel_figure_month",
        "select count(*) from (
             select from (select channel_id, month, province_id, standing, persons from channel_figure_month union all
                          select channel_id, date_trunc('month', effective_on)::date, province_id, standing, -persons
                          from channel_figure_day) s
             group by channel_id, month, province_id, standing having sum(persons) <> 0) d",
    ),
    (
        "figure_day",
        "select count(*) from (
             select from (select effective_on, province_id, channel_kind, standing, persons from figure_day union all
                          select effective_on, province_id, c.kind, standing, -persons
                          from channel_figure_day d join channel c on c.id = d.channel_id) s
             group by effective_on, province_id, channel_kind, standing having sum(persons) <> 0) d",
    ),
    (
        "figure_month",
        "select count(*) from (
             select from (select month, province_id, channel_kind, standing, persons from figure_month union all
                          select date_trunc('month', effective_on)::date, province_id, channel_kind, standing, -persons
                          from figure_day) s
             group by month, province_id, channel_kind, standing having sum(persons) <> 0) d",
    ),
    (
        "figure",
        "select count(*) from (
             select from (select province_id, channel_kind, standing, persons from figure union all
                          select province_id, channel_kind, standing, -persons from figure_day) s
             group by province_id, channel_kind, standing having sum(persons) <> 0) d",
    ),
];
