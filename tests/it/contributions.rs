//! Recording contributions, and the lapse of unpaid enrollments.

use domain::actor::Role;
use participant_registry::actions::lapse::lapse;
use participant_registry::graphql::node_id::NodeId;

use crate::support::app::codes;
use crate::support::{App, Person, TokenScope, Value, json};

const RECORD: &str = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) {
    recorded newlyActive errors { code path } } }";

/// Returns ten in the morning of a day in Jakarta.
fn morning_of(day: &str) -> String {
    format!("{day}T03:00:00Z")
}

impl App {
    async fn record(&self, token: &str, input: Value) -> Value {
        self.ask_as(token, RECORD, json!({"input": input})).await["recordContributions"].take()
    }

    async fn lapsed(&self, day: &str) -> Option<u64> {
        lapse(&self.database, day.parse().unwrap()).await.expect("the database answers")
    }

    /// Returns the enrollments of a person: id, status and paid-through date.
    async fn enrollments(&self, person: &str) -> Vec<(String, String, Value)> {
        let query = "query ($id: ID!) { participant(by: {id: $id}) {
            enrollments(first: 100) { nodes { id status paidThrough } } } }";
        let data = self.ask(query, json!({"id": person})).await;
        let nodes = data["participant"]["enrollments"]["nodes"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        nodes.iter().map(|n| (text(&n["id"]), text(&n["status"]), n["paidThrough"].clone())).collect()
    }

    async fn events(&self, person: &str) -> Vec<String> {
        let query = "query ($id: ID!) { participant(by: {id: $id}) {
            events(first: 100) { nodes { kind effectiveOn } } } }";
        let data = self.ask(query, json!({"id": person})).await;
        let nodes = data["participant"]["events"]["nodes"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        nodes.iter().map(|node| format!("{} {}", text(&node["kind"]), text(&node["effectiveOn"]))).collect()
    }

    async fn counts_of_employer(&self, employer: &str) -> Value {
        let query =
            "query ($id: ID!) { employer(by: {id: $id}) { counts { total registered active inactive } } }";
        self.ask(query, json!({"id": employer})).await["employer"]["counts"].take()
    }
}

#[tokio::test]
async fn recording_an_employers_month_activates_its_people_once() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(app.enrolled(&Person::new(&channel).at(&employer)).await);
    }
    let paid = Person::new(&channel).at(&employer).with("firstContributionPaid", json!(true));
    people.push(app.enrolled(&paid).await);
    let token = app.administrator().await;
    let input = json!({"employerId": employer, "month": "2014-10-01", "idempotencyKey": "october-of-pabrik"});
    let first = app.record(&token, input.clone()).await;
    assert_eq!(first, json!({"recorded": 3, "newlyActive": 3, "errors": []}));
    assert_eq!(app.record(&token, input).await, first, "the same key, the same answer");
    let again = app.record(&token, json!({"employerId": employer, "month": "2014-10-01"})).await;
    assert_eq!(again, json!({"recorded": 0, "newlyActive": 0, "errors": []}));
    for person in &people {
        let enrollments = app.enrollments(person).await;
        assert_eq!((enrollments[0].1.as_str(), &enrollments[0].2), ("ACTIVE", &json!("2014-10-31")));
    }
    assert_eq!(app.events(&people[0]).await, ["CONTRIBUTED 2014-10-02", "ENROLLED 2014-10-02"]);
    let counts = app.counts_of_employer(&employer).await;
    assert_eq!(counts, json!({"total": 4, "registered": 0, "active": 4, "inactive": 0}));
    assert_eq!(app.differing_counters().await, 0);
    app.fold().await;
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn unpaid_enrollments_lapse_in_a_daily_run_and_resume_when_paid() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let paid = Person::new(&channel).with("firstContributionPaid", json!(true));
    let person = app.enrolled(&paid).await;
    let never_paid = app.enrolled(&Person::new(&channel)).await;
    assert_eq!(app.lapsed("2015-01-31").await, Some(0));
    assert_eq!(app.lapsed("2015-01-31").await, None, "once a day");
    assert_eq!(app.lapsed("2015-02-01").await, Some(1));
    assert_eq!(app.second_process().await.lapsed("2015-02-01").await, None, "one process runs it");
    assert_eq!(app.enrollments(&person).await[0].1, "INACTIVE");
    assert_eq!(app.enrollments(&never_paid).await[0].1, "REGISTERED");
    assert_eq!(app.differing_counters().await, 0);

    let later = app.second_process_on(&morning_of("2015-03-10")).await;
    let enrollment = app.enrollments(&person).await[0].0.clone();
    let token = app.administrator().await;
    let paid = later.record(&token, json!({"enrollmentIds": [enrollment], "month": "2015-03-01"})).await;
    assert_eq!(paid, json!({"recorded": 1, "newlyActive": 1, "errors": []}));
    assert_eq!(
        app.events(&person).await,
        ["RESUMED 2015-03-01", "CONTRIBUTED 2015-03-01", "LAPSED 2015-02-01", "ENROLLED 2014-10-02"]
    );
    assert_eq!(app.differing_counters().await, 0);
    let recorded = app.count("select count(*) from audit_entry where operation = 'lapse'").await;
    assert_eq!(recorded, 1, "lapses are audited");
}

#[tokio::test]
async fn an_old_payment_recorded_late_lapses_at_once() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("startsOn", json!("2014-03-15"));
    let id = app.enrolled(&person).await;
    let (enrollment, was, _) = app.enrollments(&id).await.remove(0);
    assert_eq!(was, "REGISTERED");
    let token = app.administrator().await;
    app.record(&token, json!({"enrollmentIds": [enrollment], "month": "2014-04-01"})).await;
    let expected = ["LAPSED 2014-08-01", "CONTRIBUTED 2014-04-01", "ENROLLED 2014-03-15"];
    assert_eq!(app.events(&id).await, expected);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_lapsed_enrollment_resumes_from_the_paid_month() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let token = app.administrator().await;
    // A payment for August follows within the grace period of April, one for September does not.
    for (month, status) in [("2014-08-01", "ACTIVE"), ("2014-09-01", "ACTIVE")] {
        let paid = Person::new(&channel).with("firstContributionPaid", json!(true));
        let person = app.enrolled(&paid.with("startsOn", json!("2014-04-01"))).await;
        let (enrollment, was, _) = app.enrollments(&person).await.remove(0);
        assert_eq!(was, "INACTIVE");
        app.record(&token, json!({"enrollmentIds": [enrollment], "month": month})).await;
        assert_eq!(app.enrollments(&person).await[0].1, status);
        let (resumed, paid) = (format!("RESUMED {month}"), format!("CONTRIBUTED {month}"));
        let before = ["LAPSED 2014-08-01", "ENROLLED 2014-04-01"];
        assert_eq!(app.events(&person).await, [&resumed, &paid, before[0], before[1]]);
        assert_eq!(app.differing_counters().await, 0);
    }
    // The contribution was recorded late. The lapse date depends only on the last paid month.
    let paid = Person::new(&channel).with("firstContributionPaid", json!(true));
    let person = app.enrolled(&paid).await;
    let enrollment = app.enrollments(&person).await[0].0.clone();
    let later = app.second_process_on(&morning_of("2015-02-10")).await;
    let input = json!({"enrollmentIds": [enrollment], "month": "2015-02-01"});
    assert_eq!(later.record(&token, input).await["newlyActive"], 0, "the daily run has not happened since");
    assert_eq!(app.events(&person).await, ["CONTRIBUTED 2015-02-01", "ENROLLED 2014-10-02"]);
    assert_eq!(app.lapsed("2015-06-01").await, Some(3));
    assert_eq!(app.events(&person).await[0], "LAPSED 2015-06-01");
}

#[tokio::test]
async fn a_month_recorded_late_changes_the_counts_of_past_days() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = app.enrolled(&Person::new(&channel).with("firstContributionPaid", json!(true))).await;
    app.lapsed("2015-02-01").await;
    app.fold().await;
    // Active minus inactive people on the last day of a month, from the daily counters.
    let active_in_april = "select coalesce(sum(case standing when 1 << 9 then persons end), 0)::bigint
        from channel_figure_day where effective_on <= '2015-04-30'";
    assert_eq!(app.count(active_in_april).await, 0);
    let later = app.second_process_on(&morning_of("2015-06-10")).await;
    let enrollment = app.enrollments(&person).await[0].0.clone();
    let token = app.administrator().await;
    for month in ["2015-01-01", "2015-02-01"] {
        let paid = later.record(&token, json!({"enrollmentIds": [enrollment], "month": month})).await;
        assert_eq!(paid["recorded"], 1, "{paid}");
    }
    app.fold().await;
    assert_eq!(app.enrollments(&person).await[0].1, "INACTIVE", "too long ago to be active today");
    assert_eq!(app.count(active_in_april).await, 1, "it was paid until May");
    assert_eq!(later.differing_counters().await, 0);
}

#[tokio::test]
async fn contributions_that_cannot_be_due_are_refused_with_a_path() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("Pabrik").await;
    let person = app.enrolled(&Person::new(&channel).at(&employer)).await;
    let ahead = app.enrolled(&Person::new(&channel).with("startsOn", json!("2014-11-15"))).await;
    let (own, ahead) =
        (app.enrollments(&person).await[0].0.clone(), app.enrollments(&ahead).await[0].0.clone());
    let token = app.administrator().await;
    let foreign = "ZTk5OTkuOTk5OQ"; // e9999.9999
    for (input, wrong) in [
        (json!({"month": "2014-10-02", "employerId": employer}), json!([["INVALID_FORMAT", "month"]])),
        (json!({"month": "2014-11-01", "employerId": employer}), json!([["OUT_OF_RANGE", "month"]])),
        (json!({"month": "2014-09-01", "employerId": employer}), json!([["OUT_OF_RANGE", "month"]])),
        (json!({"month": "2014-10-01"}), json!([["REQUIRED", "enrollmentIds"]])),
        (
            json!({"month": "2014-10-01", "employerId": employer, "enrollmentIds": [own]}),
            json!([["CONFLICT", "enrollmentIds"]]),
        ),
        (
            json!({"month": "2014-10-01", "enrollmentIds": [own, ahead, foreign]}),
            json!([["OUT_OF_RANGE", "enrollmentIds.1"], ["NOT_FOUND", "enrollmentIds.2"]]),
        ),
        (
            json!({"month": "2014-10-01", "enrollmentIds": [own, own]}),
            json!([["DUPLICATE_IN_REQUEST", "enrollmentIds.1"]]),
        ),
        (
            json!({"month": "2014-10-01", "enrollmentIds": ["x"]}),
            json!([["INVALID_FORMAT", "enrollmentIds.0"]]),
        ),
    ] {
        let answer = app.record(&token, input.clone()).await;
        let path = |error: &Value| {
            let keys = error["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
            json!([error["code"], keys.collect::<Vec<_>>().join(".")])
        };
        let errors: Vec<Value> = answer["errors"].as_array().unwrap().iter().map(path).collect();
        assert_eq!((json!(errors), &answer["recorded"]), (wrong, &json!(0)), "{input}");
    }
    assert_eq!(app.count("select count(*) from enrollment where paid is not null").await, 0);
}

#[tokio::test]
async fn a_partner_records_contributions_only_for_its_own_people() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (own, foreign) = (app.employer("Pabrik").await, app.employer("Kebun").await);
    app.enrolled(&Person::new(&channel).at(&own)).await;
    let other = app.enrolled(&Person::new(&channel).at(&foreign)).await;
    let other = app.enrollments(&other).await[0].0.clone();
    let token = app.partner(&own).await;
    let month = "2014-10-01";
    let paid = app.record(&token, json!({"month": month, "employerId": own})).await;
    assert_eq!(paid, json!({"recorded": 1, "newlyActive": 1, "errors": []}));
    let nobody = app.record(&token, json!({"month": month, "employerId": foreign})).await;
    assert_eq!(codes(&nobody["errors"]), ["NOT_FOUND"], "like a missing employer");
    let absent = app.record(&token, json!({"month": month, "enrollmentIds": [other]})).await;
    assert_eq!(codes(&absent["errors"]), ["NOT_FOUND"]);
    assert_eq!(app.counts_of_employer(&foreign).await["active"], 0);
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    assert_eq!(
        app.refused(&analyst, RECORD, json!({"input": {"month": month, "employerId": own}})).await,
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn a_person_with_one_active_enrollment_is_active_and_counted_once() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (first, second) = (app.employer("Pabrik").await, app.employer("Kebun").await);
    let person = Person::new(&channel);
    let id = app.enrolled(&person).await;
    app.enrolled(&person.clone().at(&first)).await;
    app.enrolled(&person.at(&second)).await;
    let token = app.administrator().await;
    let paid = app.record(&token, json!({"month": "2014-10-01", "employerId": second})).await;
    assert_eq!(paid["newlyActive"], 1);
    let query = "query ($id: ID!) { participant(by: {id: $id}) { status
        province { counts { total registered active } } } }";
    let data = app.ask(query, json!({"id": id})).await;
    assert_eq!(data["participant"]["status"], "ACTIVE");
    assert_eq!(data["participant"]["province"]["counts"], json!({"total": 1, "registered": 0, "active": 1}));
    assert_eq!(app.counts_of_employer(&first).await["registered"], 1);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_recordings_of_a_month_record_it_once() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    for _ in 0..20 {
        app.enrolled(&Person::new(&channel).at(&employer)).await;
    }
    let token = app.administrator().await;
    let input = || json!({"month": "2014-10-01", "employerId": employer});
    let (one, two) = tokio::join!(app.record(&token, input()), app.record(&token, input()));
    let recorded = [&one, &two].map(|answer| answer["recorded"].as_i64().unwrap());
    assert_eq!(recorded.iter().sum::<i64>(), 20, "{one} {two}");
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CONTRIBUTED'").await, 20);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn an_unknown_or_foreign_payer_is_not_found_and_an_empty_one_records_none() {
    let app = App::new().await;
    let (own, other) = (app.employer("Pabrik").await, app.employer("Kebun").await);
    let association = app.association("Serikat").await;
    let id = |id: NodeId| id.encode().to_string();
    let (no_employer, no_association) = (id(NodeId::Employer(999)), id(NodeId::Association(999)));
    let (administrator, partner) = (app.administrator().await, app.partner(&own).await);
    let bank = TokenScope { channel: Some(app.channel("BR-PLG").await), ..TokenScope::default() };
    let bank = app.token(Role::Partner, bank).await;
    for (token, field, payer, expected) in [
        (&administrator, "employerId", &no_employer, json!({"code": "NOT_FOUND", "path": ["employerId"]})),
        (
            &administrator,
            "associationId",
            &no_association,
            json!({"code": "NOT_FOUND", "path": ["associationId"]}),
        ),
        (&administrator, "employerId", &other, json!({"code": "OUT_OF_RANGE", "path": ["month"]})),
        (&administrator, "associationId", &association, json!({"code": "OUT_OF_RANGE", "path": ["month"]})),
        (&bank, "employerId", &other, json!({"code": "OUT_OF_RANGE", "path": ["month"]})),
        (&partner, "employerId", &own, json!({"code": "OUT_OF_RANGE", "path": ["month"]})),
        (&partner, "employerId", &other, json!({"code": "NOT_FOUND", "path": ["employerId"]})),
        (&partner, "employerId", &no_employer, json!({"code": "NOT_FOUND", "path": ["employerId"]})),
        (&partner, "associationId", &association, json!({"code": "NOT_FOUND", "path": ["associationId"]})),
    ] {
        let mut input = json!({"month": "2014-10-01"});
        input[field] = json!(payer);
        let answer = app.record(token, input).await;
        assert_eq!(answer["errors"], json!([expected]), "{field} {payer}");
    }
}

#[tokio::test]
async fn no_contribution_is_due_for_a_void_enrollment_or_after_a_death() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let other = app.employer("Kebun").await;
    let token = app.administrator().await;
    let (_, never) = app.enrollment(&Person::new(&channel).at(&employer)).await;
    app.end(&never, "2014-10-02", "ENROLLED_IN_ERROR").await;
    let person = Person::new(&channel).with("startsOn", json!("2014-01-01"));
    let (_, left) = app.enrollment(&person.clone().at(&employer)).await;
    let (_, open) = app.enrollment(&person.at(&other)).await;
    app.end(&left, "2014-10-01", "RESIGNED").await;
    let died = app.end(&open, "2014-06-10", "DECEASED").await;
    assert_eq!(died["errors"], json!([]));
    for (month, enrollment) in [("2014-10-01", &never), ("2014-07-01", &left)] {
        let answer = app.record(&token, json!({"month": month, "enrollmentIds": [enrollment]})).await;
        assert_eq!(
            answer["errors"],
            json!([{"code": "OUT_OF_RANGE", "path": ["enrollmentIds", "0"]}]),
            "{month}"
        );
    }
    for month in ["2014-10-01", "2014-07-01"] {
        let answer = app.record(&token, json!({"month": month, "employerId": employer})).await;
        assert_eq!(answer["errors"], json!([{"code": "OUT_OF_RANGE", "path": ["month"]}]), "{month}");
    }
    let answer = app.record(&token, json!({"month": "2014-06-01", "employerId": employer})).await;
    assert_eq!(
        (&answer["recorded"], &answer["errors"]),
        (&json!(1), &json!([])),
        "the month of the death is due"
    );
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_server_whose_clock_is_ahead_lapses_nobody_and_keeps_no_other_from_it() {
    let app = App::new().await;
    let ahead = lapse(&app.database, "2999-01-01".parse().unwrap()).await.unwrap_err();
    assert!(ahead.to_string().contains("the clock of this server is ahead"), "{ahead}");
    assert_eq!(app.count("select count(*) from lapse_run").await, 0);
    // As an earlier version left it.
    sqlx::query("insert into lapse_run (day, lapsed) values ('2999-01-01', 5)")
        .execute(&app.sql)
        .await
        .unwrap();
    assert_eq!(lapse(&app.database, app.today).await.unwrap(), Some(0));
    assert_eq!(lapse(&app.database, app.today).await.unwrap(), None);
}
