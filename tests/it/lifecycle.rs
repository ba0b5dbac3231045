//! The end of enrollments by a mutation, a death or the closing of an employer: who may end them, and the counts after.

use domain::actor::Role;

use crate::support::app::{codes, problems};
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

/// Two months after the day on which most tests run.
const DECEMBER: &str = "2014-12-01T03:00:00Z";

const LIFE: &str = "query ($id: ID!) { participant(by: {id: $id}) { cardNumber status employer { name }
    enrollments { nodes { status endsOn endReason employer { name } } }
    events { nodes { kind effectiveOn channel { code } recordedBy enrollment { segment } } } } }";

async fn life(app: &App, id: &str) -> Value {
    app.ask(LIFE, json!({"id": id})).await["participant"].take()
}

fn list(values: &Value, field: &str) -> Vec<String> {
    let text = |node: &Value| node[field].as_str().unwrap().to_owned();
    values["nodes"].as_array().unwrap().iter().map(text).collect()
}

/// Returns the counts of South Sumatra: total, active, registered, inactive and ended.
async fn counts(app: &App) -> [i64; 5] {
    let query = "{ province(code: \"16\") { counts { total active registered inactive ended } } }";
    let counts = app.ask(query, json!({})).await["province"]["counts"].take();
    ["total", "active", "registered", "inactive", "ended"].map(|field| counts[field].as_i64().unwrap())
}

fn paid(person: Person) -> Person {
    person.with("firstContributionPaid", json!(true))
}

#[tokio::test]
async fn an_enrollment_ends_on_a_day_and_its_history_names_client_and_time() {
    let app = App::on(DECEMBER).await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    app.channel("BR-LHT").await;
    let (person, enrollment) = app.enrollment(&paid(Person::new(&channel).at(&employer))).await;
    assert_eq!(counts(&app).await, [1, 1, 0, 0, 0]);
    let input = json!({"enrollmentId": enrollment, "on": "2014-11-15", "reason": "RESIGNED", "channelCode": "BR-LHT"});
    let payload = app.end_as(&app.administrator().await, input).await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(
        payload["enrollment"],
        json!({"id": enrollment, "status": "ENDED", "startsOn": "2014-10-02", "endsOn": "2014-11-15",
               "endReason": "RESIGNED", "participant": {"status": "ENDED", "employer": null}})
    );
    let found = life(&app, &person).await;
    assert_eq!(
        found["events"]["nodes"][0],
        json!({"kind": "ENDED", "effectiveOn": "2014-11-15", "channel": {"code": "BR-LHT"},
               "recordedBy": "ADMINISTRATOR", "enrollment": {"segment": "WAGE_EARNER"}})
    );
    assert_eq!(list(&found["events"], "kind"), ["ENDED", "ENROLLED"]);
    assert_eq!(counts(&app).await, [1, 0, 0, 0, 1]);
    let of_day = "select coalesce(sum(persons), 0)::bigint from count_delta where effective_on = '2014-11-15' and persons > 0";
    assert_eq!(app.count(of_day).await, 1, "it counts from the day of its effect");
    assert_eq!(app.differing_counters().await, 0);
    // A person who left can return.
    app.enrolled(&Person::new(&channel).at(&employer)).await;
}

#[tokio::test]
async fn invalid_ends_are_refused_with_their_path() {
    let app = App::on(DECEMBER).await;
    let (_, enrollment) = app.enrollment(&Person::new(&app.channel("BR-PLG").await)).await;
    let refused = |on: &'static str, reason: &'static str| {
        let (app, enrollment) = (&app, &enrollment);
        async move {
            let payload = app.end(enrollment, on, reason).await;
            assert_eq!(payload["enrollment"], Value::Null);
            let found = problems(&payload);
            found.iter().map(|(code, path)| format!("{code} {path}")).collect::<Vec<_>>().join(", ")
        }
    };
    assert_eq!(refused("2014-10-01", "RESIGNED").await, "OUT_OF_RANGE on");
    assert_eq!(refused("2014-12-02", "RESIGNED").await, "OUT_OF_RANGE on");
    assert_eq!(refused("2014-11-01", "TRANSFERRED").await, "CONFLICT reason");
    assert_eq!(refused("2014-12-02", "TRANSFERRED").await, "OUT_OF_RANGE on, CONFLICT reason");
    assert_eq!(refused("2014-10-03", "ENROLLED_IN_ERROR").await, "OUT_OF_RANGE on");
    let unknown = app.end("ZTk5OTkuMQ", "2014-11-01", "RESIGNED").await;
    assert_eq!(problems(&unknown), [("NOT_FOUND", "enrollmentId")]);
    let nonsense = app.end("nonsense", "2014-11-01", "RESIGNED").await;
    assert_eq!(problems(&nonsense), [("INVALID_FORMAT", "enrollmentId")]);
    assert_eq!(codes(&app.end(&enrollment, "2014-10-02", "ENROLLED_IN_ERROR").await["errors"]), [""; 0]);
    assert_eq!(refused("2014-11-01", "RESIGNED").await, "CONFLICT enrollmentId");
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENDED'").await, 1);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_future_enrollment_can_be_withdrawn_before_it_begins() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("startsOn", json!("2014-11-01"));
    let (_, enrollment) = app.enrollment(&person).await;
    let early = app.end(&enrollment, "2014-10-01", "ENROLLED_IN_ERROR").await;
    assert_eq!(problems(&early), [("OUT_OF_RANGE", "on")]);
    let payload = app.end(&enrollment, "2014-10-02", "ENROLLED_IN_ERROR").await;
    assert_eq!((&payload["errors"], &payload["enrollment"]["endsOn"]), (&json!([]), &json!("2014-10-02")));
    assert_eq!(counts(&app).await, [1, 0, 0, 0, 1]);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn counts_count_people_and_one_active_enrollment_makes_a_person_active() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = paid(Person::new(&channel));
    // One self-employed enrollment and two as a wage earner.
    let (person, self_employed) = app.enrollment(&who).await;
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) =
        app.enrollment(&who.clone().at(&ogan).with("firstContributionPaid", json!(false))).await;
    assert_eq!(counts(&app).await, [1, 1, 0, 0, 0]);
    assert_eq!(life(&app, &person).await["employer"]["name"], "PT Ogan");
    let expected = [
        (&self_employed, "ACTIVE", [1, 1, 0, 0, 0]),
        (&at_musi, "REGISTERED", [1, 0, 1, 0, 0]),
        (&at_ogan, "ENDED", [1, 0, 0, 0, 1]),
    ];
    for (enrollment, status, counted) in expected {
        let payload = app.end(enrollment, "2014-11-20", "RESIGNED").await;
        assert_eq!(payload["enrollment"]["participant"]["status"], status);
        assert_eq!(counts(&app).await, counted);
        assert_eq!(app.differing_counters().await, 0);
    }
}

#[tokio::test]
async fn a_death_ends_all_open_enrollments_and_prevents_new_ones() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let musi = app.employer("PT Musi").await;
    let who = paid(Person::new(&channel));
    let (person, self_employed) = app.enrollment(&who).await;
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let late = Person::new(&channel).with("startsOn", json!("2014-11-25"));
    let ahead = who.clone().at(&app.employer("PT Ogan").await).with("startsOn", json!("2014-12-24"));
    app.enrollment(&ahead).await;
    let payload = app.end(&at_musi, "2014-11-20", "DECEASED").await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(payload["enrollment"]["participant"]["status"], "DECEASED");
    let found = life(&app, &person).await;
    assert_eq!(list(&found["enrollments"], "status"), ["ENDED"; 3]);
    assert_eq!(list(&found["enrollments"], "endReason"), ["DECEASED"; 3]);
    // A future enrollment that was recorded after the death ends on the day on which it would begin.
    assert_eq!(list(&found["enrollments"], "endsOn"), ["2014-12-01", "2014-11-20", "2014-11-20"]);
    let kinds = list(&found["events"], "kind");
    assert_eq!(kinds, ["DIED", "ENDED", "ENDED", "ENDED", "ENROLLED", "ENROLLED", "ENROLLED"]);
    let died = &found["events"]["nodes"][0];
    assert_eq!((&died["effectiveOn"], &died["enrollment"]), (&json!("2014-11-20"), &Value::Null));
    assert_eq!(counts(&app).await, [1, 0, 0, 0, 1]);
    assert_eq!(app.differing_counters().await, 0);
    let again = app.enroll(&who.at(&app.employer("PT Lematang").await)).await;
    assert_eq!(codes(&again["errors"]), ["NOT_ELIGIBLE"]);
    let twice = app.end(&self_employed, "2014-11-21", "DECEASED").await;
    assert_eq!(problems(&twice), [("CONFLICT", "enrollmentId")]);
    app.enrolled(&late).await;
}

#[tokio::test]
async fn a_death_can_be_recorded_after_all_enrollments_have_ended() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    for (died_on, figures) in [("2014-11-15", [1, 0, 0, 0, 1]), ("2014-10-20", [2, 0, 0, 0, 2])] {
        let who = paid(Person::new(&channel).at(&musi));
        let (person, enrollment) = app.enrollment(&who).await;
        assert_eq!(app.end(&enrollment, "2014-11-01", "RESIGNED").await["errors"], json!([]));
        let early = app.end(&enrollment, "2014-10-01", "DECEASED").await;
        assert_eq!(problems(&early), [("OUT_OF_RANGE", "on")]);
        // The former employer may not record it, and gets the same answer whether the person lives or not.
        let input = json!({"enrollmentId": enrollment, "on": died_on, "reason": "DECEASED"});
        let partner = app.partner(&musi).await;
        let untold = app.end_as(&partner, input.clone()).await;
        let payload = app.end(&enrollment, died_on, "DECEASED").await;
        assert_eq!(payload["errors"], json!([]));
        let ended = json!({"id": enrollment, "status": "ENDED", "startsOn": "2014-10-02", "endsOn": "2014-11-01",
            "endReason": "RESIGNED", "participant": {"status": "DECEASED", "employer": null}});
        assert_eq!(payload["enrollment"], ended, "the recorded end stays");
        assert_eq!(problems(&untold), [("OUT_OF_SCOPE", "reason")]);
        assert_eq!(app.end_as(&partner, input).await, untold);
        let resigns = json!({"enrollmentId": enrollment, "on": "2014-11-20", "reason": "RESIGNED"});
        assert_eq!(problems(&app.end_as(&partner, resigns).await), [("CONFLICT", "enrollmentId")]);
        let found = life(&app, &person).await;
        assert_eq!(list(&found["events"], "kind"), ["DIED", "ENDED", "ENROLLED"]);
        assert_eq!(found["events"]["nodes"][0]["effectiveOn"], died_on);
        let seen = app.ask_as(&partner, LIFE, json!({"id": person})).await["participant"].take();
        let kinds = list(&seen["events"], "kind");
        assert_eq!((&seen["status"], json!(kinds)), (&json!("ENDED"), json!(["ENDED", "ENROLLED"])));
        assert_eq!(counts(&app).await, figures);
        assert_eq!(app.differing_counters().await, 0);
        let deceased = "select coalesce(sum(persons), 0)::bigint from count_delta
            where effective_on = '2014-11-15' and standing & (1 << 18) <> 0";
        assert_eq!(app.count(deceased).await, 1, "from the day of the death on");
        let twice = app.end(&enrollment, died_on, "DECEASED").await;
        assert_eq!(problems(&twice), [("CONFLICT", "enrollmentId")]);
        let again = app.enroll(&who.at(&ogan)).await;
        assert_eq!(codes(&again["errors"]), ["NOT_ELIGIBLE"]);
    }
}

#[tokio::test]
async fn a_death_recorded_on_a_former_enrollment_ends_the_open_ones() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let who = Person::new(&channel);
    let (_, self_employed) = app.enrollment(&who).await;
    let (person, _) = app.enrollment(&who.at(&app.employer("PT Musi").await)).await;
    assert_eq!(app.end(&self_employed, "2014-11-01", "RESIGNED").await["errors"], json!([]));
    assert_eq!(app.end(&self_employed, "2014-11-20", "DECEASED").await["errors"], json!([]));
    let found = life(&app, &person).await;
    let ends = [list(&found["enrollments"], "endsOn"), list(&found["enrollments"], "endReason")];
    assert_eq!(json!(ends), json!([["2014-11-20", "2014-11-01"], ["DECEASED", "RESIGNED"]]));
    assert_eq!(counts(&app).await, [1, 0, 0, 0, 1]);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_payer_learns_of_a_death_only_through_its_own_enrollment() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = Person::new(&channel);
    let (person, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) = app.enrollment(&who.at(&ogan)).await;
    app.end(&at_musi, "2014-11-10", "RESIGNED").await;
    assert_eq!(app.end(&at_ogan, "2014-11-20", "DECEASED").await["errors"], json!([]));
    let one = |status: &str, reason: &str| (json!(status), json!([reason]), json!(["ENDED", "ENROLLED"]));
    for (employer, expected) in [(&musi, one("ENDED", "RESIGNED")), (&ogan, one("ENDED", "DECEASED"))] {
        let found =
            app.ask_as(&app.partner(employer).await, LIFE, json!({"id": person})).await["participant"].take();
        let (reasons, kinds) = (list(&found["enrollments"], "endReason"), list(&found["events"], "kind"));
        assert_eq!((found["status"].clone(), json!(reasons), json!(kinds)), expected);
    }
}

#[tokio::test]
async fn a_partner_ends_only_its_own_enrollments() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = Person::new(&channel);
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) = app.enrollment(&who.at(&ogan)).await;
    let end = |id: &str, reason: &str| json!({"enrollmentId": id, "on": "2014-11-20", "reason": reason});
    let partner = app.partner(&musi).await;
    let foreign = app.end_as(&partner, end(&at_ogan, "RESIGNED")).await;
    assert_eq!(problems(&foreign), [("NOT_FOUND", "enrollmentId")]);
    assert_eq!(foreign, app.end_as(&partner, end("ZTk5OTkuMQ", "RESIGNED")).await);
    let death = app.end_as(&partner, end(&at_musi, "DECEASED")).await;
    assert_eq!(problems(&death), [("OUT_OF_SCOPE", "reason")]);
    // A bank enrolls people but may not end their enrollments.
    let bank = app.token(Role::Partner, TokenScope { channel: Some(channel), ..TokenScope::default() }).await;
    assert_eq!(
        problems(&app.end_as(&bank, end(&at_musi, "RESIGNED")).await),
        [("OUT_OF_SCOPE", "enrollmentId")]
    );
    let own = app.end_as(&partner, end(&at_musi, "RESIGNED")).await;
    // The partner sees the end of its own enrollment; the person still works elsewhere.
    assert_eq!((&own["errors"], &own["enrollment"]["participant"]["status"]), (&json!([]), &json!("ENDED")));
    assert_eq!(counts(&app).await, [1, 0, 1, 0, 0]);
    let jambi = app.officer(&["15"]).await;
    assert_eq!(
        problems(&app.end_as(&jambi, end(&at_ogan, "RESIGNED")).await),
        [("NOT_FOUND", "enrollmentId")]
    );
    let approver = app.token(Role::Approver, TokenScope::default()).await;
    let query = "mutation ($input: EndEnrollmentInput!) { endEnrollment(input: $input) { errors { code } } }";
    let input = json!({"input": end(&at_ogan, "RESIGNED")});
    assert_eq!(app.refused(&approver, query, input).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_retried_end_gets_the_same_answer_and_one_audit_entry() {
    let app = App::on(DECEMBER).await;
    let (_, enrollment) = app.enrollment(&Person::new(&app.channel("BR-PLG").await)).await;
    let input = json!({"enrollmentId": enrollment, "on": "2014-11-20", "reason": "RETIRED",
        "idempotencyKey": "end-of-enrollment"});
    let token = app.administrator().await;
    let first = app.end_as(&token, input.clone()).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(app.end_as(&token, input).await, first);
    let written =
        "select count(*) from audit_entry where operation = 'endEnrollment' and outcome = 'WRITTEN'";
    assert_eq!(app.count(written).await, 1);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENDED'").await, 1);
}

#[tokio::test]
async fn of_two_concurrent_ends_of_one_enrollment_one_is_refused() {
    let app = App::on(DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    for _ in 0..8 {
        let (_, enrollment) = app.enrollment(&Person::new(&channel)).await;
        let ends = tokio::join!(
            app.end(&enrollment, "2014-11-20", "RESIGNED"),
            app.end(&enrollment, "2014-11-21", "RETIRED")
        );
        let mut answer = [problems(&ends.0), problems(&ends.1)];
        answer.sort();
        assert_eq!(answer, [vec![], vec![("CONFLICT", "enrollmentId")]]);
    }
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENDED'").await, 8);
    assert_eq!(app.differing_counters().await, 0);
}

const CLOSE: &str = "mutation ($input: CloseEmployerInput!) { closeEmployer(input: $input) {
    employer { closedOn counts { total ended } } ended errors { code path message hint } } }";

async fn close(app: &App, token: &str, employer: &str, on: &str, end: bool) -> Value {
    let input = json!({"employerId": employer, "on": on, "endEnrollments": end});
    app.ask_as(token, CLOSE, json!({"input": input})).await["closeEmployer"].take()
}

#[tokio::test]
async fn an_employer_closes_without_open_enrollments_or_ends_them() {
    let app = App::on(DECEMBER).await;
    let token = app.administrator().await;
    let (channel, musi, ogan) =
        (app.channel("BR-PLG").await, app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = paid(Person::new(&channel));
    let (twice, _) = app.enrollment(&who.clone().at(&musi)).await;
    app.enrollment(&who.at(&ogan)).await;
    app.enrollment(&Person::new(&channel).at(&musi)).await;
    // A future enrollment becomes void.
    app.enrollment(&Person::new(&channel).at(&musi).with("startsOn", json!("2014-12-10"))).await;
    assert_eq!(problems(&close(&app, &token, &musi, "2014-12-02", true).await), [("OUT_OF_RANGE", "on")]);
    assert_eq!(
        problems(&close(&app, &token, &musi, "2014-11-20", false).await),
        [("CONFLICT", "endEnrollments")]
    );
    let closed = close(&app, &token, &musi, "2014-11-20", true).await;
    assert_eq!(
        closed,
        json!({"employer": {"closedOn": "2014-11-20", "counts": {"total": 3, "ended": 3}}, "ended": 3, "errors": []})
    );
    let reasons = "select count(*) from enrollment where end_reason = 'EMPLOYER_CLOSED'
        and ends_on = greatest(date '2014-11-20', counts_from)";
    assert_eq!(app.count(reasons).await, 3);
    assert_eq!(
        life(&app, &twice).await["status"],
        "ACTIVE",
        "a person who also works elsewhere stays enrolled there"
    );
    assert_eq!(counts(&app).await, [3, 1, 0, 0, 2]);
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(problems(&close(&app, &token, &musi, "2014-11-21", true).await), [("CONFLICT", "employerId")]);
    let late = app.enroll(&Person::new(&channel).at(&musi)).await;
    assert_eq!(problems(&late), [("CONFLICT", "employerId")]);
    // A retry with the key returns the first answer although the employer is closed now.
    let empty = app.employer("PT Kosong").await;
    let input = json!({"employerId": empty, "on": "2014-11-20", "idempotencyKey": "closing-of-kosong"});
    let first = app.ask_as(&token, CLOSE, json!({"input": input})).await;
    assert_eq!(first["closeEmployer"]["employer"]["closedOn"], "2014-11-20");
    assert_eq!(app.ask_as(&token, CLOSE, json!({"input": input})).await, first);
}

const TREND: &str = "{ coverage { trend(from: \"2014-06-30\", until: \"2014-10-02\") { on active } } }";

#[tokio::test]
async fn an_employer_cannot_close_before_the_last_recorded_day_of_its_people() {
    let app = App::new().await;
    let (token, channel) = (app.administrator().await, app.channel("BR-PLG").await);
    let musi = app.employer("PT Musi").await;
    for _ in 0..3 {
        app.enrolled(&paid(Person::new(&channel).at(&musi)).with("startsOn", json!("2014-07-01"))).await;
    }
    let record =
        "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) { recorded } }";
    for month in ["2014-08-01", "2014-09-01"] {
        app.ask(record, json!({"input": {"employerId": musi, "month": month}})).await;
    }
    let before = app.ask(TREND, json!({})).await;
    let refused = async |on: &str, end: bool| {
        let payload = close(&app, &token, &musi, on, end).await;
        assert_eq!(
            (problems(&payload), &payload["ended"]),
            (vec![("OUT_OF_RANGE", "on")], &json!(0)),
            "{on}"
        );
        payload["errors"][0]["hint"].as_str().unwrap().to_owned()
    };
    // Before the programmes existed, before the enrollments began, and before the last paid month.
    assert!(refused("0001-01-01", true).await.contains("1993-02-27"));
    for (on, end) in [("2014-06-30", true), ("2014-07-01", true), ("2014-08-31", false)] {
        assert!(refused(on, end).await.contains("2014-09-01"), "{on}");
    }
    assert_eq!(app.count("select count(*) from enrollment where ends_on is null").await, 3);
    assert_eq!(app.count("select count(*) from employer where closed_on is null").await, 1);
    assert_eq!(app.ask(TREND, json!({})).await, before);
    // A later enrollment was made in error, and another person left.
    let (_, error) =
        app.enrollment(&Person::new(&channel).at(&musi).with("startsOn", json!("2014-09-20"))).await;
    assert!(refused("2014-09-15", true).await.contains("2014-09-20"));
    assert_eq!(app.end(&error, "2014-09-20", "ENROLLED_IN_ERROR").await["errors"], json!([]));
    let (_, left) =
        app.enrollment(&Person::new(&channel).at(&musi).with("startsOn", json!("2014-08-20"))).await;
    assert_eq!(app.end(&left, "2014-09-18", "RESIGNED").await["errors"], json!([]));
    assert!(refused("2014-09-17", true).await.contains("2014-09-18"));
    let closed = close(&app, &token, &musi, "2014-09-18", true).await;
    assert_eq!((&closed["errors"], &closed["ended"]), (&json!([]), &json!(3)));
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn closings_and_deaths_cost_the_same_statements_for_one_and_for_many() {
    let app = App::on(DECEMBER).await;
    let (token, channel) = (app.administrator().await, app.channel("BR-PLG").await);
    let mut spent = Vec::new();
    for people in [1, 12] {
        let employer = app.employer(&format!("PT {people}")).await;
        for _ in 0..people {
            app.enrolled(&Person::new(&channel).at(&employer)).await;
        }
        let (closed, statements) = sent(close(&app, &token, &employer, "2014-11-20", true)).await;
        assert_eq!(closed["ended"], people);
        spent.push(statements.len());
    }
    assert_eq!(spent[0], spent[1]);
    let mut spent = Vec::new();
    for jobs in [1, 4] {
        let who = Person::new(&channel);
        let (_, enrollment) = app.enrollment(&who).await;
        for n in 1..jobs {
            let employer = app.employer(&format!("PT {jobs}-{n}")).await;
            app.enrolled(&who.clone().at(&employer)).await;
        }
        let (payload, statements) = sent(app.end(&enrollment, "2014-11-20", "DECEASED")).await;
        assert_eq!(payload["errors"], json!([]));
        spent.push(statements.len());
    }
    assert_eq!(spent[0], spent[1]);
}

#[tokio::test]
async fn an_officer_closes_employers_of_its_provinces_but_ends_only_visible_enrollments() {
    let app = App::on(DECEMBER).await;
    let musi = app.employer("PT Musi").await;
    let (south, jambi) = (app.officer(&["16"]).await, app.officer(&["15"]).await);
    assert_eq!(
        problems(&close(&app, &jambi, &musi, "2014-11-20", false).await),
        [("OUT_OF_SCOPE", "employerId")]
    );
    assert_eq!(
        problems(&close(&app, &south, &musi, "2014-11-20", true).await),
        [("OUT_OF_SCOPE", "endEnrollments")]
    );
    assert_eq!(close(&app, &south, &musi, "2014-11-20", false).await["errors"], json!([]));
}

#[tokio::test]
async fn a_closing_employer_keeps_no_concurrently_enrolled_person() {
    let app = App::on(DECEMBER).await;
    let (token, channel) = (app.administrator().await, app.channel("BR-PLG").await);
    let query =
        "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { code } } }";
    for n in 0..8 {
        let musi = app.employer(&format!("PT Musi {n}")).await;
        let people: Vec<Person> = (0..4).map(|_| Person::new(&channel).at(&musi)).collect();
        let enrolling = people.iter().map(|person| app.post(&token, query, json!({"input": person.0})));
        let (closed, enrolled) = tokio::join!(
            close(&app, &token, &musi, "2014-12-01", true),
            futures_util::future::join_all(enrolling)
        );
        assert_eq!(closed["errors"], json!([]));
        for reply in enrolled {
            let payload = &reply.body["data"]["enrollParticipant"];
            assert!(
                matches!(codes(&payload["errors"])[..], [] | ["CONFLICT"]),
                "enrolled before the closing, or refused after it: {}",
                reply.body
            );
        }
    }
    let left = "select count(*) from enrollment e join employer m on m.id = e.employer_id
        where m.closed_on is not null and e.ends_on is null";
    assert_eq!(app.count(left).await, 0);
    assert_eq!(app.differing_counters().await, 0);
}
