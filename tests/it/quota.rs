//! The quota of lookups that match nobody: a number of misses per hour, counted in the database.

use axum::http::{StatusCode, header};
use domain::actor::Role;

use crate::support::app::codes;
use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::{App, Person, Reply, TokenScope, Value, json, row};

const BY: &str = "query ($by: ParticipantKey!) { participant(by: $by) { fullName } }";
const NOBODY: &str = "1671015505750009";

async fn ask(app: &App, token: &str, national_id: &str) -> Reply {
    app.post(token, BY, json!({"by": {"nationalId": national_id}})).await
}

/// Records a number of misses of the client in this hour.
async fn spend(app: &App, client: &str, misses: i64) {
    sqlx::query(
        "insert into lookup_miss values ($1, date_trunc('hour', now()), $2) on conflict (client) do update set misses = $2",
    )
    .bind(client)
    .bind(misses)
    .execute(&app.sql)
    .await
    .unwrap();
}

async fn misses(app: &App) -> i64 {
    app.count("select coalesce(sum(misses), 0)::bigint from lookup_miss").await
}

fn assert_spent(reply: &Reply) {
    let error = &reply.body["errors"][0];
    assert_eq!(error["extensions"]["code"], "QUOTA_EXCEEDED", "{}", reply.body);
    let seconds = error["extensions"]["retryAfter"].as_u64().unwrap();
    assert!((1..=3600).contains(&seconds), "{seconds}");
    assert_eq!(reply.headers[header::RETRY_AFTER], seconds.to_string().as_str());
}

#[tokio::test]
async fn misses_are_counted_per_client_across_processes_and_hits_are_not() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let known = person.0["nationalId"].as_str().unwrap();
    let officer = app.officer(&["16"]).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &officer, known).await.body["data"]["participant"]["fullName"], "Siti Rahayu");
    }
    assert_eq!(misses(&app).await, 0);

    spend(&app, "OFFICER-16", 98).await;
    let other = app.second_process().await;
    for process in [&app, &other] {
        let body = ask(process, &officer, NOBODY).await.body;
        assert_eq!((&body["data"], body.get("errors")), (&json!({"participant": null}), None));
    }
    // The quota is used up: no lookup finds anybody, registered or not, by either kind of number.
    for process in [&app, &other] {
        let (of_known, of_nobody) =
            (ask(process, &officer, known).await, ask(process, &officer, NOBODY).await);
        assert_spent(&of_known);
        assert_spent(&of_nobody);
        assert_eq!([of_known.status, of_nobody.status], [StatusCode::TOO_MANY_REQUESTS; 2]);
        assert_eq!(of_known.body["data"], json!(null));
    }
    let card = app.post(&officer, BY, json!({"by": {"cardNumber": "10000000014"}})).await;
    assert_ne!(card.body["data"]["participant"]["fullName"], "Siti Rahayu");
    assert_eq!(misses(&app).await, 100);
    // Lists and other clients are not affected, and the next hour starts again.
    let people = app.ask_as(&officer, "{ participants { totalCount } }", json!({})).await;
    assert_eq!(people["participants"]["totalCount"], 1);
    let elsewhere = app.officer(&["15"]).await;
    assert_eq!(ask(&app, &elsewhere, NOBODY).await.body["data"], json!({"participant": null}));
    sqlx::query("update lookup_miss set hour = hour - interval '1 hour'").execute(&app.sql).await.unwrap();
    assert_eq!(ask(&app, &officer, NOBODY).await.body["data"], json!({"participant": null}));
    assert_eq!(app.count("select misses from lookup_miss where client = 'OFFICER-16'").await, 1);
}

#[tokio::test]
async fn one_request_cannot_exceed_the_remaining_quota() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let officer = app.officer(&["16"]).await;
    spend(&app, "OFFICER-16", 97).await;
    let fields: Vec<String> = (0..8)
        .map(|n| format!("a{n}: participant(by: {{nationalId: \"167101550575{n:04}\"}}) {{ id }}", n = n + 1))
        .collect();
    let reply = app.post(&officer, &format!("{{ {} }}", fields.join(" ")), json!({})).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body["errors"].as_array().unwrap().len(), 5, "{}", reply.body);
    assert_spent(&reply);
    assert_eq!(misses(&app).await, 100);
}

#[tokio::test]
async fn an_invisible_person_and_an_unknown_number_cost_the_same() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let stranger = app.officer(&["15"]).await;
    let foreign = ask(&app, &stranger, person.0["nationalId"].as_str().unwrap()).await;
    let absent = ask(&app, &stranger, NOBODY).await;
    assert_eq!((foreign.status, foreign.body), (absent.status, absent.body));
    assert_eq!(misses(&app).await, 2);
}

#[tokio::test]
async fn enrolling_an_invisible_person_costs_a_miss_and_reveals_nothing() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let channel = app.channel("BR-PLG").await;
    let (mine, theirs) = (app.employer("Punya Saya").await, app.employer("Punya Orang").await);
    let person = Person::new(&channel).at(&theirs).with("fullName", json!("Ani Rahasia"));
    app.enrolled(&person).await;
    let partner = app.partner(&mine).await;
    let guess =
        person.clone().at(&mine).with("birthDate", json!("1985-08-03")).with("fullName", json!("Budi"));
    let number = guess.0["nationalId"].as_str().unwrap().replace("420885", "430885");
    // An unregistered number is enrolled, which is not a miss.
    let own = guess.clone().with("nationalId", json!(number));
    assert_eq!(app.enroll_as(&partner, &own).await["errors"], json!([]));
    assert_eq!(misses(&app).await, 0);
    let payload = app.enroll_as(&partner, &person.clone().at(&mine).with("fullName", json!("Budi"))).await;
    assert_eq!(codes(&payload["errors"]), ["IDENTITY_MISMATCH"]);
    assert_eq!((&payload["participant"], &payload["enrollment"]), (&json!(null), &json!(null)));
    assert!(!payload.to_string().contains("Rahasia") && !payload.to_string().contains("Orang"), "{payload}");
    assert_eq!(misses(&app).await, 1);
    // Mistakes about its own people are not misses.
    let again = app.enroll_as(&partner, &own).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!(misses(&app).await, 1);

    spend(&app, &format!("PARTNER-{mine}"), 100).await;
    let mutation =
        "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { code } } }";
    let spent = app
        .post(&partner, mutation, json!({"input": person.at(&mine).with("fullName", json!("Budi")).0}))
        .await;
    assert_spent(&spent);
    assert_eq!(spent.status, StatusCode::TOO_MANY_REQUESTS);
    let administrator = app.token(Role::Administrator, TokenScope::default()).await;
    assert_eq!(ask(&app, &administrator, NOBODY).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_roster_that_guesses_numbers_is_rolled_back() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let channel = app.channel("BR-PLG").await;
    let (mine, theirs) = (app.government("Punya Saya").await, app.government("Punya Orang").await);
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { counts { enrolled rejected } } errors { code } } }";
    let input = |employer: &str, key: &str, rows: Vec<Value>| {
        json!({"input": {"employerId": employer, "channelCode": channel, "provinceCode": "16", "idempotencyKey": key,
                         "startsOn": "2014-11-01", "rows": rows}})
    };
    let known: Vec<Value> = (1..=3).map(row).collect();
    app.ask(onboard, input(&theirs, "roster-of-the-others", known.clone())).await;
    let partner = app.partner(&mine).await;
    let guesses = known.into_iter().map(|mut row| {
        row["fullName"] = json!("Orang Lain");
        row
    });
    let roster = input(&mine, "roster-with-guesses-1", guesses.chain([row(9)]).collect());
    spend(&app, &format!("PARTNER-{mine}"), 98).await;
    let spent = app.post(&partner, onboard, roster.clone()).await;
    assert_spent(&spent);
    assert!(!spent.body.to_string().contains("rejected"), "{}", spent.body);
    assert_eq!(app.count("select count(*) from participant").await, 3);
    assert_eq!(app.count("select count(*) from onboarding_batch").await, 1);
    // In another hour the roster has three rejected rows, and a retry gets the same answer even if the quota is used up.
    sqlx::query("delete from lookup_miss").execute(&app.sql).await.unwrap();
    let counts = json!({"enrolled": 1, "rejected": 3});
    let done = app.ask_as(&partner, onboard, roster.clone()).await;
    assert_eq!(done["onboardCivilServants"]["batch"]["counts"], counts);
    assert_eq!(misses(&app).await, 3);
    spend(&app, &format!("PARTNER-{mine}"), 1_000).await;
    let again = app.ask_as(&partner, onboard, roster).await;
    assert_eq!(again["onboardCivilServants"]["batch"]["counts"], counts);
}

#[tokio::test]
async fn the_quota_also_limits_clients_that_see_the_whole_country() {
    let app = App::new().await;
    app.begin_within_an_hour().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let officer = app.officer(&[]).await;
    let wrong = person.clone().with("fullName", json!("Orang Lain"));
    assert_eq!(codes(&app.enroll_as(&officer, &wrong).await["errors"]), ["IDENTITY_MISMATCH"]);
    // With correct data, the officer could have read that the person is enrolled: no miss.
    assert_eq!(codes(&app.enroll_as(&officer, &person).await["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!(misses(&app).await, 1);
}

#[tokio::test]
async fn a_chunk_that_is_tried_again_counts_its_misses_once() {
    let onboardings = Onboardings::new(4).await;
    let app = &onboardings.app;
    for n in 1..=3 {
        let stranger = Person::new("BR-PLG")
            .with("nationalId", row(n)["nationalId"].clone())
            .with("birthDate", json!("1960-08-02"))
            .with("sex", json!("MALE"))
            .with("fullName", json!("Zainal Arifin"));
        app.enrolled(&stranger).await;
    }
    app.begin_within_an_hour().await;
    let partner = app.partner(&onboardings.employer).await;
    // Each checkpoint, which follows the count, fails once like a serialization conflict.
    app.owner(
        "create sequence checkpoint;
         grant usage on sequence checkpoint to public;
         create function fails_once() returns trigger language plpgsql as $$ begin
             if nextval('checkpoint') % 2 = 1 then raise exception 'conflict' using errcode = '40001'; end if;
             return new;
         end $$;
         create trigger fails_once before update of next_row on onboarding_batch for each row
             when (new.next_row > old.next_row) execute function fails_once();",
    )
    .await;
    let onboardings = Onboardings { sender: partner, ..onboardings };
    let batch = onboardings.start_and_upload(json!({}), &roster((1..=6).map(line))).await;
    onboardings.work().await;
    let found = onboardings.fetch(&batch).await;
    let expected = (&json!("AWAITING_APPROVAL"), [6, 3, 0, 0, 3]);
    assert_eq!((&found["state"], sums(&found["counts"])), expected, "{found}");
    assert_eq!(
        onboardings.app.count("select last_value from checkpoint").await,
        4,
        "both chunks were tried twice"
    );
    assert_eq!(misses(&onboardings.app).await, 3);
}
