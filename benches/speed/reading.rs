//! S1 to S5, S8 and S9: queries.

use std::time::Duration;

use domain::page::{Order, Position};
use participant_registry::store::keys::NumberKind;
use serde_json::json;

use crate::client::request;
use crate::load::{Load, Requests, Throughput, cycle};
use crate::process::Meter;
use crate::register::Register;
use crate::report::{Report, Row, Target, ms, rate};
use crate::server::Server;
use crate::{Cli, Part, Plan, pgbench, statements};

/// A page of people; its answer has about 14 kB.
const PAGE: &str = "query Page($province: String!) {
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
        let what = "page of 50, 32 connections";
        let best =
            self.compare((server, load), ("S1", what, 0.8), &cycled, ("page.sql", sets), report).await?;
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
        let what = "one person by number, 32 connections";
        self.compare(target, ("S3", what, 0.85), &cycle(&requests), ("person.sql", sets), report).await?;
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
        let what = "20 employers with 10 people each, 32 connections";
        self.compare(target, ("S4", what, 0.7), &cycle(&twenty), ("employers.sql", sets), report).await?;
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
        (part, what, least): (&'static str, &str, f64),
        requests: &Requests<'_>,
        (script, sets): (&str, i64),
        report: &mut Report,
    ) -> anyhow::Result<Throughput> {
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
                let variables = [("sets", sets), ("n", 0)];
                let rate =
                    pgbench::run(self.register, script, clients, self.plan.measure, &variables).await?;
                if rate > plain.0 {
                    plain = (rate, clients);
                }
            }
        }
        report.add(Row {
            registry: format!("{}{cost}", rate(best)),
            ..self.row(
                part,
                what,
                format!("pgbench -c {}: {:.0}/s", plain.1, plain.0),
                best.rate / plain.0,
                Target::AtLeast(least),
            )
        });
        Ok(best)
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
