//! C2: the monthly list of a company (`--list-rows`, by default 100,000), in a copy of the register. The plan is measured in
//! rows per second, and its application against the same changes as set-based SQL by hand.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use participant_registry::demo::BRANCH;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::client::{Client, request};
use crate::register::Register;
use crate::report::{Report, Row, Target};
use crate::server::Server;
use crate::{Cli, people};

const REGISTER: &str = "mutation Register($input: RegisterEmployerInput!) {
  registerEmployer(input: $input) { employer { id } errors { code message } }
}";
const START: &str = "mutation Start($input: StartOnboardingInput!) {
  startOnboarding(input: $input) { batch { uploadUrl } errors { code path message } }
}";
/// The first number for people of the company.
const FIRST: u64 = 8_500_000;
/// Of a hundred rows, so many join, leave, and have another wage.
const JOIN: u64 = 3;
const LEAVE: u64 = 2;
const CHANGE: u64 = 5;
/// How often the state of the batch is read.
const POLL: Duration = Duration::from_millis(5);

/// What a row of the list does, by its place.
fn change(at: u64) -> people::Listed {
    match at % 100 {
        rest if rest < JOIN => people::Listed::Joins,
        rest if rest < JOIN + LEAVE => people::Listed::Leaves,
        rest if rest < JOIN + LEAVE + CHANGE => people::Listed::WageChanges,
        _ => people::Listed::Unchanged,
    }
}

/// Measures the list.
pub async fn measure(cli: &Cli, register: &Register, report: &mut Report) -> anyhow::Result<()> {
    let viewer = request(&register.token, "{ viewer { name } }", &json!({}));
    let server = Server::start(register, "warn", &viewer).await?;
    let mut office = Office {
        register,
        client: Client::connect(server.address).await?,
        sql: register.connect().await?,
        employer: String::new(),
        rows: cli.list_rows / 100 * 100,
    };
    let rows = office.rows;
    office.open().await?;
    let staff = (0..rows).filter(|&at| change(at) != people::Listed::Joins);
    let roster = people::list(staff.map(|at| (FIRST + at, people::Listed::Unchanged)));
    office.send(json!({}), &roster).await?;
    let list = people::list((0..rows).map(|at| (FIRST + at, change(at))));
    let month = json!({"kind": "MONTHLY_LIST", "month": "2014-09-01"});
    let Sent { batch, planned, applied } = office.send(month, &list).await?;
    let changes = rows / 100 * (JOIN + LEAVE + CHANGE);
    let by_hand = office.by_hand(batch).await?;
    let seconds = |time: Duration| time.as_secs_f64();
    report.add(Row {
        part: "C2",
        participants: register.participants,
        what: format!("a monthly list of {rows} rows, planned"),
        registry: format!("{:.2} s", seconds(planned)),
        compared_with: "rows/s".to_owned(),
        value: rows as f64 / seconds(planned),
        target: Target::AtLeast(25_000.0),
    });
    report.add(Row {
        part: "C2",
        participants: register.participants,
        what: format!("its {changes} changes, applied"),
        registry: format!("{:.2} s, {:.0}/s", seconds(applied), changes as f64 / seconds(applied)),
        compared_with: format!("SQL by hand: {:.0}/s", changes as f64 / seconds(by_hand)),
        value: seconds(by_hand) / seconds(applied),
        target: Target::AtLeast(0.7),
    });
    server.stop().await
}

/// A list that was sent, and how long each step took.
struct Sent {
    batch: i64,
    planned: Duration,
    applied: Duration,
}

/// The company, its connection to the registry, and one to the database.
struct Office<'a> {
    register: &'a Register,
    client: Client,
    sql: PgConnection,
    employer: String,
    /// Rows of the list.
    rows: u64,
}

impl Office<'_> {
    async fn open(&mut self) -> anyhow::Result<()> {
        let input = json!({"input": {"name": "PT Daftar Bulanan", "kind": "COMPANY", "provinceCode": "16"}});
        let answer = self.client.data(&request(&self.register.token, REGISTER, &input)).await?;
        let id = answer["registerEmployer"]["employer"]["id"].as_str();
        id.with_context(|| format!("registerEmployer failed: {answer}"))?.clone_into(&mut self.employer);
        Ok(())
    }

    /// Sends a file that needs no approval, and waits until all of it is done.
    async fn send(&mut self, kind: Value, file: &str) -> anyhow::Result<Sent> {
        let mut input = json!({
            "employerId": self.employer, "channelCode": BRANCH, "provinceCode": "16", "startsOn": "2014-01-01",
            "fileName": "list.csv", "planOnly": false,
        });
        for (field, value) in kind.as_object().into_iter().flatten() {
            input[field] = value.clone();
        }
        let start = request(&self.register.token, START, &json!({ "input": input }));
        let answer = self.client.data(&start).await?;
        let url = answer["startOnboarding"]["batch"]["uploadUrl"].as_str();
        let url = url.with_context(|| format!("startOnboarding failed: {answer}"))?.to_owned();
        self.client.put(&self.register.token, &url, file.as_bytes()).await?;
        let received = Instant::now();
        let batch: i64 =
            sqlx::query_scalar("select max(id) from onboarding_batch").fetch_one(&mut self.sql).await?;
        let mut planned = None;
        loop {
            let (state, rejected): (String, i32) =
                sqlx::query_as("select state::text, rejected from onboarding_batch where id = $1")
                    .bind(batch)
                    .fetch_one(&mut self.sql)
                    .await?;
            ensure!(rejected == 0, "{rejected} rows are rejected");
            match state.as_str() {
                "VALIDATING" => {}
                "APPLYING" => planned = planned.or(Some(received.elapsed())),
                "COMPLETED" => break,
                state => bail!("the file ended as {state}"),
            }
            tokio::time::sleep(POLL).await;
        }
        let planned = planned.unwrap_or_default();
        Ok(Sent { batch, planned, applied: received.elapsed() - planned })
    }

    /// Does the changes of the list to other people of the company. Returns the time, up to the commit.
    async fn by_hand(&mut self, batch: i64) -> anyhow::Result<Duration> {
        let (leave, change) = (self.rows / 100 * LEAVE, self.rows / 100 * CHANGE);
        let prepare = format!(
            "create temp table joiner as
                 select participant_id as was, nextval('participant_id_seq') as id,
                        substr(uuid_send(gen_random_uuid()), 1, 16) as value_index
                 from onboarding_row where batch_id = {batch} and outcome = 'ENROLLED';
             create temp table riser as
                 select participant_id, id, row_number() over (order by participant_id) as place from enrollment
                 where employer_id = (select employer_id from onboarding_batch where id = {batch})
                   and ends_on is null and wages is null and onboarding_batch_id <> {batch}
                 limit {leave} + {change};
             create temp table leaver as select * from riser where place <= {leave};
             delete from riser where place <= {leave};
             analyze joiner, leaver, riser;"
        );
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut self.sql).await?;
        let began = Instant::now();
        let mut transaction = self.sql.begin().await?;
        sqlx::raw_sql(BY_HAND).execute(&mut *transaction).await?;
        transaction.commit().await?;
        let time = began.elapsed();
        let done: i64 = sqlx::query_scalar(
            "select (select count(*) from joiner) + (select count(*) from leaver) + (select count(*) from riser)",
        )
        .fetch_one(&mut self.sql)
        .await?;
        ensure!(u64::try_from(done)? == self.rows / 100 * (JOIN + LEAVE + CHANGE), "{done} changes by hand");
        Ok(time)
    }
}

const BY_HAND: &str = "
insert into identifier (kind, value_index, participant_id)
    select 'NATIONAL_ID', value_index, id from joiner order by value_index;
insert into participant (id, channel_id, employer_id, birth_date, sex, status, province_id, full_name, name_key, national_id,
                         phone)
    select j.id, p.channel_id, p.employer_id, p.birth_date, p.sex, p.status, p.province_id, p.full_name, p.name_key,
           p.national_id, p.phone
    from joiner j join participant p on p.id = j.was;
insert into enrollment (participant_id, employer_id, channel_id, monthly_wage, starts_on, segment, status, province_id,
                        programmes, counts_from)
    select j.id, e.employer_id, e.channel_id, e.monthly_wage, e.starts_on, e.segment, e.status, e.province_id, e.programmes,
           e.counts_from
    from joiner j join enrollment e on e.participant_id = j.was;
insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by)
    select j.id, e.id, e.channel_id, e.starts_on, 'ENROLLED', 'by hand'
    from joiner j join enrollment e on e.participant_id = j.id;
update enrollment e set ends_on = '2014-09-21', end_reason = 'RESIGNED', status = 'ENDED', lapses_on = null
    from leaver l where e.participant_id = l.participant_id and e.id = l.id;
update participant p set employer_id = null, status = 'ENDED' from leaver l where p.id = l.participant_id;
insert into participant_event (participant_id, enrollment_id, effective_on, kind, recorded_by)
    select participant_id, id, '2014-09-21', 'ENDED', 'by hand' from leaver;
update enrollment e set wages_from = '{2014-09-01}', wages = '{3000000}'
    from riser r where e.participant_id = r.participant_id and e.id = r.id;
insert into participant_event (participant_id, enrollment_id, effective_on, kind, recorded_by, details)
    select participant_id, id, '2014-09-01', 'WAGE_CHANGED', 'by hand', '{\"reason\": null, \"changes\": []}' from riser;
";
