//! S1 to S5 and S8 to S11: queries.

use std::time::Duration;

use domain::page::{Order, Position};
use domain::participant::CardNumber;
use participant_registry::store::keys::NumberKind;
use serde_json::json;

use crate::client::{livez, request};
use crate::load::{Load, Requests, Throughput, cycle};
use crate::process::Meter;
use crate::register::Register;
use crate::report::{Report, Row, Target, ms, rate};
use crate::server::Server;
use crate::{Cli, Part, Plan, pgbench, statements};

/// A page of people; its answer has about 14 kB.
pub const PAGE: &str = "query Page($province: String!) {
  participants(first: 50, filterBy: {provinceCode: $province, status: [ACTIVE]}) {
    pageInfo { hasNextPage endCursor }
    nodes { id fullName status registeredAt employer { name province { name } } channel { name provinces { name } } }
  }
}";
const PERSON: &str = "query Person($number: String!) {
  participant(by: {nationalId: $number}) {
    id fullName birthDate status registeredAt province { name }
    employer { name province { name } } channel { name provinces { name } }
  }
}";
const EMPLOYERS: &str = "query Employers($first: Int!, $after: String) {
  employers(first: $first, after: $after) {
    pageInfo { hasNextPage }
    nodes { id name participants(first: 10) { totalCount nodes { id fullName status } } }
  }
}";
const COVERAGE: &str = "{
  coverage {
    counts { total registered active inactive ended }
    byProvince { province { code } counts { total active } }
    bySegment { segment counts { total active } }
  }
}";
const NUMBER: &str = "query Number($number: String!) {
  participant(by: {cardNumber: $number}) { id fullName status }
}";
const NOTHING: &str = "{ viewer { __typename } }";
const PEOPLE_PAGE: &str = "query People($after: String, $field: ParticipantOrderField!) {
  participants(first: $FIRST, after: $after, orderBy: {field: $field}) {
    pageInfo { hasNextPage endCursor }
    nodes { id fullName status }
  }
}";

/// Connections of the load.
const CONNECTIONS: u32 = 32;

/// Measures the selected scenarios.
pub async fn measure(cli: &Cli, register: &Register, report: &mut Report) -> anyhow::Result<()> {
    let reading = Reading { register, plan: cli.plan(), keys: Keys::of(register).await? };
    let pages: Vec<Vec<u8>> = reading
        .keys
        .provinces
        .iter()
        .map(|code| request(&register.token, PAGE, &json!({"province": code})))
        .collect();
    let server = Server::start(register, "warn", &pages[0]).await?;
    let load = Load::to(server.address);
    if cli.includes(&[Part::S1, Part::S2, Part::S9]) {
        reading.pages(cli, (&server, &load), &pages, report).await?;
    }
    if cli.includes(&[Part::S3]) {
        reading.person((&server, &load), report).await?;
    }
    if cli.includes(&[Part::S4]) {
        reading.employers((&server, &load), report).await?;
    }
    if cli.includes(&[Part::S5]) {
        reading.coverage(&load, report).await?;
    }
    if cli.includes(&[Part::S8]) {
        reading.far_page(&load, report).await?;
    }
    if cli.includes(&[Part::S10]) {
        reading.number((&server, &load), report).await?;
    }
    if cli.includes(&[Part::S11]) {
        reading.nothing((&server, &load), report).await?;
    }
    server.stop().await
}

/// The keys that the requests use.
struct Keys {
    provinces: Vec<String>,
    numbers: Vec<String>,
    employer_pages: i64,
    /// Name key and id of the last row of page 9,999 in the order of names.
    by_name: (String, i64),
    /// Rows of a page in S8.
    page_size: u64,
}

impl Keys {
    async fn of(register: &Register) -> anyhow::Result<Self> {
        let mut connection = register.connect().await?;
        let provinces = sqlx::query_scalar(
            "select p.code from bench.page b join province p on p.id = b.province_id order by b.n",
        )
        .fetch_all(&mut connection)
        .await?;
        let sealed: Vec<Vec<u8>> = sqlx::query_scalar("select national_id from bench.person order by n")
            .fetch_all(&mut connection)
            .await?;
        let keys = Register::keys();
        let open =
            |sealed: &Vec<u8>| keys.open(NumberKind::NationalId, sealed).map(|number| number.to_string());
        let employer_pages =
            sqlx::query_scalar("select count(*) from bench.employers").fetch_one(&mut connection).await?;
        // In a small register, ten thousand pages have only a few rows each.
        let page_size = (register.participants / 10_000).clamp(1, 50);
        let by_name =
            sqlx::query_as("select name_key, id from participant order by name_key, id offset $1 limit 1")
                .bind(i64::try_from(page_size * 9_999 - 1)?)
                .fetch_one(&mut connection)
                .await?;
        let numbers = sealed.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { provinces, numbers, employer_pages, by_name, page_size })
    }
}

struct Reading<'a> {
    register: &'a Register,
    plan: Plan,
    keys: Keys,
}

type Served<'a> = (&'a Server, &'a Load);

/// What is compared with pgbench.
#[derive(Clone, Copy)]
struct Question<'a> {
    part: &'static str,
    what: &'a str,
    /// The script of pgbench, and its variables.
    script: &'a str,
    variables: &'a [(&'a str, i64)],
    /// The least part of pgbench's rate, with many connections.
    least: f64,
    /// The most of pgbench's latency, with one connection.
    most: f64,
}

impl Reading<'_> {
    async fn pages(
        &self,
        cli: &Cli,
        (server, load): Served<'_>,
        pages: &[Vec<u8>],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let cycled = cycle(pages);
        if cli.includes(&[Part::S2]) {
            let one = load.measure(self.plan, 1, &cycled).await?;
            report.add_page(1, self.register.participants, one.p50);
        }
        let sets = i64::try_from(self.keys.provinces.len())?;
        let page = Question {
            part: "S1",
            what: "page of 50",
            script: "page.sql",
            variables: &[("sets", sets), ("n", 0)],
            least: 0.8,
            most: 1.7,
        };
        let best = self.compare((server, load), page, &cycled, report).await?;
        report.add_page(CONNECTIONS, self.register.participants, best.p50);
        if cli.includes(&[Part::S9]) {
            self.memory(server, report);
        }
        if cli.includes(&[Part::S1]) {
            let [alone, busy] = statements::of_a_request(self.register, pages).await?;
            report.add(Row {
                registry: format!("{alone:.2} with 1 connection, {busy:.2} with {CONNECTIONS}"),
                ..self.row(
                    "S1",
                    "statements of a page",
                    "page, employers".into(),
                    alone.max(busy),
                    Target::AtMost(2.0),
                )
            });
        }
        Ok(())
    }

    async fn person(&self, target: Served<'_>, report: &mut Report) -> anyhow::Result<()> {
        let lookup = |number: &String| request(&self.register.token, PERSON, &json!({"number": number}));
        let requests: Vec<Vec<u8>> = self.keys.numbers.iter().map(lookup).collect();
        let sets = i64::try_from(requests.len())?;
        let person = Question {
            part: "S3",
            what: "one person by number",
            script: "person.sql",
            variables: &[("sets", sets), ("n", 0)],
            least: 0.85,
            most: 3.0,
        };
        self.compare(target, person, &cycle(&requests), report).await?;
        Ok(())
    }

    async fn number(&self, target: Served<'_>, report: &mut Report) -> anyhow::Result<()> {
        // The ids of the demonstration's people count from 1.
        let people = i64::try_from(self.register.participants)?;
        let ids = (1..=people).step_by(usize::try_from(people / 2_000 + 1)?);
        let lookup = |id| {
            let number = CardNumber::from_key(id).to_string();
            request(&self.register.token, NUMBER, &json!({"number": number}))
        };
        let requests: Vec<Vec<u8>> = ids.map(lookup).collect();
        let number = Question {
            part: "S10",
            what: "one person by card number, no relation",
            script: "number.sql",
            variables: &[("people", people)],
            least: 0.55,
            most: 6.0,
        };
        self.compare(target, number, &cycle(&requests), report).await?;
        Ok(())
    }

    /// Measures what every request costs: a query that reads nothing beside an answer of the HTTP server alone.
    async fn nothing(&self, (server, load): Served<'_>, report: &mut Report) -> anyhow::Result<()> {
        let (query, alive) = ([request(&self.register.token, NOTHING, &json!({}))], [livez()]);
        let (mut best, mut cost) = (Throughput::default(), String::new());
        let mut plain = Throughput::default();
        for _ in 0..self.plan.rounds {
            load.send_for(self.plan.warm_up, CONNECTIONS, &cycle(&query)).await?;
            let meter = Meter::start(server.process(), self.register.postmaster);
            let throughput = load.send_for(self.plan.measure, CONNECTIONS, &cycle(&query)).await?;
            if throughput.rate > best.rate {
                (best, cost) = (throughput, meter.read(throughput.answers));
            }
            let throughput = load.send_for(self.plan.measure, CONNECTIONS, &cycle(&alive)).await?;
            if throughput.rate > plain.rate {
                plain = throughput;
            }
        }
        report.add(Row {
            registry: format!("{}{cost}", rate(best)),
            ..self.row(
                "S11",
                "a query without data, 32 connections",
                format!("/livez: {}", rate(plain)),
                best.rate / plain.rate,
                Target::AtLeast(0.5),
            )
        });
        Ok(())
    }

    async fn employers(&self, target: Served<'_>, report: &mut Report) -> anyhow::Result<()> {
        let page = |first: i64, page: i64| {
            let after = (page > 0).then(|| Position::of_id(page * 20).cursor(Order::Id));
            request(&self.register.token, EMPLOYERS, &json!({"first": first, "after": after}))
        };
        let pages = |first: i64| (0..self.keys.employer_pages).map(|at| page(first, at)).collect::<Vec<_>>();
        let (one, twenty) = (pages(1), pages(20));
        let sets = self.keys.employer_pages;
        let employers = Question {
            part: "S4",
            what: "20 employers with 10 people each",
            script: "employers.sql",
            variables: &[("sets", sets), ("n", 0)],
            least: 0.7,
            most: 1.9,
        };
        self.compare(target, employers, &cycle(&twenty), report).await?;
        let [of_one, _] = statements::of_a_request(self.register, &one).await?;
        let [of_twenty, busy] = statements::of_a_request(self.register, &twenty).await?;
        report.add(Row {
            registry: format!("{of_twenty:.2}, under load {busy:.2}"),
            ..self.row(
                "S4",
                "statements of 20 employers",
                format!("{of_one:.2} of 1 employer"),
                of_twenty.max(busy) - of_one,
                Target::AtMost(0.0),
            )
        });
        Ok(())
    }

    async fn coverage(&self, load: &Load, report: &mut Report) -> anyhow::Result<()> {
        let requests = [request(&self.register.token, COVERAGE, &json!({}))];
        let throughput = load.measure(self.plan, 1, &cycle(&requests)).await?;
        report.add(Row {
            registry: format!("p50 {}", ms(throughput.p50)),
            ..self.row(
                "S5",
                "coverage of the country by province and segment, 1 connection",
                "maximum, in ms".into(),
                throughput.p50.as_secs_f64() * 1_000.0,
                Target::AtMost(10.0),
            )
        });
        Ok(())
    }

    async fn far_page(&self, load: &Load, report: &mut Report) -> anyhow::Result<()> {
        let size = self.keys.page_size;
        let query = PEOPLE_PAGE.replace("$FIRST", &size.to_string());
        let (name, id) = self.keys.by_name.clone();
        // The ids of the demonstration's people count from 1.
        let by_id = Position::of_id(i64::try_from(size * 9_999)?).cursor(Order::Id);
        let by_name = Position { key: name, id }.cursor(Order::Name);
        for (field, cursor) in [("REGISTERED_AT", by_id), ("FULL_NAME", by_name)] {
            let page = |after: Option<&str>| {
                [request(&self.register.token, &query, &json!({"after": after, "field": field}))]
            };
            let (first, far) = (page(None), page(Some(&cursor)));
            let mut times = [Duration::MAX; 2];
            for _ in 0..self.plan.rounds {
                for (time, requests) in times.iter_mut().zip([&first, &far]) {
                    *time = load.measure(self.plan, 1, &cycle(requests)).await?.p50.min(*time);
                }
            }
            let ratio = times[1].as_secs_f64() / times[0].as_secs_f64();
            report.add(Row {
                registry: format!("p50 {}", ms(times[1])),
                ..self.row(
                    "S8",
                    &format!("page 10,000 by {field}, {size} rows a page"),
                    format!("page 1: p50 {}", ms(times[0])),
                    ratio,
                    Target::AtMost(1.5),
                )
            });
        }
        Ok(())
    }

    fn memory(&self, server: &Server, report: &mut Report) {
        if let Some(bytes) = server.process().peak_memory() {
            let megabytes = bytes as f64 / 1e6;
            report.add(Row {
                registry: format!("{megabytes:.0} MB"),
                ..self.row(
                    "S9",
                    "memory of the registry under this load",
                    "maximum, in MB".into(),
                    megabytes,
                    Target::AtMost(100.0),
                )
            });
        }
        let milliseconds = server.first_answer.as_secs_f64() * 1_000.0;
        report.add(Row {
            registry: ms(server.first_answer),
            ..self.row("S9", "start to first answer", "in ms".into(), milliseconds, Target::AtMost(200.0))
        });
    }

    /// Alternates between the registry and pgbench, and reports the best round of each.
    async fn compare(
        &self,
        (server, load): Served<'_>,
        question: Question<'_>,
        requests: &Requests<'_>,
        report: &mut Report,
    ) -> anyhow::Result<Throughput> {
        let Question { part, what, script, variables, least, .. } = question;
        let (mut best, mut cost) = (Throughput::default(), String::new());
        let mut plain = (0.0, 0);
        for _ in 0..self.plan.rounds {
            load.send_for(self.plan.warm_up, CONNECTIONS, requests).await?;
            let meter = Meter::start(server.process(), self.register.postmaster);
            let throughput = load.send_for(self.plan.measure, CONNECTIONS, requests).await?;
            if throughput.rate > best.rate {
                (best, cost) = (throughput, meter.read(throughput.answers));
            }
            // PostgreSQL is usually faster with few clients, so the better of the two counts.
            for clients in [8, CONNECTIONS] {
                let rate = pgbench::run(self.register, script, clients, self.plan.measure, variables).await?;
                if rate > plain.0 {
                    plain = (rate, clients);
                }
            }
        }
        report.add(Row {
            registry: format!("{}{cost}", rate(best)),
            ..self.row(
                part,
                &format!("{what}, {CONNECTIONS} connections"),
                format!("pgbench -c {}: {:.0}/s", plain.1, plain.0),
                best.rate / plain.0,
                Target::AtLeast(least),
            )
        });
        self.alone(load, question, requests, report).await?;
        Ok(best)
    }

    /// Compares the median latency of one connection with that of pgbench.
    async fn alone(
        &self,
        load: &Load,
        question: Question<'_>,
        requests: &Requests<'_>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Question { part, what, script, variables, most, .. } = question;
        let (mut p50, mut rate) = (Duration::MAX, 0.0_f64);
        for _ in 0..self.plan.rounds {
            p50 = load.measure(self.plan, 1, requests).await?.p50.min(p50);
            rate = pgbench::run(self.register, script, 1, self.plan.measure, variables).await?.max(rate);
        }
        let plain = Duration::from_secs_f64(1.0 / rate);
        report.add(Row {
            registry: format!("p50 {}", ms(p50)),
            ..self.row(
                part,
                &format!("{what}, 1 connection"),
                format!("pgbench -c 1: {}", ms(plain)),
                p50.as_secs_f64() / plain.as_secs_f64(),
                Target::AtMost(most),
            )
        });
        Ok(())
    }

    fn row(&self, part: &'static str, what: &str, compared_with: String, value: f64, target: Target) -> Row {
        let participants = self.register.participants;
        Row {
            part,
            participants,
            what: what.to_owned(),
            registry: String::new(),
            compared_with,
            value,
            target,
        }
    }
}
