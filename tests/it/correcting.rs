//! Corrections: old values stay readable, former numbers stay reserved, and the history reveals no more than the field.

use domain::actor::{Actor, Role, Scope};
use sqlx::Row as _;

use crate::support::app::{codes, problems};
use crate::support::{App, Person, TokenScope, Value, json};

const HISTORY: &str = "query ($id: ID!) { participant(by: {id: $id}) { nationalId events(first: 1) { nodes {
    kind effectiveOn recordedBy reason channel { code } enrollment { id } changes { field before after } } } } }";

#[tokio::test]
async fn old_values_stay_readable_for_roles_that_may_read_the_field() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    let id = app.enrolled(&person).await;
    let number = person.0["nationalId"].as_str().unwrap();
    let fields = json!({"fullName": "Siti Rahayu, S.E.", "birthDate": "1986-08-02", "channelCode": "BR-PLG",
        "nationalId": "1671014208869992", "reason": "KTP of 2014"});
    let payload = app.correct(&id, fields).await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(
        payload["participant"],
        json!({"id": id, "fullName": "Siti Rahayu, S.E.", "nationalId": "**************92", "birthYear": 1986,
               "sex": "FEMALE", "province": {"code": "16"}})
    );
    let masked = format!("**************{}", &number[14..]);
    let event = |changes: Value, reason: Value| {
        json!([{"kind": "CORRECTED", "effectiveOn": "2014-10-02", "recordedBy": "ADMINISTRATOR", "reason": reason,
            "channel": {"code": "BR-PLG"}, "enrollment": null, "changes": changes}])
    };
    let answer = app.ask(HISTORY, json!({"id": id})).await["participant"].take();
    assert_eq!(
        answer["events"]["nodes"],
        event(
            json!([{"field": "FULL_NAME", "before": "Siti Rahayu", "after": "Siti Rahayu, S.E."},
                   {"field": "BIRTH_DATE", "before": "1985", "after": "1986"},
                   {"field": "NATIONAL_ID", "before": masked, "after": "**************92"}]),
            Value::Null
        )
    );
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of corrections", &reader, HISTORY, json!({"id": id})).await;
    assert_eq!(
        reply.body["data"]["participant"]["events"]["nodes"],
        event(
            json!([{"field": "FULL_NAME", "before": "Siti Rahayu", "after": "Siti Rahayu, S.E."},
                   {"field": "BIRTH_DATE", "before": "1985-08-02", "after": "1986-08-02"},
                   {"field": "NATIONAL_ID", "before": number, "after": "1671014208869992"}]),
            json!("KTP of 2014")
        )
    );
    // The history contains neither number.
    let details: String =
        sqlx::query("select string_agg(details::text, ' ') as details from participant_event")
            .fetch_one(&app.sql)
            .await
            .unwrap()
            .get("details");
    assert!(details.contains("KTP of 2014") && !details.contains("167101"), "{details}");
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_former_number_still_finds_its_person_and_cannot_be_reused() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = Person::new(&channel);
    let id = app.enrolled(&person).await;
    let former = person.0["nationalId"].clone();
    let number = json!("1671014208859993");
    assert_eq!(app.correct(&id, json!({"nationalId": number})).await["errors"], json!([]));
    let by = "query ($number: String!) { participant(by: {nationalId: $number}) { id nationalId } }";
    for number in [&former, &number] {
        let found = app.ask(by, json!({"number": number})).await;
        assert_eq!(found["participant"], json!({"id": id, "nationalId": "**************93"}));
        // Both numbers identify the same person.
        let again = app.enroll(&person.clone().with("nationalId", number.clone())).await;
        assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    }
    // No other person can be corrected to one of them.
    let other = app.enrolled(&Person::new(&channel)).await;
    for number in [&former, &number] {
        let payload = app.correct(&other, json!({"nationalId": number})).await;
        assert_eq!(problems(&payload), [("IDENTITY_MISMATCH", "nationalId")]);
        assert_eq!(payload["participant"], Value::Null);
    }
    assert_eq!(app.count("select count(*) from identifier").await, 3);
    assert_eq!(app.count("select count(*) from identifier where superseded_at is not null").await, 1);
    // The person can get the former number back.
    assert_eq!(app.correct(&id, json!({"nationalId": former})).await["errors"], json!([]));
    let superseded = "select count(*) from identifier where superseded_at is not null and participant_id = (
        select participant_id from former_number order by event_id limit 1)";
    assert_eq!(app.count(superseded).await, 1);
    assert_eq!(app.count("select count(*) from former_number").await, 2);
}

#[tokio::test]
async fn all_problems_of_a_correction_are_reported_together_and_nothing_is_written() {
    let app = App::new().await;
    let id = app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let nothing = app.correct(&id, json!({"reason": " "})).await;
    assert_eq!(problems(&nothing), [("REQUIRED", "reason"), ("REQUIRED", "fullName")]);
    let same = json!({"fullName": " Siti  Rahayu", "birthDate": "1985-08-02", "sex": "FEMALE", "provinceCode": "16"});
    assert_eq!(problems(&app.correct(&id, same).await), [("CONFLICT", "")]);
    let wrong = json!({"fullName": "", "nationalId": "12", "birthDate": "2014-10-03", "provinceCode": "99",
        "channelCode": "BR-NONE"});
    let expected = [
        ("NOT_FOUND", "provinceCode"),
        ("NOT_FOUND", "channelCode"),
        ("REQUIRED", "fullName"),
        ("NATIONAL_ID_MALFORMED", "nationalId"),
        ("OUT_OF_RANGE", "birthDate"),
    ];
    assert_eq!(problems(&app.correct(&id, wrong).await), expected);
    let long = app.correct(&id, json!({"sex": "MALE", "reason": "NIK 1671014208850001"})).await;
    assert_eq!(problems(&long), [("INVALID_FORMAT", "reason")]);
    let nobody = app.correct("cDk5OTk5", json!({"sex": "MALE"})).await;
    assert_eq!(problems(&nobody), [("NOT_FOUND", "participantId")]);
    assert_eq!(
        problems(&app.correct("nonsense", json!({"sex": "MALE"})).await),
        [("INVALID_FORMAT", "participantId")]
    );
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CORRECTED'").await, 0);
    assert_eq!(app.count("select count(*) from identifier").await, 1);
}

#[tokio::test]
async fn rules_are_checked_again_with_the_corrected_values() {
    let app = App::new().await;
    let id = app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let doubted = app.correct(&id, json!({"birthDate": "1985-08-03", "sex": "MALE"})).await;
    assert_eq!(
        problems(&doubted),
        [("NATIONAL_ID_BIRTH_MISMATCH", "birthDate"), ("NATIONAL_ID_SEX_MISMATCH", "sex")]
    );
    assert_eq!(doubted["participant"]["sex"], "MALE", "a warning refuses nothing");
    // With the corrected birth date, the person was too young for the open enrollment.
    let child = app.correct(&id, json!({"birthDate": "2004-08-02"})).await;
    let codes = problems(&child);
    assert!(codes.contains(&("OUT_OF_RANGE", "birthDate")), "{codes:?}");
    assert_eq!(child["participant"], Value::Null);
    let hints = child["errors"].to_string();
    assert!(hints.contains("ENROLLED_IN_ERROR") && hints.contains("August 2014"), "{hints}");
}

#[tokio::test]
async fn a_corrected_province_moves_the_counts_of_all_days() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await).with("startsOn", json!("2014-09-01"));
    let id = app.enrolled(&person).await;
    app.fold().await;
    let payload = app.correct(&id, json!({"provinceCode": "15"})).await;
    assert_eq!(payload["participant"]["province"]["code"], "15");
    let counts = "{ here: province(code: \"16\") { counts { total } } there: province(code: \"15\") { counts { total } } }";
    for _ in 0..2 {
        let answer = app.ask(counts, json!({})).await;
        assert_eq!(
            (&answer["here"]["counts"]["total"], &answer["there"]["counts"]["total"]),
            (&json!(0), &json!(1))
        );
        assert_eq!(app.differing_counters().await, 0);
        app.fold().await;
    }
    let past =
        "select sum(persons)::bigint from figure_day where province_id = 16 and effective_on = '2014-09-01'";
    assert_eq!(app.count(past).await, 0);
}

#[tokio::test]
async fn officers_correct_their_own_people_but_cannot_move_them_across_provinces() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let here = app.enrolled(&Person::new(&channel)).await;
    let there = app.enrolled(&Person::new(&channel).with("provinceCode", json!("15"))).await;
    let officer = app.officer(&["16"]).await;
    let own = app.correct_as(&officer, &here, json!({"fullName": "Siti Rahayu Ningsih"})).await;
    assert_eq!(
        (&own["errors"], &own["participant"]["fullName"]),
        (&json!([]), &json!("Siti Rahayu Ningsih"))
    );
    let away = app.correct_as(&officer, &here, json!({"provinceCode": "15"})).await;
    assert_eq!(problems(&away), [("OUT_OF_SCOPE", "provinceCode")]);
    let foreign = app.correct_as(&officer, &there, json!({"provinceCode": "16"})).await;
    let mut absent = app.correct_as(&officer, "cDk5OTk5", json!({"provinceCode": "16"})).await;
    assert_eq!(problems(&foreign), [("NOT_FOUND", "participantId")]);
    assert_eq!(foreign, absent.take(), "an invisible record looks missing");
    let both = app.officer(&["16", "15"]).await;
    assert_eq!(app.correct_as(&both, &there, json!({"provinceCode": "16"})).await["errors"], json!([]));
    // Partners cannot correct people that they enroll: the agency does.
    let employer = app.employer("PT Musi").await;
    let partner = app.partner(&employer).await;
    let query = "mutation ($id: ID!) { correctParticipant(input: {participantId: $id, sex: MALE, reason: \"KTP\"}) { errors { code } } }";
    assert_eq!(app.refused(&partner, query, json!({"id": here})).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_correction_to_the_number_of_an_invisible_person_is_a_miss_and_audited() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let here = app.enrolled(&Person::new(&channel)).await;
    let unseen = Person::new(&channel).with("provinceCode", json!("15"));
    app.enrolled(&unseen).await;
    let officer = app.officer(&["16"]).await;
    let fields = json!({"nationalId": unseen.0["nationalId"]});
    app.begin_within_an_hour().await;
    assert_eq!(
        problems(&app.correct_as(&officer, &here, fields.clone()).await),
        [("IDENTITY_MISMATCH", "nationalId")]
    );
    assert_eq!(app.count("select misses from lookup_miss where client = 'OFFICER-16'").await, 1);
    let answer =
        "select count(*) from audit_entry where client = 'OFFICER-16' and operation = 'correctParticipant'
        and cardinality(subjects) = 2";
    assert_eq!(app.count(answer).await, 1);
    sqlx::query("update lookup_miss set misses = 100").execute(&app.sql).await.unwrap();
    let query = "mutation ($input: CorrectParticipantInput!) { correctParticipant(input: $input) { errors { code } } }";
    let input = json!({"participantId": here, "reason": "KTP", "nationalId": fields["nationalId"]});
    assert_eq!(app.refused(&officer, query, json!({"input": input})).await, "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn of_two_concurrent_corrections_to_one_number_one_is_refused() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    for n in 0..8 {
        let (one, two) =
            (app.enrolled(&Person::new(&channel)).await, app.enrolled(&Person::new(&channel)).await);
        let fields = json!({"nationalId": format!("167101420885980{n}")});
        let (first, second) = tokio::join!(app.correct(&one, fields.clone()), app.correct(&two, fields));
        let mut answer = [problems(&first), problems(&second)];
        answer.sort();
        assert_eq!(answer, [vec![], vec![("IDENTITY_MISMATCH", "nationalId")]]);
    }
    assert_eq!(app.count("select count(*) from former_number").await, 8);
    assert_eq!(app.count("select count(*) from identifier").await, 24);
}

#[tokio::test]
async fn a_correction_happens_once_per_idempotency_key() {
    let app = App::new().await;
    let id = app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let fields = json!({"nationalId": "1671014208859994", "idempotencyKey": "correction-00001"});
    let first = app.correct(&id, fields.clone()).await;
    assert_eq!(first["errors"], json!([]));
    assert_eq!(app.correct(&id, fields).await, first);
    let reused = json!({"nationalId": "1671014208859995", "idempotencyKey": "correction-00001"});
    assert_eq!(problems(&app.correct(&id, reused).await), [("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")]);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'CORRECTED'").await, 1);
}

#[tokio::test]
async fn row_security_hides_former_numbers_of_invisible_people() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let id = app.enrolled(&Person::new(&channel).at(&employer)).await;
    assert_eq!(app.correct(&id, json!({"nationalId": "1671014208859996"})).await["errors"], json!([]));
    let reference = app.database.reference();
    let provinces = |code: &str| vec![reference.province_by_code(code).unwrap().id];
    let employer = participant_registry::graphql::node_id::employer_id(&employer).ok();
    let foreign = employer.map(|id| id + 1);
    let scopes = [
        (Scope::default(), 1),
        (Scope { provinces: provinces("16"), ..Scope::default() }, 1),
        (Scope { provinces: provinces("15"), ..Scope::default() }, 0),
        (Scope { employer, ..Scope::default() }, 1),
        (Scope { employer: foreign, ..Scope::default() }, 0),
        (Scope { association: Some(1), ..Scope::default() }, 0),
        (Scope { channels: vec![reference.channel_by_code(&channel).unwrap().id], ..Scope::default() }, 1),
        (Scope { channels: vec![999_999], ..Scope::default() }, 0),
        (Scope { provinces: provinces("15"), employer, ..Scope::default() }, 0),
    ];
    for (scope, expected) in scopes {
        let actor = Actor { scope: scope.clone(), ..Actor::command_line() };
        let session = app.database.reading(&actor);
        let shown: i64 =
            sqlx::query_scalar("select count(*) from former_number").fetch_one(&session).await.unwrap();
        assert_eq!(shown, expected, "{scope:?}");
    }
}

#[tokio::test]
async fn a_birth_date_cannot_be_corrected_past_an_enrollment_or_a_death() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let (id, enrollment) = app.enrollment(&Person::new("BR-PLG").with("startsOn", json!("2014-01-01"))).await;
    app.end(&enrollment, "2014-06-01", "RESIGNED").await;
    let refused = app.correct(&id, json!({"birthDate": "2014-01-02"})).await;
    assert_eq!(codes(&refused["errors"]), ["OUT_OF_RANGE"], "{refused}");
    assert_eq!(
        (&refused["errors"][0]["path"], &refused["participant"]),
        (&json!(["birthDate"]), &json!(null))
    );
    let accepted = app.correct(&id, json!({"birthDate": "1985-08-03"})).await;
    assert_eq!(codes(&accepted["errors"]), ["NATIONAL_ID_BIRTH_MISMATCH"]);
    let hint = accepted["errors"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("the correction is recorded") && !hint.contains("enrolled"), "{hint}");
}
