//! People as of a past day: the same fields, the same number of statements, and the same figures as the coverage of that day.

use std::collections::BTreeMap;

use domain::actor::Role;
use participant_registry::actions::lapse::lapse;

use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

/// The end of the year in which the histories of these tests happen.
const NEW_YEARS_EVE: &str = "2014-12-31T03:00:00Z";

/// Runs a mutation with one input as administrator, and returns its payload.
async fn run(app: &App, mutation: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!(
        "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code path severity message }} }} }}"
    );
    app.ask(&query, json!({"input": input})).await[mutation].take()
}

/// Runs a mutation that must succeed.
async fn done(app: &App, mutation: &str, input: Value) {
    let payload = run(app, mutation, input.clone()).await;
    assert_eq!(payload["errors"], json!([]), "{mutation} {input}");
}

const PERSON: &str = "query ($id: ID!, $day: Date) { participant(by: {id: $id}, asOf: $day) { status province { code }
    employer { name } enrollments { totalCount nodes { status startsOn endsOn endReason paidThrough monthlyWage
        employer { name } participant { status } } } events { totalCount nodes { kind } } } }";

/// Returns a person as of a day, to an administrator who reads personal data.
async fn person_on(app: &App, id: &str, day: Value) -> Value {
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of past days", &reader, PERSON, json!({"id": id, "day": day})).await;
    assert_eq!(reply.body.get("errors"), None);
    reply.body["data"]["participant"].clone()
}

#[tokio::test]
async fn a_person_is_shown_as_on_that_day() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let person = Person::new("BR-PLG")
        .at(&musi)
        .with("startsOn", json!("2014-03-10"))
        .with("monthlyWage", json!(3_000_000))
        .with("firstContributionPaid", json!(true));
    let (id, enrollment) = app.enrollment(&person).await;
    let wage = |wage: i64, on: &str| json!({"enrollmentId": enrollment, "monthlyWage": wage, "effectiveOn": on, "reason": "Payroll"});
    done(&app, "changeWage", wage(3_300_000, "2014-05-01")).await;
    done(&app, "moveParticipant", json!({"participantId": id, "provinceCode": "31", "on": "2014-06-15"}))
        .await;
    let transfer = json!({"enrollmentId": enrollment, "employerId": ogan, "channelCode": "BR-PLG", "on": "2014-07-01",
        "monthlyWage": 4_000_000});
    done(&app, "transferEnrollment", transfer).await;
    let shown = async |day: &str| {
        let person = person_on(&app, &id, json!(day)).await;
        let enrollments = person["enrollments"]["nodes"].as_array().unwrap().iter().map(|enrollment| {
            assert_eq!(
                enrollment["participant"]["status"], person["status"],
                "an enrollment leads back to that day"
            );
            let end = enrollment["endsOn"].as_str().unwrap_or("open");
            format!(
                "{} {} {} {}",
                enrollment["employer"]["name"], enrollment["status"], end, enrollment["monthlyWage"]
            )
        });
        let enrollments: Vec<String> = enrollments.map(|text| text.replace('"', "")).collect();
        assert_eq!(person["enrollments"]["totalCount"], enrollments.len());
        let head =
            format!("{} {} {}", person["status"], person["province"]["code"], person["employer"]["name"]);
        (head.replace('"', ""), enrollments.join("; "), person["events"]["totalCount"].as_i64().unwrap())
    };
    assert_eq!(person_on(&app, &id, json!("2014-03-09")).await, Value::Null);
    let expected = |head: &str, enrollments: &str, events| (head.to_owned(), enrollments.to_owned(), events);
    assert_eq!(shown("2014-03-10").await, expected("ACTIVE 16 PT Musi", "PT Musi ACTIVE open 3000000", 1));
    assert_eq!(shown("2014-05-01").await, expected("ACTIVE 16 PT Musi", "PT Musi ACTIVE open 3300000", 2));
    assert_eq!(shown("2014-06-15").await, expected("ACTIVE 31 PT Musi", "PT Musi ACTIVE open 3300000", 3));
    let both = "PT Ogan REGISTERED open 4000000; PT Musi ENDED 2014-07-01 3300000";
    assert_eq!(shown("2014-07-01").await, expected("REGISTERED 31 PT Ogan", both, 6));
    // An event leads to its enrollment as of that day.
    let events = "query ($id: ID!) { participant(by: {id: $id}, asOf: \"2014-06-15\") {
        events { nodes { kind enrollment { status } } } } }";
    let events = app.ask(events, json!({"id": id})).await["participant"]["events"]["nodes"].take();
    let active = |kind: &str| json!({"kind": kind, "enrollment": {"status": "ACTIVE"}});
    let moved = json!({"kind": "MOVED", "enrollment": null});
    assert_eq!(events, json!([moved, active("WAGE_CHANGED"), active("ENROLLED")]));
    // Today is a day like any other, and equal to now.
    let (today, now) =
        (person_on(&app, &id, json!("2014-12-31")).await, person_on(&app, &id, Value::Null).await);
    assert_eq!(today, now);
    let filtered = "query ($id: ID!) { participant(by: {id: $id}, asOf: \"2014-07-01\") {
        ended: enrollments(filterBy: {status: [ENDED]}) { totalCount nodes { employer { name } } }
        page: enrollments(first: 1) { nodes { employer { name } } pageInfo { hasNextPage endCursor } } } }";
    let data = app.ask(filtered, json!({"id": id})).await["participant"].take();
    assert_eq!(data["ended"], json!({"totalCount": 1, "nodes": [{"employer": {"name": "PT Musi"}}]}));
    assert_eq!(data["page"]["pageInfo"]["hasNextPage"], true);
    let next = "query ($id: ID!, $after: String) { participant(by: {id: $id}, asOf: \"2014-07-01\") {
        enrollments(first: 1, after: $after) { nodes { employer { name } } pageInfo { hasNextPage } } } }";
    let next = app.ask(next, json!({"id": id, "after": data["page"]["pageInfo"]["endCursor"]})).await;
    assert_eq!(
        next["participant"]["enrollments"],
        json!({"nodes": [{"employer": {"name": "PT Musi"}}], "pageInfo": {"hasNextPage": false}})
    );
}

#[tokio::test]
async fn a_past_day_costs_no_more_statements_than_now() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let (id, _) =
        app.enrollment(&Person::new("BR-PLG").at(&employer).with("startsOn", json!("2014-03-10"))).await;
    let token = app.administrator().await;
    for fields in [
        "status",
        "province { name } channel { name }",
        "status employer { name } association { name }",
        "enrollments { totalCount nodes { status employer { name } } }",
        "events { nodes { kind enrollment { status } } }",
    ] {
        let query = format!(
            "query ($id: ID!, $day: Date) {{ participant(by: {{id: $id}}, asOf: $day) {{ {fields} }} }}"
        );
        let count =
            async |day: Value| sent(app.ask_as(&token, &query, json!({"id": id, "day": day}))).await.1.len();
        let (now, past) = (count(Value::Null).await, count(json!("2014-06-01")).await);
        assert!(past <= now, "{fields}: {past} statements, {now} of now");
    }
}

#[tokio::test]
async fn a_past_day_is_refused_or_withheld_like_now() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let person = Person::new("BR-PLG").at(&musi).with("startsOn", json!("2014-03-10"));
    let (id, enrollment) = app.enrollment(&person).await;
    app.enrollment(&person.clone().at(&ogan).with("startsOn", json!("2014-04-01"))).await;
    done(
        &app,
        "endEnrollment",
        json!({"enrollmentId": enrollment, "on": "2014-10-01", "reason": "DECEASED"}),
    )
    .await;
    let token = app.administrator().await;
    for day in ["2015-01-01", "New Year"] {
        assert_eq!(app.refused(&token, PERSON, json!({"id": id, "day": day})).await, "BAD_FILTER");
    }
    // A partner sees its own enrollment on any day, and learns of the death by its end.
    let partner = app.partner(&musi).await;
    let seen = async |token: &str, day: &str| {
        app.ask_as(token, PERSON, json!({"id": id, "day": day})).await["participant"].take()
    };
    let before = seen(&partner, "2014-09-30").await;
    assert_eq!((&before["status"], &before["enrollments"]["totalCount"]), (&json!("REGISTERED"), &json!(1)));
    assert_eq!(before["enrollments"]["nodes"][0]["monthlyWage"], Value::Null);
    assert_eq!(seen(&partner, "2014-10-01").await["status"], "ENDED");
    assert_eq!(seen(&token, "2014-10-01").await["status"], "DECEASED");
    assert_eq!(seen(&app.officer(&["15"]).await, "2014-09-30").await, Value::Null);
    // A number of somebody who was not registered yet is no miss; one of nobody is.
    let officer = app.officer(&["16"]).await;
    let by_number =
        "query ($number: String!) { participant(by: {nationalId: $number}, asOf: \"2014-03-09\") { id } }";
    for (number, misses) in [(person.0["nationalId"].clone(), 0), (json!("1671014208850099"), 1)] {
        let found = app.ask_as(&officer, by_number, json!({"number": number})).await;
        assert_eq!(found["participant"], Value::Null);
        assert_eq!(app.count("select coalesce(sum(misses), 0)::bigint from lookup_miss").await, misses);
    }
    let trail =
        "select count(*) from audit_entry where operation = 'participant' and cardinality(subjects) = 1";
    assert!(app.count(trail).await >= 4, "whoever is shown as of a day is on record");
}

/// A small generator of the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }

    /// Returns a day of 2014.
    fn day(&mut self) -> String {
        format!("2014-{:02}-{:02}", 1 + self.roll(12), 1 + self.roll(28))
    }
}

/// Adds one random change to a person. One that is refused changes nothing.
async fn change(
    app: &App,
    dice: &mut Dice,
    (id, enrollments): (&str, &mut Vec<String>),
    employers: &[String],
) {
    let enrollment = enrollments[usize::try_from(dice.roll(enrollments.len() as u64)).unwrap()].clone();
    let day = dice.day();
    match dice.roll(9) {
        0..=2 => {
            let month = format!("{}01", &day[..8]);
            run(app, "recordContributions", json!({"month": month, "enrollmentIds": [enrollment]})).await;
        }
        3 | 4 => {
            let province = dice.pick(&["16", "15", "31"]);
            run(app, "moveParticipant", json!({"participantId": id, "provinceCode": province, "on": day}))
                .await;
        }
        5 => {
            let reason = dice.pick(&["RESIGNED", "DISMISSED", "RETIRED", "DECEASED"]);
            run(app, "endEnrollment", json!({"enrollmentId": enrollment, "on": day, "reason": reason})).await;
        }
        6 => {
            let province = dice.pick(&["16", "15", "31"]);
            app.correct(id, json!({"provinceCode": province})).await;
        }
        7 => {
            let employer = &employers[usize::try_from(dice.roll(2)).unwrap()];
            let transfer = json!({"enrollmentId": enrollment, "employerId": employer, "channelCode": "BR-PLG", "on": day});
            run(app, "transferEnrollment", transfer).await;
        }
        _ => {
            let wage = 2_000_000 + dice.roll(50) * 100_000;
            let input = json!({"enrollmentId": enrollment, "monthlyWage": wage, "effectiveOn": day, "reason": "Payroll"});
            run(app, "changeWage", input).await;
        }
    }
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } } } }";
    let nodes = app.ask(query, json!({"id": id})).await["participant"]["enrollments"]["nodes"].take();
    *enrollments =
        nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
}

#[tokio::test]
async fn people_and_coverage_of_a_day_agree_for_random_histories() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let employers = [app.employer("PT Musi").await, app.employer("PT Ogan").await];
    let mut dice = Dice(2014);
    let mut people = Vec::new();
    for n in 0..16 {
        let person = Person::new("BR-PLG")
            .with("startsOn", json!(dice.day()))
            .with("provinceCode", json!(dice.pick(&["16", "15"])));
        let person = if n % 3 == 0 { person } else { person.at(&employers[n % 2]) };
        let (id, enrollment) = app.enrollment(&person.with("firstContributionPaid", json!(n % 2 == 0))).await;
        let mut enrollments = vec![enrollment];
        for _ in 0..dice.roll(10) {
            change(&app, &mut dice, (&id, &mut enrollments), &employers).await;
        }
        people.push(id);
    }
    lapse(&app.database, app.today).await.unwrap();
    assert_eq!(app.differing_counters().await, 0);
    let person = "query ($id: ID!, $day: Date!) { participant(by: {id: $id}, asOf: $day) { status province { code } } }";
    let coverage = "query ($day: Date!) { coverage(filterBy: {asOf: $day}) { byProvince { province { code }
        counts { registered active inactive ended } } } }";
    for round in 0..12 {
        let day = if round == 0 { "2014-12-31".to_owned() } else { dice.day() };
        let mut counted: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for id in &people {
            let person = app.ask(person, json!({"id": id, "day": day})).await["participant"].take();
            if person.is_null() {
                continue;
            }
            let status = person["status"].as_str().unwrap().to_lowercase().replace("deceased", "ended");
            let of_province =
                counted.entry(person["province"]["code"].as_str().unwrap().to_owned()).or_default();
            *of_province.entry(status).or_default() += 1;
        }
        let answer = app.ask(coverage, json!({"day": day})).await["coverage"]["byProvince"].take();
        for province in answer.as_array().unwrap() {
            let of_province =
                counted.remove(province["province"]["code"].as_str().unwrap()).unwrap_or_default();
            for status in ["registered", "active", "inactive", "ended"] {
                let people = of_province.get(status).copied().unwrap_or_default();
                assert_eq!(
                    province["counts"][status], people,
                    "{day}, {status} in {}",
                    province["province"]["code"]
                );
            }
        }
        assert_eq!(counted, BTreeMap::new(), "{day}: provinces without figures");
    }
    let kinds = "select count(distinct kind) from participant_event";
    assert!(app.count(kinds).await >= 8, "the histories have events of most kinds");
}

/// Says that everything that was recorded until now was recorded around noon of a day.
async fn recorded_on(app: &App, day: &str) {
    for table in ["participant_event", "enrollment"] {
        // What was recorded in one transaction stays so. Citus sends no function of a column that depends on the time zone of
        // the session.
        let sql = format!(
            "update {table}
             set recorded_at = (recorded_at at time zone 'UTC' - (now() - timestamptz '{day}T05:00:00Z')) at time zone 'UTC'
             where recorded_at > '2020-01-01'"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&app.sql).await.unwrap();
    }
}

const KNOWN: &str = "query ($id: ID!, $day: Date, $known: Date) { participant(by: {id: $id}, asOf: $day, knownOn: $known) {
    status fullName birthYear nationalId province { code } employer { name } enrollments { nodes { status endsOn
        paidThrough monthlyWage employer { name } } } events { totalCount } } }";

/// Returns a person as of a day, as known on a day, in short.
async fn known(app: &App, id: &str, day: Value, known: Value) -> String {
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app
        .post_for(b"test of past days", &reader, KNOWN, json!({"id": id, "day": day, "known": known}))
        .await;
    assert_eq!(reply.body.get("errors"), None);
    let person = &reply.body["data"]["participant"];
    if person.is_null() {
        return "nobody".to_owned();
    }
    let enrollments = person["enrollments"]["nodes"].as_array().unwrap().iter().map(|enrollment| {
        let end = enrollment["endsOn"].as_str().unwrap_or("open");
        let paid = enrollment["paidThrough"].as_str().unwrap_or("unpaid");
        format!(
            "{} {} {end} {paid} {}",
            enrollment["employer"]["name"], enrollment["status"], enrollment["monthlyWage"]
        )
    });
    let enrollments = enrollments.collect::<Vec<_>>().join("; ");
    let head = format!("{} {} {}", person["status"], person["fullName"], person["province"]["code"]);
    format!("{head} {} [{enrollments}] {}", person["employer"]["name"], person["events"]["totalCount"])
        .replace('"', "")
}

#[tokio::test]
async fn a_person_is_shown_as_it_was_known_on_a_day() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let person = Person::new("BR-PLG")
        .at(&musi)
        .with("startsOn", json!("2014-03-10"))
        .with("monthlyWage", json!(3_000_000));
    let (id, enrollment) = app.enrollment(&person).await;
    recorded_on(&app, "2014-03-12").await;
    done(&app, "recordContributions", json!({"month": "2014-03-01", "enrollmentIds": [enrollment]})).await;
    recorded_on(&app, "2014-04-10").await;
    let wage = json!({"enrollmentId": enrollment, "monthlyWage": 3_300_000, "effectiveOn": "2014-04-01", "reason": "Payroll"});
    done(&app, "changeWage", wage).await;
    done(&app, "moveParticipant", json!({"participantId": id, "provinceCode": "31", "on": "2014-04-15"}))
        .await;
    recorded_on(&app, "2014-05-20").await;
    let corrected =
        app.correct(&id, json!({"fullName": "Siti Rahayu Ningsih", "birthDate": "1985-08-03"})).await;
    assert_eq!(corrected["participant"]["fullName"], "Siti Rahayu Ningsih");
    recorded_on(&app, "2014-06-01").await;
    let transfer =
        json!({"enrollmentId": enrollment, "employerId": ogan, "channelCode": "BR-PLG", "on": "2014-04-20"});
    done(&app, "transferEnrollment", transfer).await;
    recorded_on(&app, "2014-07-01").await;
    let told = async |day: &str, on: &str| known(&app, &id, json!(day), json!(on)).await;
    let paid = "ACTIVE open 2014-03-31";
    for (day, on, expected) in [
        ("2014-03-11", "2014-03-11", "nobody".to_owned()),
        (
            "2014-03-10",
            "2014-03-12",
            "REGISTERED Siti Rahayu 16 PT Musi [PT Musi REGISTERED open unpaid 3000000] 1".to_owned(),
        ),
        (
            "2014-04-30",
            "2014-04-09",
            "REGISTERED Siti Rahayu 16 PT Musi [PT Musi REGISTERED open unpaid 3000000] 1".to_owned(),
        ),
        ("2014-04-30", "2014-04-10", format!("ACTIVE Siti Rahayu 16 PT Musi [PT Musi {paid} 3000000] 2")),
        ("2014-04-14", "2014-05-20", format!("ACTIVE Siti Rahayu 16 PT Musi [PT Musi {paid} 3300000] 3")),
        ("2014-04-30", "2014-05-20", format!("ACTIVE Siti Rahayu 31 PT Musi [PT Musi {paid} 3300000] 4")),
        (
            "2014-06-01",
            "2014-06-01",
            format!("ACTIVE Siti Rahayu Ningsih 31 PT Musi [PT Musi {paid} 3300000] 4"),
        ),
    ] {
        assert_eq!(told(day, on).await, expected, "{day}, known on {on}");
    }
    // The transfer was recorded for a day that had been told otherwise before.
    let now = known(&app, &id, json!("2014-04-30"), Value::Null).await;
    assert!(now.contains("PT Musi ENDED 2014-04-20") && now.contains("31 PT Ogan"), "{now}");
    assert_eq!(told("2014-04-30", "2014-12-31").await, now, "what is known today is what is recorded");
    assert_eq!(
        told("2014-05-20", "2014-05-20").await,
        known(&app, &id, Value::Null, json!("2014-05-20")).await
    );
    let token = app.administrator().await;
    let future = json!({"id": id, "known": "2015-01-01"});
    assert_eq!(app.refused(&token, KNOWN, future).await, "BAD_FILTER");
    let count =
        async |known: Value| sent(app.ask_as(&token, KNOWN, json!({"id": id, "known": known}))).await.1.len();
    let (now, then) = (count(Value::Null).await, count(json!("2014-05-20")).await);
    assert!(then <= now, "{then} statements, {now} of now");
    // A history that does not explain what is stored tells nothing.
    sqlx::query("update enrollment set ends_on = '2014-04-21' where ends_on is not null")
        .execute(&app.sql)
        .await
        .unwrap();
    assert_eq!(app.refused(&token, KNOWN, json!({"id": id, "known": "2014-05-20"})).await, "BAD_FILTER");
}

#[tokio::test]
async fn a_transfer_that_was_taken_back_is_not_known_since_and_not_told_before() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let start = Person::new("BR-PLG").at(&musi).with("startsOn", json!("2014-11-01"));
    let (id, enrollment) = app.enrollment(&start).await;
    recorded_on(&app, "2014-11-01").await;
    let transfer =
        json!({"enrollmentId": enrollment, "employerId": ogan, "channelCode": "BR-PLG", "on": "2014-12-10"});
    done(&app, "transferEnrollment", transfer).await;
    recorded_on(&app, "2014-12-10").await;
    let query = "query ($id: ID!) { participant(by: {id: $id}) { events { nodes { id kind } } } }";
    let events = app.ask(query, json!({"id": id})).await["participant"]["events"]["nodes"].take();
    let transferred = events.as_array().unwrap().iter().find(|event| event["kind"] == "TRANSFERRED").unwrap();
    done(&app, "retractEvent", json!({"eventId": transferred["id"], "reason": "Another person moved"})).await;
    sqlx::query("update event_retraction set requested_at = '2014-12-20T05:00:00Z', decided_at = '2014-12-20T05:00:00Z'")
        .execute(&app.sql)
        .await
        .unwrap();
    let since = known(&app, &id, Value::Null, json!("2014-12-30")).await;
    assert!(since.contains("PT Musi REGISTERED open"), "{since}");
    let before = known(&app, &id, Value::Null, json!("2014-12-01")).await;
    assert!(before.contains("PT Musi REGISTERED open"), "{before}");
    // The enrollment with the second employer is not stored any more.
    let between = json!({"id": id, "known": "2014-12-15"});
    assert_eq!(app.refused(&app.administrator().await, KNOWN, between).await, "BAD_FILTER");
}

#[tokio::test]
async fn what_is_known_today_is_what_is_recorded_for_random_histories() {
    let app = App::on(NEW_YEARS_EVE).await;
    app.channel("BR-PLG").await;
    let employers = [app.employer("PT Musi").await, app.employer("PT Ogan").await];
    let (mut dice, mut people) = (Dice(65), Vec::new());
    for n in 0..8 {
        let person = Person::new("BR-PLG").at(&employers[n % 2]).with("startsOn", json!(dice.day()));
        let (id, enrollment) = app.enrollment(&person.with("firstContributionPaid", json!(n % 2 == 0))).await;
        let mut enrollments = vec![enrollment];
        for _ in 0..dice.roll(8) {
            change(&app, &mut dice, (&id, &mut enrollments), &employers).await;
        }
        people.push(id);
    }
    lapse(&app.database, app.today).await.unwrap();
    recorded_on(&app, "2014-12-30").await;
    for id in &people {
        for day in [dice.day(), dice.day(), "2014-12-31".to_owned()] {
            let now = known(&app, id, json!(day), Value::Null).await;
            assert_eq!(known(&app, id, json!(day), json!("2014-12-31")).await, now, "{day}");
        }
    }
}
