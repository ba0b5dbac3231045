//! S6 and S7: enrollments and onboarding, in a copy of the register.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures_util::TryStreamExt as _;
use participant_registry::demo::BRANCH;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::client::{Client, request};
use crate::load::{Load, Throughput};
use crate::process::Meter;
use crate::register::Register;
use crate::report::{Report, Row, Target, rate};
use crate::server::Server;
use crate::{Cli, Part, files, people, pgbench};

const ENROLL: &str = "mutation Enroll($input: EnrollParticipantInput!) {
  enrollParticipant(input: $input) {
    participant { id cardNumber status }
    enrollment { id status }
    errors { code severity path }
  }
}";
/// The mutation of the playground, which selects the outcome of each rejected row.
const ONBOARD: &str = include_str!("../../demo/onboard.graphql");

/// The first number for people in rosters. Lower ones are for single enrollments.
const FIRST_OF_ROSTERS: u64 = 5_000_000;
/// Rows of the demonstration's roster.
const ROSTER_ROWS: u64 = 8_000;
const START: &str = "mutation Start($input: StartOnboardingInput!) {
  startOnboarding(input: $input) { batch { uploadUrl } errors { code path message } }
}";
/// How many large requests are sent.
const REQUESTS: u64 = 20;

/// Measures the selected scenarios.
pub async fn measure(cli: &Cli, register: &Register, report: &mut Report) -> anyhow::Result<()> {
    let viewer = request(&register.token, "{ viewer { name } }", &json!({}));
    let server = Server::start(register, "warn", &viewer).await?;
    if cli.includes(&[Part::S6]) {
        enroll(cli, register, &server, report).await?;
    }
    if cli.includes(&[Part::S7]) {
        onboard(cli, register, &server, report).await?;
        files::measure(cli, register, &server, report).await?;
    }
    server.stop().await
}

async fn enroll(cli: &Cli, register: &Register, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let mut connection = register.connect().await?;
    let (channel, employers): (i64, i64) =
        sqlx::query_as("select (select id from channel where code = $1), (select count(*) from employer)")
            .bind(BRANCH)
            .fetch_one(&mut connection)
            .await?;
    let enrollment = |number| Cow::Owned(request(&register.token, ENROLL, &people::form(number, employers)));
    let mut client = Client::connect(server.address).await?;
    let load = Load::to(server.address);
    // The load checks only that no request fails, so this checks that one enrolls a person.
    let first = client.data(&request(&register.token, ENROLL, &people::form(4_999_999, employers))).await?;
    ensure!(first["enrollParticipant"]["participant"].is_object(), "enrollParticipant failed: {first}");
    for connections in [8, 32] {
        let (mut best, mut cost, mut plain) = (Throughput::default(), String::new(), 0.0);
        for _ in 0..cli.rounds {
            load.send_for(cli.plan().warm_up, connections, &enrollment).await?;
            let meter = Meter::start(server.process(), register.postmaster);
            let throughput = load.send_for(cli.plan().measure, connections, &enrollment).await?;
            if throughput.rate > best.rate {
                (best, cost) = (throughput, meter.read(throughput.answers));
            }
            let variables = [("channel", channel), ("employers", employers)];
            let rate =
                pgbench::run(register, "enroll.sql", connections, cli.plan().measure, &variables).await?;
            plain = rate.max(plain);
        }
        report.add(Row {
            part: "S6",
            participants: register.participants,
            what: format!("enrollParticipant, {connections} connections"),
            registry: format!("{}{cost}", rate(best)),
            compared_with: format!("pgbench -c {connections}: {plain:.0}/s"),
            value: best.rate / plain,
            target: Target::AtLeast(0.7),
        });
    }
    Ok(())
}

async fn onboard(cli: &Cli, register: &Register, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let mut onboarding = Onboarding::new(register, server, FIRST_OF_ROSTERS).await?;
    onboarding.request(500).await?;
    let mut best = [Duration::MAX; 2];
    for _ in 0..cli.rounds + 1 {
        for (best, time) in best.iter_mut().zip(onboarding.request(ROSTER_ROWS).await?) {
            *best = time.min(*best);
        }
    }
    let per_second = |rows: u64, time: Duration| format!("{:.0} rows/s", rows as f64 / time.as_secs_f64());
    let seconds = best.map(|time| time.as_secs_f64());
    report.add(Row {
        part: "S7",
        participants: register.participants,
        what: "8,000 civil servants in one request".to_owned(),
        registry: format!("{:.2} s, {}", seconds[0], per_second(ROSTER_ROWS, best[0])),
        compared_with: format!("COPY: {:.2} s; in s", seconds[1]),
        value: seconds[0],
        target: Target::AtMost(1.0),
    });
    let mut sum = [Duration::ZERO; 2];
    for _ in 0..REQUESTS {
        for (sum, time) in sum.iter_mut().zip(onboarding.request(cli.request_rows).await?) {
            *sum += time;
        }
    }
    let rows = cli.request_rows * REQUESTS;
    report.add(Row {
        part: "S7",
        participants: register.participants,
        what: format!("{rows} in {REQUESTS} requests"),
        registry: per_second(rows, sum[0]),
        compared_with: format!("COPY: {}", per_second(rows, sum[1])),
        value: sum[1].as_secs_f64() / sum[0].as_secs_f64(),
        target: Target::AtLeast(0.7),
    });
    Ok(())
}

/// Onboards people through the registry, and copies the same rows with `COPY`.
pub struct Onboarding<'a> {
    register: &'a Register,
    address: SocketAddr,
    client: Client,
    copy: PgConnection,
    next: u64,
}

impl<'a> Onboarding<'a> {
    /// Connects to both. `first` is the number of the first person.
    pub async fn new(register: &'a Register, server: &Server, first: u64) -> anyhow::Result<Self> {
        let (client, copy) = (Client::connect(server.address).await?, register.connect().await?);
        Ok(Self { register, address: server.address, client, copy, next: first })
    }

    /// Onboards new people in one request. Then copies the rows that this wrote into the same tables, as other people.
    /// Returns the time of each, up to the commit.
    async fn request(&mut self, rows: u64) -> anyhow::Result<[Duration; 2]> {
        let numbers = self.next..self.next + rows;
        self.next = numbers.end;
        let batches = "select coalesce(max(id), 0) from onboarding_batch";
        let before: i64 = sqlx::query_scalar(batches).fetch_one(&mut self.copy).await?;
        let request = request(&self.register.token, ONBOARD, &people::roster(numbers));
        let began = Instant::now();
        let answer = self.client.data(&request).await?;
        let onboarded = began.elapsed();
        let counts = &answer["onboardCivilServants"]["batch"]["counts"];
        ensure!(counts["enrolled"] == rows, "not all rows are enrolled: {answer}");
        let batch: i64 = sqlx::query_scalar(batches).fetch_one(&mut self.copy).await?;
        ensure!(batch == before + 1, "a request made {} batches", batch - before);
        Ok([onboarded, self.copy_again(batch).await?])
    }

    /// Writes a roster of new people.
    pub fn roster(&mut self, rows: u64) -> String {
        let numbers = self.next..self.next + rows;
        self.next = numbers.end;
        people::file(numbers)
    }

    /// Onboards the people of a roster with this number of rows. Returns the batch, and the times of receiving and applying.
    pub async fn file(&mut self, roster: &str, rows: u64) -> anyhow::Result<(i64, [Duration; 2])> {
        // The registry has closed a connection that was silent while rows were copied.
        self.client = Client::connect(self.address).await?;
        let start = request(&self.register.token, START, &people::start());
        let answer = self.client.data(&start).await?;
        let url = answer["startOnboarding"]["batch"]["uploadUrl"].as_str();
        let url = url.with_context(|| format!("startOnboarding failed: {answer}"))?.to_owned();
        let began = Instant::now();
        self.client.put(&self.register.token, &url, roster.as_bytes()).await?;
        let received = began.elapsed();
        let batch: i64 =
            sqlx::query_scalar("select max(id) from onboarding_batch").fetch_one(&mut self.copy).await?;
        loop {
            let (state, enrolled): (String, i32) =
                sqlx::query_as("select state::text, enrolled from onboarding_batch where id = $1")
                    .bind(batch)
                    .fetch_one(&mut self.copy)
                    .await?;
            match state.as_str() {
                "APPLYING" => tokio::time::sleep(Duration::from_millis(20)).await,
                "COMPLETED" if u64::try_from(enrolled)? == rows => break,
                _ => bail!("the file ended as {state} with {enrolled} enrolled"),
            }
        }
        let applied = began.elapsed() - received;
        Ok((batch, [received, applied]))
    }

    /// Copies the rows of a batch into the same tables, as other people.
    pub async fn copy_again(&mut self, batch: i64) -> anyhow::Result<Duration> {
        let tables = ShiftedRows::of(&mut self.copy, batch).await?.read(&mut self.copy).await?;
        let began = Instant::now();
        let mut transaction = self.copy.begin().await?;
        for (table, rows) in &tables {
            let mut copy = transaction.copy_in_raw(&format!("copy {table} from stdin")).await?;
            for piece in rows.chunks(256 * 1024) {
                copy.send(piece).await?;
            }
            copy.finish().await?;
        }
        transaction.commit().await?;
        Ok(began.elapsed())
    }
}

/// The rows of a batch with new ids: how much to add to the ids of people, enrollments and events.
struct ShiftedRows {
    batch: i64,
    people: (Range<i64>, i64),
    enrollments: i64,
    events: i64,
}

impl ShiftedRows {
    /// Reserves new ids in the sequences.
    async fn of(connection: &mut PgConnection, batch: i64) -> anyhow::Result<Self> {
        let (first, end): (i64, i64) = sqlx::query_as(
            "select min(participant_id), max(participant_id) + 1 from onboarding_row where batch_id = $1",
        )
        .bind(batch)
        .fetch_one(&mut *connection)
        .await?;
        let mut shifts = [0; 3];
        let sequences = ["participant_id_seq", "enrollment_id_seq", "participant_event_id_seq"];
        for (shift, sequence) in shifts.iter_mut().zip(sequences) {
            // The rows of the batch have the highest ids, because nothing else writes meanwhile.
            *shift = end - first;
            let take = format!("select setval('{sequence}', last_value + $1) from {sequence}");
            sqlx::query(AssertSqlSafe(take)).bind(*shift).execute(&mut *connection).await?;
        }
        sqlx::query("select setval('onboarding_batch_id_seq', last_value + 1) from onboarding_batch_id_seq")
            .execute(connection)
            .await?;
        let [people, enrollments, events] = shifts;
        Ok(Self { batch, people: (first..end, people), enrollments, events })
    }

    /// Reads the rows of each table, with the columns to write: all that the table has, those of `changed` with other values.
    async fn read(&self, connection: &mut PgConnection) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let Self { batch, people: (people, shift), enrollments, events } = self;
        let of_people = |column: &str| format!("{column} between {} and {}", people.start, people.end - 1);
        let of_person = ("participant_id", format!("participant_id + {shift}"));
        let of_enrollment = format!("enrollment_id + {enrollments}");
        let next_batch = |column| (column, format!("{column} + 1"));
        let sources = [
            ("onboarding_batch", format!("id = {batch}"), "id", vec![next_batch("id")]),
            (
                "identifier",
                of_people("participant_id"),
                "kind, 2",
                vec![("value_index", "uuid_send(gen_random_uuid())".to_owned()), of_person.clone()],
            ),
            ("participant", of_people("id"), "id", vec![("id", format!("id + {shift}"))]),
            (
                "enrollment",
                of_people("participant_id"),
                "participant_id",
                vec![
                    of_person.clone(),
                    ("id", format!("id + {enrollments}")),
                    next_batch("onboarding_batch_id"),
                ],
            ),
            (
                "participant_event",
                of_people("participant_id"),
                "participant_id",
                vec![of_person.clone(), ("id", format!("id + {events}")), ("enrollment_id", of_enrollment)],
            ),
            (
                "onboarding_row",
                format!("batch_id = {batch}"),
                "number",
                vec![next_batch("batch_id"), of_person],
            ),
        ];
        let mut tables = Vec::new();
        for (table, condition, order, changed) in sources {
            let columns = columns_of(connection, table).await?;
            let value = |column: &String| {
                let other = changed.iter().find(|(name, _)| name == column);
                other.map_or_else(|| column.clone(), |(_, value)| value.clone())
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            let query =
                format!("select {} from {table} where {condition} order by {order}", values.join(", "));
            let mut rows = Vec::new();
            let mut out = connection.copy_out_raw(&format!("copy ({query}) to stdout")).await?;
            while let Some(piece) = out.try_next().await? {
                rows.extend_from_slice(&piece);
            }
            drop(out);
            tables.push((format!("{table} ({})", columns.join(", ")), rows));
        }
        Ok(tables)
    }
}

/// Returns the columns of a table that can be written.
async fn columns_of(connection: &mut PgConnection, table: &str) -> anyhow::Result<Vec<String>> {
    let columns = "select attname::text from pg_attribute
                   where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
                   order by attnum";
    Ok(sqlx::query_scalar(columns).bind(table).fetch_all(connection).await?)
}
