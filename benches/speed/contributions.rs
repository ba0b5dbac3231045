//! C1: records a month's contributions of one large employer, in a copy of the register.

use std::time::Instant;

use anyhow::ensure;
use participant_registry::graphql::node_id::NodeId;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::client::{Client, request};
use crate::register::Register;
use crate::report::{Report, Row, Target};
use crate::server::Server;

const RECORD: &str = "mutation Record($employer: ID!, $month: Date!) {
  recordContributions(input: {employerId: $employer, month: $month}) { recorded newlyActive errors { code path } }
}";

/// Employers of the synthetic register have smaller numbers.
const LARGE_EMPLOYER: i64 = 1 << 40;
const PEOPLE: i64 = 100_000;

/// Selects people of other employers to move to the large one. Its counters are not maintained, because nothing reads
/// them.
const HIRE: &str = "
    create table bench.hired as
    select e.participant_id, e.id from enrollment e
    where segment = 'WAGE_EARNER' and status = 'ACTIVE' and starts_on < '2014-09-01'
      and not exists (select from enrollment o where o.participant_id = e.participant_id and o.id <> e.id)
    order by participant_id limit $1";

/// Writes the same rows as the mutation: the state of each enrollment, and an event in its history.
const UPDATE_AND_INSERT: &str = "
    with paid as (
        update enrollment e set paid = paid, paid_through = $1::date - 1, lapses_on = ($1::date + interval '3 months')::date,
               status = 'ACTIVE'
        from bench.hired h where h.participant_id = e.participant_id and h.id = e.id
        returning e.participant_id, e.id)
    insert into participant_event (participant_id, enrollment_id, effective_on, kind, recorded_by)
    select participant_id, id, $1, 'CONTRIBUTED', 'bench' from paid";

/// Measures `recordContributions` and the plain statements.
pub async fn measure(register: &Register, report: &mut Report) -> anyhow::Result<()> {
    let mut connection = register.connect().await?;
    sqlx::query(HIRE).bind(PEOPLE).execute(&mut connection).await?;
    let people = hire(&mut connection).await?;
    let viewer = request(&register.token, "{ viewer { name } }", &json!({}));
    let server = Server::start(register, "warn", &viewer).await?;
    let mut client = Client::connect(server.address).await?;
    let employer = NodeId::Employer(LARGE_EMPLOYER).encode();
    let month: chrono::NaiveDate = "2014-10-01".parse()?;
    let record = request(&register.token, RECORD, &json!({"employer": employer, "month": month}));
    let began = Instant::now();
    let answer = client.data(&record).await?;
    let registry = began.elapsed();
    ensure!(
        answer["recordContributions"]["recorded"] == people,
        "not all contributions are recorded: {answer}"
    );
    let began = Instant::now();
    let mut transaction = connection.begin().await?;
    sqlx::query(UPDATE_AND_INSERT).bind(month).execute(&mut *transaction).await?;
    transaction.commit().await?;
    let plain = began.elapsed();
    report.add(Row {
        part: "C1",
        participants: register.participants,
        what: format!("contributions of {people} people of an employer"),
        registry: format!("{:.2} s", registry.as_secs_f64()),
        compared_with: format!("one UPDATE and INSERT: {:.2} s", plain.as_secs_f64()),
        value: plain.as_secs_f64() / registry.as_secs_f64(),
        target: Target::AtLeast(0.3),
    });
    server.stop().await
}

async fn hire(connection: &mut PgConnection) -> anyhow::Result<i64> {
    sqlx::query(
        "update enrollment e set employer_id = $1, paid = '{2014-09-01,2014-09-30}', paid_through = '2014-09-30'
         from bench.hired h where h.participant_id = e.participant_id and h.id = e.id",
    )
    .bind(LARGE_EMPLOYER)
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql("analyze enrollment").execute(&mut *connection).await?;
    Ok(sqlx::query_scalar("select count(*) from bench.hired").fetch_one(connection).await?)
}
