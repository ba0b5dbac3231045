//! Forms of registered people that come at about the same time: they share a transaction, and each has its own outcome.

use crate::support::statements::sent;
use crate::support::{App, Person, Value, json};

const ENROLL: &str = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
    participant { id } enrollment { id } errors { code } } }";

/// Registers people, and returns their ids, and their forms for another enrollment, each with a key.
async fn registered(app: &App, channel: &str, employer: &str, count: usize) -> (Vec<String>, Vec<Person>) {
    let (mut ids, mut forms) = (Vec::new(), Vec::new());
    for n in 0..count {
        let person = Person::new(channel);
        ids.push(app.enrolled(&person).await);
        forms.push(person.at(employer).with("idempotencyKey", json!(format!("another-enrollment-{n}"))));
    }
    (ids, forms)
}

/// Sends the forms at once. Returns the payloads in order, and the statements that were sent.
async fn enrolled(app: &App, token: &str, forms: &[Person]) -> (Vec<Value>, Vec<String>) {
    let answers = forms.iter().map(|form| app.ask_as(token, ENROLL, json!({"input": form.0})));
    let (mut answers, statements) = sent(futures_util::future::join_all(answers)).await;
    (answers.iter_mut().map(|answer| answer["enrollParticipant"].take()).collect(), statements)
}

fn codes(payloads: &[Value]) -> Vec<&str> {
    payloads.iter().map(|payload| payload["errors"][0]["code"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn they_share_a_transaction_and_each_has_its_own_key_entry_and_events() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (ids, forms) = registered(&app, &channel, &employer, 24).await;
    let token = app.administrator().await;
    let (payloads, statements) = enrolled(&app, &token, &forms).await;
    assert_eq!(codes(&payloads), [""; 24]);
    let people: Vec<&str> =
        payloads.iter().map(|payload| payload["participant"]["id"].as_str().unwrap()).collect();
    assert_eq!(people, ids, "each form is of its own person");
    let inserts = statements.iter().filter(|sent| sent.starts_with("insert into enrollment")).count();
    assert!((1..24).contains(&inserts), "{inserts} statements for 24 enrollments");
    for (table, rows) in [
        ("enrollment where employer_id is not null", 24),
        (
            "idempotency i join enrollment e on e.employer_id is not null
                 and (i.outcome->'value'->>'participant', i.outcome->'value'->>'enrollment')
                     = (e.participant_id::text, e.id::text)",
            24,
        ),
        // The second entry of each person is of this enrollment.
        (
            "(select subjects from audit_entry where outcome = 'WRITTEN' and operation = 'enrollParticipant'
              group by subjects having cardinality(subjects) = 1 and count(*) = 2) a",
            24,
        ),
        ("participant_event where kind = 'ENROLLED'", 48),
        ("participant where employer_id is not null", 24),
    ] {
        let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&app.sql).await.unwrap();
        assert_eq!(count, rows, "{table}");
    }
    assert_eq!(app.differing_counters().await, 0);

    let (again, _) = enrolled(&app, &token, &forms).await;
    assert_eq!(again, payloads, "the keys answer the same again");
    assert_eq!(app.count("select count(*) from enrollment").await, 48);
}

#[tokio::test]
async fn one_that_is_refused_takes_nobody_with_it_and_uses_up_no_key() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (_, mut forms) = registered(&app, &channel, &employer, 16).await;
    let token = app.administrator().await;
    // One has this enrollment, one has another name here, and one has died.
    app.enrolled(&forms[3].clone().with("idempotencyKey", Value::Null)).await;
    forms[7] = forms[7].clone().with("fullName", json!("Somebody Else"));
    let query = "query ($by: ParticipantKey!) { participant(by: $by) { enrollments { nodes { id } } } }";
    let by = json!({"by": {"nationalId": forms[11].0["nationalId"]}});
    let enrollment = app.ask(query, by).await["participant"]["enrollments"]["nodes"][0]["id"].take();
    let death = "mutation ($id: ID!) { endEnrollment(input: {enrollmentId: $id, on: \"2014-10-02\", reason: DECEASED}) {
        errors { code } } }";
    assert_eq!(app.ask(death, json!({"id": enrollment})).await["endEnrollment"]["errors"], json!([]));

    let (payloads, _) = enrolled(&app, &token, &forms).await;
    let mut expected = [""; 16];
    (expected[3], expected[7], expected[11]) = ("ALREADY_ENROLLED", "IDENTITY_MISMATCH", "NOT_ELIGIBLE");
    assert_eq!(codes(&payloads), expected);
    assert_eq!(app.count("select count(*) from idempotency where operation = 'enrollParticipant'").await, 13);
    assert_eq!(app.count("select count(*) from enrollment where employer_id is not null").await, 14);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn forms_of_one_person_or_key_are_written_one_after_the_other() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (_, forms) = registered(&app, &channel, &employer, 2).await;
    let token = app.administrator().await;
    let keyless = |form: &Person| form.clone().with("idempotencyKey", Value::Null);
    // Eight times one enrollment without a key, and eight times the other one with one key.
    let sent: Vec<Person> =
        (0..16).map(|n| if n % 2 == 0 { keyless(&forms[0]) } else { forms[1].clone() }).collect();
    let (payloads, _) = enrolled(&app, &token, &sent).await;
    let of_one: Vec<Value> = payloads.iter().step_by(2).cloned().collect();
    assert_eq!(codes(&of_one).iter().filter(|code| code.is_empty()).count(), 1, "{of_one:?}");
    assert!(codes(&of_one).iter().all(|code| ["", "ALREADY_ENROLLED"].contains(code)));
    let replays: Vec<&Value> = payloads.iter().skip(1).step_by(2).collect();
    assert!(
        replays.iter().all(|payload| *payload == replays[0] && payload["errors"] == json!([])),
        "{replays:?}"
    );
    assert_eq!(app.count("select count(*) from enrollment").await, 4);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn each_form_is_judged_by_the_scope_of_its_own_client_and_recorded_as_its() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (_, forms) = registered(&app, &channel, &employer, 24).await;
    // All of them live in South Sumatra (16), and every third form says Jambi (15), whose officer does not see them.
    let (own, other) = (app.officer(&["16"]).await, app.officer(&["15"]).await);
    let sends = forms.iter().enumerate().map(|(n, form)| match n % 3 {
        0 => (&other, form.clone().with("provinceCode", json!("15"))),
        _ => (&own, form.clone()),
    });
    let sends: Vec<(&String, Person)> = sends.collect();
    app.begin_within_an_hour().await;
    let answers = sends.iter().map(|(token, form)| app.ask_as(token, ENROLL, json!({"input": form.0})));
    let (answers, statements) = sent(futures_util::future::join_all(answers)).await;
    let payloads: Vec<Value> =
        answers.into_iter().map(|mut answer| answer["enrollParticipant"].take()).collect();
    let expected: Vec<&str> = (0..24).map(|n| if n % 3 == 0 { "CONFLICT" } else { "" }).collect();
    assert_eq!(codes(&payloads), expected);
    let inserts = statements.iter().filter(|sent| sent.starts_with("insert into enrollment")).count();
    assert!((1..16).contains(&inserts), "{inserts} statements for 16 enrollments");
    assert_eq!(
        app.count("select count(*) from participant_event where recorded_by = 'OFFICER-16'").await,
        16
    );
    assert_eq!(
        app.count("select count(*) from audit_entry where client = 'OFFICER-16' and outcome = 'WRITTEN'")
            .await,
        16
    );
    assert_eq!(app.count("select count(*) from idempotency where client like 'OFFICER-%'").await, 16);
    // What the refusals reveal is on record too, and counts as misses.
    assert_eq!(app.count("select misses from lookup_miss where client = 'OFFICER-15'").await, 8);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_refusal_looks_for_newcomers_once() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (_, forms) = registered(&app, &channel, &employer, 1).await;
    let form = forms[0].clone().with("fullName", json!("Somebody Else"));
    let token = app.administrator().await;
    let (payloads, statements) = enrolled(&app, &token, &[form]).await;
    assert_eq!(codes(&payloads), ["IDENTITY_MISMATCH"]);
    assert_eq!(
        statements.iter().filter(|sent| sent.starts_with("with form as")).count(),
        1,
        "{statements:#?}"
    );
}

#[tokio::test]
async fn a_locked_person_keeps_nobody_else_from_being_enrolled() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (_, mut forms) = registered(&app, &channel, &employer, 8).await;
    // Somebody new, whose employer is about to be closed.
    let closing = app.employer("Toko").await;
    let id = app.count("select max(id) from employer").await;
    let of_closing =
        Person::new(&channel).at(&closing).with("idempotencyKey", json!("of-an-employer-that-closes"));
    let locked = forms.remove(4);
    let mut lock = app.sql.begin().await.unwrap();
    let person = "select from participant where id = (select id from participant order by id offset 4 limit 1) for update";
    sqlx::query(person).execute(&mut *lock).await.unwrap();
    let employer = "select pg_advisory_xact_lock(hashtext('participant_registry.employer'), hashint8($1))";
    sqlx::query(employer).bind(id).execute(&mut *lock).await.unwrap();

    let token = app.administrator().await;
    let ask = async |form: &Person| app.post(&token, ENROLL, json!({"input": form.0})).await.body;
    let newcomers: Vec<Person> = (0..4).map(|_| Person::new(&channel)).collect();
    let others: Vec<Person> = forms.iter().chain(&newcomers).cloned().collect();
    let (person, newcomer, (payloads, _)) =
        tokio::join!(ask(&locked), ask(&of_closing), enrolled(&app, &token, &others));
    assert_eq!(codes(&payloads), [""; 11]);
    for answer in [person, newcomer] {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer}");
    }
    lock.rollback().await.unwrap();
    let (payloads, _) = enrolled(&app, &token, &[locked, of_closing]).await;
    assert_eq!(codes(&payloads), [""; 2]);
    assert_eq!(app.count("select count(*) from enrollment").await, 8 + 8 + 5);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn forms_with_passports_former_numbers_and_service_numbers_are_told_apart() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah Provinsi").await);
    let (ids, forms) = registered(&app, &channel, &employer, 3).await;
    let [changed, clerk, teacher] = &forms[..] else { panic!("three forms") };
    // One person has two numbers, a foreigner has a passport, and two civil servants state one service number.
    let number = Person::new(&channel).0["nationalId"].take();
    assert_eq!(app.correct(&ids[0], json!({"nationalId": number})).await["errors"], json!([]));
    let under_new_number = changed.clone().with("nationalId", number).with("idempotencyKey", Value::Null);
    let mut foreigner = Person::new(&channel).at(&app.employer("Pabrik").await);
    foreigner.0.as_object_mut().unwrap().remove("nationalId");
    let foreigner = foreigner.with("passportNumber", json!("C1234567")).with("fullName", json!("Ann Lee"));
    app.enrolled(&foreigner).await;
    let of_toko = foreigner.at(&app.employer("Toko").await);
    let service_number = json!({"serviceNumber": "198508022008012001"});
    let servant = |form: &Person| {
        form.clone().with("civilServant", service_number.clone()).with("startsOn", json!("2014-11-01"))
    };
    let sent = [changed.clone(), under_new_number, of_toko, servant(clerk), servant(teacher)];
    let (payloads, _) = enrolled(&app, &app.administrator().await, &sent).await;
    let sorted = |range: std::ops::Range<usize>| {
        let mut codes = codes(&payloads[range]);
        codes.sort_unstable();
        codes
    };
    assert_eq!(sorted(0..2), ["", "ALREADY_ENROLLED"], "{payloads:?}");
    assert_eq!(sorted(2..3), [""], "{payloads:?}");
    assert_eq!(sorted(3..5), ["", "IDENTITY_MISMATCH"], "{payloads:?}");
    assert_eq!(app.count("select count(*) from enrollment").await, 4 + 3);
    assert_eq!(app.count("select count(*) from identifier where kind = 'SERVICE_NUMBER'").await, 1);
    assert_eq!(app.differing_counters().await, 0);
}
