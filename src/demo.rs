//! A synthetic register of any size, for trying and measuring the registry.
//!
//! The same seed and size give the same people with the same ids. None of them exists: names come from lists, identity
//! numbers have districts that no regency has, tax numbers have a type that no taxpayer has, and organisations are
//! named as examples. The register shows the state on the evening of 2014-10-01.
//!
//! A load of any size is one transaction. It drops the indexes and foreign keys of the tables with people, which makes
//! it fast, and restores them before it commits. One thread makes people and another writes them, a few thousand at a
//! time, so memory does not grow with their number.
//!
//! The API cannot start a load. A load writes without the actions, so its tests check the result against the rules.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use crate::store::reference::Reference;
use crate::store::{Database, StoreError, recount};

mod atlas;
mod biography;
mod channels;
mod copy;
mod days;
mod enrolled;
mod index;
mod names;
mod payers;
mod people;
mod random;
mod size;
mod story;
#[cfg(test)]
mod tests;
mod totals;

pub use channels::{BRANCH, CLOSED_OUTLET, GOVERNMENT_UNIT};
pub use payers::{COMPANY, SOUTH_SUMATRA_GOVERNMENT, company_tax_number};
pub use size::DemoSize;

use atlas::{AREAS, Area};
use biography::Country;
use days::last_day;
use people::{Chunk, People};
use totals::Totals;

/// Number of people that are made and written at a time.
const CHUNK: usize = 5_000;
/// Maximum number of people. With more, identity numbers would repeat.
const MAXIMUM: u64 = 100_000_000;

/// The progress of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Number of people written so far.
    People(u64),
    /// All people are written. Indexes are built and foreign keys checked.
    Indexing,
    /// The load is committed. The database vacuums and analyzes the tables.
    Analyzing,
}

/// The result of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoSummary {
    /// People.
    pub participants: u64,
    /// Enrollments.
    pub enrollments: u64,
    /// Channels.
    pub channels: u64,
    /// Employers.
    pub employers: u64,
    /// Associations.
    pub associations: u64,
    /// Internal id of the provincial government of South Sumatra: an employer without people. Its 8,000 civil servants
    /// are in a roster file.
    pub south_sumatra_government: i64,
}

/// An error of [`load`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DemoError {
    /// The registry is not empty.
    #[error("a synthetic register can only be loaded into an empty registry, and this one has rows in {0}")]
    NotEmpty(String),
    /// Too many people.
    #[error("a synthetic register has at most {MAXIMUM} people")]
    TooLarge,
    /// The database failed.
    #[error("the synthetic register was not loaded: {0}. Nothing was written")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for DemoError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Loads a synthetic register into an empty registry, completely or not at all. Nobody else can read or write people
/// meanwhile.
pub async fn load(
    database: &Arc<Database>,
    size: DemoSize,
    progress: impl Fn(Progress),
) -> Result<DemoSummary, DemoError> {
    if size.participants > MAXIMUM {
        return Err(DemoError::TooLarge);
    }
    let mut conn = database.maintenance().await?;
    refuse_unless_empty(&mut conn).await?;
    let country = Arc::new(Country::of(size, &province_names(&database.reference())?));

    run(&mut conn, "set idle_in_transaction_session_timeout = '1min'; set maintenance_work_mem = '256MB'")
        .await?;
    let mut transaction = conn.begin().await?;
    // From here on nobody else can write. The check above spares a registry in use the lock; the check below decides.
    run(
        &mut transaction,
        "lock table participant, identifier, channel, employer, association in access exclusive mode",
    )
    .await?;
    refuse_unless_empty(&mut transaction).await?;
    let dropped = index::drop_all(&mut transaction, PEOPLE_TABLES).await?;
    // The tables are empty. After a truncate in the same transaction, `copy ... with (freeze)` is allowed, and vacuum
    // need not visit the rows again.
    run(&mut transaction, "truncate identifier, participant, enrollment, participant_event").await?;
    let totals = copy_people(&mut transaction, database, &country, &progress).await?;
    copy_channels_and_payers(&mut transaction, database, &country, &totals).await?;
    story::insert(&mut transaction).await?;
    progress(Progress::Indexing);
    dropped.restore(&mut transaction).await?;
    run(&mut transaction, "analyze participant, enrollment").await?;
    recount::rebuild(&mut transaction, &database.reference().rules).await?;
    advance_sequences(&mut transaction, &country, &totals).await?;
    run(&mut transaction, CALENDAR).await?;
    transaction.commit().await?;

    progress(Progress::Analyzing);
    if let Err(error) = run(&mut conn, VACUUM).await.map_err(StoreError::from) {
        tracing::warn!(%error, "the register is loaded, but vacuum failed; autovacuum will do it");
    }
    database.refresh_reference().await?;
    Ok(DemoSummary {
        participants: size.participants,
        enrollments: totals.enrollments.unsigned_abs(),
        channels: country.channels.len() as u64,
        employers: country.employers.len() as u64,
        associations: country.associations.len() as u64,
        south_sumatra_government: SOUTH_SUMATRA_GOVERNMENT,
    })
}

const PEOPLE_TABLES: &[&str] = &["identifier", "participant", "enrollment", "participant_event"];

/// Returns the names of the provinces of the atlas, in its order.
fn province_names(reference: &Reference) -> Result<Vec<String>, StoreError> {
    let name = |area: &Area| {
        let province = reference.province(area.id);
        let missing = || StoreError::Fault(format!("the reference data have no province {}", area.id));
        Ok(province.ok_or_else(missing)?.edition_on(last_day()).name.clone())
    };
    AREAS.iter().map(name).collect()
}

async fn refuse_unless_empty(conn: &mut PgConnection) -> Result<(), DemoError> {
    let occupied: Option<String> = sqlx::query_scalar(
        "select case when exists (select 1 from participant) then 'participant'
                     when exists (select 1 from identifier) then 'identifier'
                     when exists (select 1 from channel) then 'channel'
                     when exists (select 1 from employer) then 'employer'
                     when exists (select 1 from association) then 'association' end",
    )
    .fetch_one(conn)
    .await?;
    occupied.map_or(Ok(()), |table| Err(DemoError::NotEmpty(table)))
}

async fn run(conn: &mut PgConnection, statements: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(statements).execute(conn).await.map(|_| ())
}

/// Makes people on a blocking thread, and writes them chunk by chunk.
async fn copy_people(
    conn: &mut PgConnection,
    database: &Arc<Database>,
    country: &Arc<Country>,
    progress: &impl Fn(Progress),
) -> Result<Totals, DemoError> {
    // At most two finished chunks wait to be written.
    let (sender, mut chunks) = mpsc::channel::<Chunk>(2);
    let (keys_of, country) = (Arc::clone(database), Arc::clone(country));
    let making = tokio::task::spawn_blocking(move || make_people(&country, &keys_of, &sender));
    let mut written = 0;
    while let Some(chunk) = chunks.recv().await {
        chunk.identifiers.copy(conn, COPY_IDENTIFIER).await?;
        chunk.participants.copy(conn, COPY_PARTICIPANT).await?;
        chunk.enrollments.copy(conn, COPY_ENROLLMENT).await?;
        chunk.events.copy(conn, COPY_EVENT).await?;
        written += chunk.people;
        progress(Progress::People(written));
    }
    match making.await {
        Ok(totals) => Ok(totals),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Makes people, and stops early if writing them failed.
fn make_people(country: &Country, database: &Database, sender: &mpsc::Sender<Chunk>) -> Totals {
    let (mut totals, rules) = (Totals::default(), database.reference());
    let mut people = People::of(country).peekable();
    while people.peek().is_some() {
        let mut chunk = Chunk::default();
        for person in people.by_ref().take(CHUNK) {
            chunk.add(&person, &database.keys, &rules.rules, &mut totals);
        }
        if sender.blocking_send(chunk).is_err() {
            break;
        }
    }
    totals
}

/// Writes channels, employers and associations. They come after the people, because the declared headcount of an
/// employer depends on its people.
async fn copy_channels_and_payers(
    conn: &mut PgConnection,
    database: &Database,
    country: &Country,
    totals: &Totals,
) -> Result<(), sqlx::Error> {
    let (channels, channel_provinces) = country.channels.rows();
    channels.copy(conn, COPY_CHANNEL).await?;
    channel_provinces.copy(conn, "copy channel_province (channel_id, province_id) from stdin").await?;
    let employers = country.employers.rows(country.seed, &database.keys, totals);
    employers.copy(conn, COPY_EMPLOYER).await?;
    sqlx::query(DECLARE_HEADCOUNTS).execute(&mut *conn).await?;
    country.associations.rows().copy(conn, COPY_ASSOCIATION).await?;
    Ok(())
}

/// Advances sequences to the last ids that were loaded. A sequence without rows stays at its beginning.
async fn advance_sequences(
    conn: &mut PgConnection,
    country: &Country,
    totals: &Totals,
) -> Result<(), sqlx::Error> {
    let count = |length: usize| i64::try_from(length).expect("memory holds them");
    let people = i64::try_from(country.participants).expect("at most a hundred million");
    for (sequence, last) in [
        ("channel_id_seq", count(country.channels.len())),
        ("employer_id_seq", count(country.employers.len())),
        ("association_id_seq", count(country.associations.len())),
        ("participant_id_seq", people),
        ("enrollment_id_seq", totals.enrollments),
        ("participant_event_id_seq", totals.events),
    ] {
        sqlx::query("select setval($1::regclass, greatest($2, 1), $2 > 0)")
            .bind(sequence)
            .bind(last)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

const COPY_IDENTIFIER: &str =
    "copy identifier (kind, value_index, participant_id, claimed_at) from stdin with (freeze)";
const COPY_PARTICIPANT: &str = "copy participant (id, registered_at, channel_id, employer_id, association_id, \
    birth_date, sex, status, province_id, full_name, name_key, national_id, phone, deceased_on) from stdin with (freeze)";
const COPY_ENROLLMENT: &str = "copy enrollment (participant_id, id, employer_id, association_id, channel_id, \
    monthly_wage, starts_on, ends_on, paid_through, segment, status, end_reason, civil_servant, province_id, \
    programmes, recorded_at, work_unit, counts_from, paid, lapses_on) from stdin with (freeze)";
/// Only into a partition can `copy` freeze. The first one has room for the events of the most people.
const COPY_EVENT: &str = "copy participant_event_0 (participant_id, id, enrollment_id, channel_id, recorded_at, \
    effective_on, kind, recorded_by) from stdin with (freeze)";
const COPY_CHANNEL: &str = "copy channel (id, code, name, name_key, kind, parent_id, operator, opened_on, closed_on, \
    registered_at, registered_by) from stdin";
const COPY_EMPLOYER: &str = "copy employer (id, registered_at, name, name_key, kind, tax_number_index, \
    tax_number_sealed, business_number, risk_class, province_id, declared_headcount, registered_by) from stdin";
/// Each employer declares its headcount on the day of its registration.
const DECLARE_HEADCOUNTS: &str =
    "insert into headcount_declaration (employer_id, headcount, declared_on, declared_by)
    select id, declared_headcount, (registered_at at time zone 'Asia/Jakarta')::date, registered_by
    from employer where declared_headcount is not null order by id";
const COPY_ASSOCIATION: &str =
    "copy association (id, registered_at, name, name_key, trade, province_id, registered_by) from stdin";
/// The calendar of the demonstration starts on 2014-10-02 and advances with the real one.
const CALENDAR: &str = "update installation set is_demo = true,
    days_behind = greatest(0, (now() at time zone 'Asia/Jakarta')::date - date '2014-10-02')";
const VACUUM: &str = "vacuum (analyze) identifier, participant, enrollment, participant_event, channel, \
    channel_province, employer, headcount_declaration, association, figure, figure_day, figure_month, channel_figure, channel_figure_day, \
    channel_figure_month, employer_count, association_count";
