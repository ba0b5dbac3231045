//! Counts everybody anew, from people and enrollments alone: to find whether the kept figures say the same, and to write
//! them where they do not exist yet.
//!
//! People are walked channel by channel, so memory does not grow with the register. Nothing here shows anybody: what is
//! told are figures.

mod inconsistency;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, FromRow, PgConnection};

use self::inconsistency::{Inconsistencies, Kept};
use super::Database;
use super::database::maintenance;
use super::error::StoreError;
use super::participant::{Person, Summary};
use super::session::Session;
use domain::count::{Among, Counted, Deltas, Held, add};
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};
use domain::participant::ParticipantStatus;
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// Enrollments that are fetched at once.
const PIECE: &str = "fetch 20000 from people";

/// Differences that are told one by one.
const TOLD: usize = 100;

/// What was counted, and where the kept figures say something else.
#[derive(Clone, Debug, Default)]
pub struct Recount {
    /// People.
    pub people: u64,
    /// Figures that were compared.
    pub figures: u64,
    /// Figures that differ.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A figure that is kept otherwise than it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which one.
    pub figure: String,
    /// What is kept.
    pub kept: i64,
    /// What was counted.
    pub counted: i64,
}

impl Recount {
    fn compare(&mut self, figure: impl FnOnce() -> String, kept: i64, counted: i64) {
        self.figures += 1;
        if kept != counted {
            self.different += 1;
            if self.differences.len() < TOLD {
                self.differences.push(Difference { figure: figure(), kept, counted });
            }
        }
    }
}

/// What stands in `channel_figure_day` of one channel: day, province and standing.
type Day = (NaiveDate, i16, i32);
/// What stands in `employer_count` and `association_count`.
type Payers = BTreeMap<(Payer, i64, ParticipantStatus), i64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Payer {
    Employer,
    Association,
}

/// Counts everybody at one moment and compares with what is kept then, beside people and enrollments too; `progress` hears how many people are done.
///
/// # Errors
/// The database is away.
pub async fn recount(
    database: &Database,
    rules: &Rulebook,
    today: NaiveDate,
    progress: impl Fn(u64) + Sync,
) -> Result<Recount, StoreError> {
    let mut connection = database.maintenance().await?;
    let mut transaction = connection.begin().await?;
    for statement in
        ["set transaction isolation level repeatable read, read only", "set local role registry_writer"]
    {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    let mut recount = Recount::default();
    let mut kept = kept_channels(&mut transaction).await?;
    let day = inconsistency::Day::of(&mut transaction, today).await?;
    let mut walk = Walk::begin(&mut transaction).await?;
    while let Some(next) = walk.next_channel(&mut transaction, rules, Some(day)).await? {
        let Channel { id: channel, counted, strays } = next;
        strays.tell(&mut recount, channel);
        kept.remove(&channel);
        let kept = kept_days(&mut transaction, channel).await?;
        compare_days(&mut recount, channel, kept, counted);
        progress(walk.people);
    }
    // What is kept of channels that brought in nobody.
    for channel in kept {
        let days = kept_days(&mut transaction, channel).await?;
        compare_days(&mut recount, channel, days, HashMap::new());
    }
    let mut payers = walk.payers;
    recount.people = walk.people;
    for (payer, id, status, kept) in kept_payers(&mut transaction).await? {
        let counted = payers.remove(&(payer, id, status)).unwrap_or_default();
        recount.compare(|| format!("{payer:?} {id}, {status}"), kept, counted);
    }
    for ((payer, id, status), counted) in payers {
        recount.compare(|| format!("{payer:?} {id}, {status}"), 0, counted);
    }
    for (what, sql) in SUMS {
        let different: i64 = sqlx::query_scalar(sql).fetch_one(&mut *transaction).await?;
        recount.compare(
            || format!("rows of {what} that are not the sum of channel_figure_day"),
            different,
            0,
        );
    }
    transaction.rollback().await?;
    Ok(recount)
}

/// Writes all figures anew, within a transaction of the caller's. Nobody changes figures meanwhile.
///
/// # Errors
/// The database is away.
pub async fn rebuild(conn: &mut PgConnection, rules: &Rulebook) -> Result<u64, StoreError> {
    sqlx::query("lock table count_delta in share row exclusive mode").execute(&mut *conn).await?;
    for table in ["count_delta", "employer_count", "association_count"].iter().chain(&PEOPLE_FIGURES) {
        let statement = sqlx::AssertSqlSafe(format!("delete from {table}"));
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    let mut walk = Walk::begin(&mut *conn).await?;
    while let Some(channel) = walk.next_channel(&mut *conn, rules, None).await? {
        write_days(conn, channel.id, &channel.counted).await?;
    }
    for statement in SUMMED_UP {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    write_payers(conn, &walk.payers).await?;
    sqlx::query("update installation set figures_due = false").execute(&mut *conn).await?;
    Ok(walk.people)
}

/// Counts the figures of a register that was brought up to date from a version that kept others.
///
/// # Errors
/// The database is away.
pub(super) async fn rebuild_where_due(
    control: &Session,
    options: &PgConnectOptions,
    rules: &Rulebook,
) -> Result<(), StoreError> {
    let is_due = "select figures_due from installation";
    if !sqlx::query_scalar::<_, bool>(is_due).fetch_one(control).await? {
        return Ok(());
    }
    let mut connection = maintenance(options).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("set local role registry_writer").execute(&mut *transaction).await?;
    // Another process may have done it while this one waited for the lock.
    sqlx::query("lock table count_delta in share row exclusive mode").execute(&mut *transaction).await?;
    if sqlx::query_scalar::<_, bool>(is_due).fetch_one(&mut *transaction).await? {
        let people = rebuild(&mut transaction, rules).await?;
        tracing::info!(people, "the figures were counted anew");
    }
    transaction.commit().await?;
    Ok(())
}

/// Everybody, in the order of the channel that brought them in.
struct Walk {
    rows: std::vec::IntoIter<EnrollmentRow>,
    next: Option<EnrollmentRow>,
    people: u64,
    payers: Payers,
}

#[derive(FromRow)]
struct EnrollmentRow {
    channel_id: i64,
    id: i64,
    province_id: i16,
    deceased_on: Option<NaiveDate>,
    segment: Segment,
    civil_servant: Option<CivilServantCategory>,
    employer_id: Option<i64>,
    association_id: Option<i64>,
    counts_from: NaiveDate,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    end_reason: Option<EndReason>,
    paid: Option<Vec<NaiveDate>>,
    status: EnrollmentStatus,
    enrollment_id: i64,
    paid_through: Option<NaiveDate>,
    lapses_on: Option<NaiveDate>,
    person_status: ParticipantStatus,
    person_employer_id: Option<i64>,
    person_association_id: Option<i64>,
}

/// The people of a channel, counted.
struct Channel {
    id: i64,
    counted: HashMap<Day, i64>,
    strays: Inconsistencies,
}

impl EnrollmentRow {
    fn kept(&self) -> Kept {
        let Self { enrollment_id: id, status, paid_through, lapses_on, .. } = *self;
        Kept { id, status, paid_through, lapses_on }
    }

    fn summary(&self) -> Summary {
        let (employer_id, association_id) = (self.person_employer_id, self.person_association_id);
        Summary { id: self.id, employer_id, association_id, status: self.person_status }
    }

    fn held(self) -> Held {
        let days = (self.counts_from, self.starts_on, self.ends_on);
        let timeline = Timeline::kept(days, self.paid.as_deref(), self.status);
        Held {
            segment: self.segment,
            civil_servant: self.civil_servant,
            employer: self.employer_id,
            association: self.association_id,
            end_reason: self.end_reason,
            timeline,
        }
    }
}

impl Walk {
    async fn begin(conn: &mut PgConnection) -> Result<Self, StoreError> {
        sqlx::query(
            "declare people no scroll cursor for
             select p.channel_id, p.id, p.province_id, p.deceased_on, e.segment, e.civil_servant, e.employer_id,
                    e.association_id, e.counts_from, e.starts_on, e.ends_on, e.end_reason, e.paid, e.status,
                    e.id as enrollment_id, e.paid_through, e.lapses_on, p.status as person_status,
                    p.employer_id as person_employer_id, p.association_id as person_association_id
             from participant p join enrollment e on e.participant_id = p.id
             order by p.channel_id, p.id",
        )
        .execute(conn)
        .await?;
        Ok(Self { rows: Vec::new().into_iter(), next: None, people: 0, payers: Payers::new() })
    }

    async fn next_row(&mut self, conn: &mut PgConnection) -> Result<Option<EnrollmentRow>, StoreError> {
        if let Some(row) = self.next.take().or_else(|| self.rows.next()) {
            return Ok(Some(row));
        }
        self.rows = sqlx::query_as(PIECE).fetch_all(conn).await?.into_iter();
        Ok(self.rows.next())
    }

    /// The people of the next channel, counted.
    async fn next_channel(
        &mut self,
        conn: &mut PgConnection,
        rules: &Rulebook,
        compared_on: Option<inconsistency::Day>,
    ) -> Result<Option<Channel>, StoreError> {
        let Some(first) = self.next_row(conn).await? else { return Ok(None) };
        let channel = first.channel_id;
        let (mut days, mut strays) = (HashMap::new(), Inconsistencies::default());
        self.next = Some(first);
        while let Some(first) = self.next_row(conn).await? {
            if first.channel_id != channel {
                self.next = Some(first);
                break;
            }
            let (summary, mut kept) = (first.summary(), vec![first.kept()]);
            let mut person = Person {
                known: None,
                deceased_on: first.deceased_on,
                province_id: first.province_id,
                channel_id: channel,
                enrollments: BTreeMap::from([(first.enrollment_id, first.held())]),
            };
            while let Some(more) = self.next_row(conn).await? {
                if more.id != summary.id {
                    self.next = Some(more);
                    break;
                }
                kept.push(more.kept());
                person.enrollments.insert(more.enrollment_id, more.held());
            }
            self.count(&person.counted(), &mut days, rules);
            if let Some(day) = compared_on {
                strays.look(&person, &summary, &kept, day, rules);
            }
        }
        Ok(Some(Channel { id: channel, counted: days, strays }))
    }

    fn count(&mut self, person: &Counted<'_>, days: &mut HashMap<Day, i64>, rules: &Rulebook) {
        self.people += 1;
        let mut deltas = Deltas::new();
        add(&mut deltas, person, 1, rules);
        for ((province, _, among), persons) in deltas {
            let persons = i64::from(persons);
            let (payer, id, status) = match among {
                Among::People(day, standing) => {
                    *days.entry((day, province, standing.bits())).or_default() += persons;
                    continue;
                }
                Among::Employer(id, status) => (Payer::Employer, id, status),
                Among::Association(id, status) => (Payer::Association, id, status),
            };
            *self.payers.entry((payer, id, status)).or_default() += persons;
        }
    }
}

async fn kept_channels(conn: &mut PgConnection) -> Result<BTreeSet<i64>, StoreError> {
    let channels: Vec<i64> = sqlx::query_scalar(
        "select channel_id from channel_figure_day union select channel_id from count_delta where standing is not null",
    )
    .fetch_all(conn)
    .await?;
    Ok(channels.into_iter().collect())
}

async fn kept_days(conn: &mut PgConnection, channel: i64) -> Result<HashMap<Day, i64>, StoreError> {
    let rows: Vec<(NaiveDate, i16, i32, i64)> = sqlx::query_as(
        "select effective_on, province_id, standing, sum(persons)::bigint from (
             select effective_on, province_id, standing, persons from channel_figure_day where channel_id = $1
             union all
             select effective_on, province_id, standing, persons from count_delta
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

fn compare_days(
    recount: &mut Recount,
    channel: i64,
    kept: HashMap<Day, i64>,
    mut counted: HashMap<Day, i64>,
) {
    let name = |(day, province, standing): Day| {
        move || format!("channel {channel}, province {province}, {day}, standing {standing}")
    };
    for (day, kept) in kept {
        recount.compare(name(day), kept, counted.remove(&day).unwrap_or_default());
    }
    for (day, counted) in counted {
        recount.compare(name(day), 0, counted);
    }
}

async fn kept_payers(
    conn: &mut PgConnection,
) -> Result<Vec<(Payer, i64, ParticipantStatus, i64)>, StoreError> {
    let rows: Vec<(bool, i64, ParticipantStatus, i64)> = sqlx::query_as(
        "select is_employer, id, status, sum(persons)::bigint from (
             select true as is_employer, employer_id as id, status, persons from employer_count
             union all select false, association_id, status, persons from association_count
             union all select employer_id is not null, coalesce(employer_id, association_id), status, persons
                       from count_delta where standing is null) k
         group by 1, 2, 3",
    )
    .fetch_all(conn)
    .await?;
    let payer = |is_employer| if is_employer { Payer::Employer } else { Payer::Association };
    Ok(rows.into_iter().map(|(is_employer, id, status, n)| (payer(is_employer), id, status, n)).collect())
}

async fn write_days(
    conn: &mut PgConnection,
    channel: i64,
    days: &HashMap<Day, i64>,
) -> Result<(), StoreError> {
    let days: Vec<(&Day, &i64)> = days.iter().filter(|(_, persons)| **persons != 0).collect();
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

async fn write_payers(conn: &mut PgConnection, payers: &Payers) -> Result<(), StoreError> {
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
            .bind(rows.iter().map(|((_, _, status), _)| <&str>::from(status)).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, persons)| **persons).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

const PEOPLE_FIGURES: [&str; 6] =
    ["figure", "figure_day", "figure_month", "channel_figure", "channel_figure_day", "channel_figure_month"];

/// All of them are sums of `channel_figure_day`.
const SUMMED_UP: [&str; 5] = [
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

/// How many keys of each are not the sum of `channel_figure_day`. Figures of nobody may be kept or not.
const SUMS: [(&str, &str); 5] = [
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
