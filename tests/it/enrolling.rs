//! Enrolling one person: what is accepted, what is refused and why, and races.

use domain::actor::Role;

use crate::support::app::{codes, problems};
use crate::support::{App, Person, TokenScope, Value, json};

#[tokio::test]
async fn an_enrollment_creates_card_event_and_counts() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let person = Person::new(&channel)
        .with("monthlyWage", json!(2_000_000))
        .with("firstContributionPaid", json!(true));
    let id = app.enrolled(&person).await;
    let query = "query ($id: ID!) { participant(by: {id: $id}) { cardNumber nationalId fullName birthDate status
        channel { code counts { total active } } province { code counts { total active registered } }
        enrollments { totalCount nodes { segment status startsOn paidThrough monthlyWage flags
            contributions { programme employer worker } } }
        events { totalCount nodes { kind effectiveOn recordedBy channel { code } enrollment { segment } } } } }";
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let reply = app.post_for(b"test of enrolling", &reader, query, json!({"id": id})).await;
    let found = &reply.body["data"]["participant"];
    let card = found["cardNumber"].as_str().unwrap();
    assert_eq!((card.len(), card.bytes().all(|digit| digit.is_ascii_digit())), (11, true));
    let national_id = person.0["nationalId"].as_str().unwrap();
    assert_eq!(found["nationalId"], json!(national_id));
    assert_eq!((&found["birthDate"], &found["status"]), (&json!("1985-08-02"), &json!("ACTIVE")));
    assert_eq!(found["channel"], json!({"code": "BR-PLG", "counts": {"total": 1, "active": 1}}));
    assert_eq!(
        found["province"],
        json!({"code": "16", "counts": {"total": 1, "active": 1, "registered": 0}})
    );
    assert_eq!(
        found["enrollments"],
        json!({"totalCount": 1, "nodes": [{
            "segment": "SELF_EMPLOYED", "status": "ACTIVE", "startsOn": "2014-10-02", "paidThrough": "2014-10-31",
            "monthlyWage": 2_000_000, "flags": [],
            "contributions": [{"programme": "WORK_ACCIDENT", "employer": 0, "worker": 20_000},
                              {"programme": "DEATH", "employer": 0, "worker": 6_800}],
        }]})
    );
    assert_eq!(
        found["events"],
        json!({"totalCount": 1, "nodes": [{"kind": "ENROLLED", "effectiveOn": "2014-10-02",
            "recordedBy": "ADMINISTRATOR", "channel": {"code": "BR-PLG"}, "enrollment": {"segment": "SELF_EMPLOYED"}}]})
    );
}

#[tokio::test]
async fn a_second_open_enrollment_of_the_same_kind_is_refused() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let again = app.enroll(&person).await;
    assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"]);
    assert_eq!((&again["participant"], &again["enrollment"]), (&json!(null), &json!(null)));
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn a_known_person_gets_a_further_enrollment_and_is_still_one_person() {
    let app = App::new().await;
    let (first, second) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let (mill, port) = (app.employer("Pabrik Satu").await, app.employer("Pelabuhan Dua").await);
    let person = Person::new(&first);
    let id = app.enrolled(&person).await;
    // Another spelling and a title, as in real lists.
    let at_mill = person
        .clone()
        .at(&mill)
        .with("channelCode", json!(second))
        .with("fullName", json!("Dra. SITI  Rahayu, M.Si."));
    assert_eq!(app.enrolled(&at_mill.clone().with("firstContributionPaid", json!(true))).await, id);
    assert_eq!(app.enrolled(&at_mill.at(&port)).await, id);
    let query = "query ($id: ID!) { participant(by: {id: $id}) { status channel { code } employer { name }
        enrollments { nodes { segment employer { name } channel { code } } } province { counts { total active } } } }";
    let found = app.ask(query, json!({"id": id})).await["participant"].take();
    assert_eq!(found["status"], "ACTIVE");
    assert_eq!(found["channel"]["code"], "BR-ONE", "the channel of the first enrollment never changes");
    assert_eq!(found["employer"]["name"], "Pelabuhan Dua", "the newest open enrollment");
    assert_eq!(found["province"]["counts"], json!({"total": 1, "active": 1}));
    assert_eq!(
        found["enrollments"]["nodes"],
        json!([
            {"segment": "WAGE_EARNER", "employer": {"name": "Pelabuhan Dua"}, "channel": {"code": "BR-TWO"}},
            {"segment": "WAGE_EARNER", "employer": {"name": "Pabrik Satu"}, "channel": {"code": "BR-TWO"}},
            {"segment": "SELF_EMPLOYED", "employer": null, "channel": {"code": "BR-ONE"}},
        ])
    );
}

#[tokio::test]
async fn a_registered_number_with_other_personal_data_is_a_mismatch() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    let employer = app.employer("Pabrik").await;
    for (field, value) in [("birthDate", "1985-08-03"), ("sex", "MALE"), ("fullName", "Dewi Lestari")] {
        let payload = app.enroll(&person.clone().at(&employer).with(field, json!(value))).await;
        let codes = codes(&payload["errors"]);
        assert!(codes.contains(&"IDENTITY_MISMATCH"), "{field}: {codes:?}");
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
}

#[tokio::test]
async fn all_problems_are_reported_together_with_their_paths() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await)
        .with("nationalId", json!("9971014208850001"))
        .with("fullName", json!("  "))
        .with("birthDate", json!("2013-08-02"))
        .with("monthlyWage", json!(-5))
        .with("phone", json!("nobody"))
        .with("programmes", json!(["PENSION"]));
    let payload = app.enroll(&person).await;
    let mut found: Vec<(String, String)> = payload["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["code"].as_str().unwrap().into(), e["path"][0].as_str().unwrap().into()))
        .collect();
    found.sort();
    let expected = [
        ("INVALID_FORMAT", "phone"),
        ("NATIONAL_ID_UNKNOWN_REGION", "nationalId"),
        ("OUT_OF_RANGE", "birthDate"),
        ("OUT_OF_RANGE", "monthlyWage"),
        ("PROGRAMME_NOT_IN_FORCE", "programmes"),
        ("REQUIRED", "fullName"),
        ("REQUIRED", "programmes"),
    ];
    assert_eq!(found, expected.map(|(code, path)| (code.to_owned(), path.to_owned())));
    assert_eq!(app.count("select count(*) from identifier").await, 0);
}

#[tokio::test]
async fn an_unknown_code_does_not_hide_other_problems() {
    let app = App::new().await;
    let person = Person::new("NO-SUCH")
        .with("provinceCode", json!("99"))
        .with("nationalId", json!("12"))
        .with("fullName", json!(" "))
        .with("programmes", json!([]));
    let payload = app.enroll(&person).await;
    let mut found = problems(&payload);
    found.sort_unstable();
    let expected = [
        ("NATIONAL_ID_MALFORMED", "nationalId"),
        ("NOT_FOUND", "channelCode"),
        ("NOT_FOUND", "provinceCode"),
        ("REQUIRED", "fullName"),
        ("REQUIRED", "programmes"),
    ];
    assert_eq!(found, expected);
    assert_eq!(app.count("select count(*) from identifier").await, 0);
}

#[tokio::test]
async fn an_unknown_employer_hides_no_other_problem_and_is_not_missing() {
    let app = App::new().await;
    let unknown = app.employer("PT Musi").await;
    let forget = "alter table headcount_declaration disable trigger user; delete from headcount_declaration;
                  delete from employer";
    sqlx::raw_sql(forget).execute(&app.sql).await.unwrap();
    let person = Person::new("NO-SUCH")
        .at(&unknown)
        .with("monthlyWage", json!(-5))
        .with("startsOn", json!("2016-01-01"));
    let payload = app.enroll(&person).await;
    let mut found = problems(&payload);
    found.sort_unstable();
    let expected = [
        ("NOT_FOUND", "channelCode"),
        ("NOT_FOUND", "employerId"),
        ("OUT_OF_RANGE", "monthlyWage"),
        ("OUT_OF_RANGE", "startsOn"),
    ];
    for problem in expected {
        assert!(found.contains(&problem), "{problem:?}: {found:?}");
    }
    assert!(!found.contains(&("REQUIRED", "employerId")), "it was given: {found:?}");
}

#[tokio::test]
async fn programmes_that_require_each_other_are_enforced_with_their_source() {
    let app = App::new().await;
    let alone =
        Person::new(&app.channel("BR-PLG").await).with("programmes", json!(["WORK_ACCIDENT", "OLD_AGE"]));
    for (segment, source) in [("SELF_EMPLOYED", "Agency"), ("MIGRANT_WORKER", "Agency")] {
        let payload = app.enroll(&alone.clone().with("segment", json!(segment))).await;
        assert_eq!(codes(&payload["errors"]), ["REQUIRED"]);
        assert_eq!(payload["errors"][0]["path"], json!(["programmes"]));
        assert!(payload["errors"][0]["hint"].as_str().unwrap().starts_with(source), "{payload}");
    }
    let employed = alone.at(&app.employer("PT Musi").await);
    let hint = |payload: Value| payload["errors"][0]["hint"].as_str().unwrap().to_owned();
    assert!(hint(app.enroll(&employed).await).contains("PP 84/2013"));
    let later = employed.with("startsOn", json!("2015-07-01"));
    assert!(hint(app.enroll(&later).await).contains("Perpres 109/2013 Pasal 6(3)"));
    let builder =
        later.with("segment", json!("CONSTRUCTION")).with("programmes", json!(["WORK_ACCIDENT", "DEATH"]));
    assert_eq!(app.enroll(&builder).await["errors"], json!([]));
}

#[tokio::test]
async fn contributions_follow_the_law_of_the_first_day_and_migrants_pay_once() {
    let app = App::on("2022-01-03T03:00:00Z").await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Musi").await;
    let reader = app.reader(Role::Administrator, TokenScope::default()).await;
    let due = async |person: Person| {
        let enrollment = app.enroll(&person).await["enrollment"]["id"].take();
        let query =
            "query ($id: ID!) { node(id: $id) { ... on Enrollment { contributions { employer worker frequency
            rule { code validUntil } } } } }";
        let reply = app.post_for(b"test of rates", &reader, query, json!({"id": enrollment})).await;
        reply.body["data"]["node"]["contributions"].clone()
    };
    let amount = |employer: i64, worker: i64, frequency: &str, code: &str, until: Value| {
        json!({"employer": employer, "worker": worker, "frequency": frequency,
               "rule": {"code": code, "validUntil": until}})
    };
    let employed = |day: &str| {
        let person = Person::new(&channel).at(&employer).with("monthlyWage", json!(2_000_000));
        person.with("startsOn", json!(day))
    };
    let always = Value::Null;
    let normal = json!([
        amount(4_800, 0, "MONTHLY", "JKK-PU-1", always.clone()),
        amount(6_000, 0, "MONTHLY", "JKM-PU", always.clone())
    ]);
    assert_eq!(due(employed("2020-07-31")).await, normal);
    assert_eq!(due(employed("2021-02-01")).await, normal);
    // PP 49/2020 reduced contributions to one percent.
    let end = json!("2021-01-31");
    let relief = json!([
        amount(48, 0, "MONTHLY", "JKK-PU-1-RELIEF", end.clone()),
        amount(60, 0, "MONTHLY", "JKM-PU-RELIEF", end)
    ]);
    assert_eq!(due(employed("2020-09-01")).await, relief);
    let migrant = Person::new(&channel).with("segment", json!("MIGRANT_WORKER"));
    let once = json!([
        amount(0, 370_000, "ONCE", "JKK-PMI", always.clone()),
        amount(0, 0, "ONCE", "JKM-PMI", always)
    ]);
    assert_eq!(due(migrant).await, once);
    // Without a known income, only the amounts that do not depend on it are due.
    let own = due(Person::new(&channel)).await;
    assert_eq!(own, json!([amount(0, 6_800, "MONTHLY", "JKM-BPU", Value::Null)]));
}

#[tokio::test]
async fn a_number_that_disagrees_with_birth_or_sex_is_a_warning_and_the_enrollment_is_flagged() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await)
        .with("birthDate", json!("1985-08-03"))
        .with("sex", json!("MALE"));
    let payload = app.enroll(&person).await;
    assert_eq!(codes(&payload["errors"]), ["NATIONAL_ID_BIRTH_MISMATCH", "NATIONAL_ID_SEX_MISMATCH"]);
    assert!(payload["errors"].as_array().unwrap().iter().all(|error| error["severity"] == "WARNING"));
    let query = "query ($id: ID!) { node(id: $id) { ... on Enrollment { flags } } }";
    let flags = app.ask(query, json!({"id": payload["enrollment"]["id"]})).await;
    assert_eq!(flags["node"]["flags"], json!(["NATIONAL_ID_BIRTH_MISMATCH", "NATIONAL_ID_SEX_MISMATCH"]));
}

#[tokio::test]
async fn a_civil_servant_is_eligible_in_2014_and_not_in_2016() {
    let app = App::on("2016-01-04T03:00:00Z").await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah Provinsi").await);
    let servant =
        json!({"serviceNumber": "198508022008012001", "workUnit": "Dinas Kesehatan", "grade": "III/a"});
    let person = Person::new(&channel).at(&employer).with("civilServant", servant);
    let refused = app.enroll(&person.clone().with("startsOn", json!("2016-01-01"))).await;
    assert_eq!(codes(&refused["errors"]), ["NOT_ELIGIBLE"]);
    assert!(refused["errors"][0]["hint"].as_str().unwrap().contains("PP 70/2015"));
    let payload = app.enroll(&person.with("startsOn", json!("2014-11-01"))).await;
    assert_eq!(payload["errors"], json!([]));
    let query = "query ($id: ID!) { node(id: $id) { ... on Enrollment { civilServant { serviceNumber category workUnit grade } } } }";
    let found = app.ask(query, json!({"id": payload["enrollment"]["id"]})).await;
    assert_eq!(
        found["node"]["civilServant"],
        json!({"serviceNumber": "****************01", "category": "PNS", "workUnit": "Dinas Kesehatan", "grade": "III/a"})
    );
}

#[tokio::test]
async fn problems_of_a_civil_servant_have_a_nested_path() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah Provinsi").await);
    let person =
        Person::new(&channel).at(&employer).with("civilServant", json!({"serviceNumber": "131110468"}));
    let payload = app.enroll(&person).await;
    assert_eq!(codes(&payload["errors"]), ["SERVICE_NUMBER_OLD_FORMAT"]);
    assert_eq!(payload["errors"][0]["path"], json!(["civilServant", "serviceNumber"]));
}

#[tokio::test]
async fn a_service_number_belongs_to_one_person() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah Provinsi").await);
    let servant = json!({"serviceNumber": "198508022008012001"});
    app.enrolled(&Person::new(&channel).at(&employer).with("civilServant", servant.clone())).await;
    let other = Person::new(&channel).at(&employer).with("civilServant", servant);
    let payload = app.enroll(&other).await;
    assert_eq!(codes(&payload["errors"]), ["IDENTITY_MISMATCH"]);
    assert_eq!(payload["errors"][0]["path"], json!(["civilServant", "serviceNumber"]));
    // The refused form did not claim the identity number: the person can be enrolled with the right service number.
    app.enrolled(&other.with("civilServant", json!({"serviceNumber": "198508022008012002"}))).await;
}

#[tokio::test]
async fn a_closed_channel_and_unknown_codes_are_reported_together() {
    let app = App::new().await;
    let channel = app.channel("BR-OLD").await;
    sqlx::query("update channel set closed_on = '2014-01-01' where code = 'BR-OLD'")
        .execute(&app.sql)
        .await
        .unwrap();
    app.database.refresh_reference().await.unwrap();
    let payload = app.enroll(&Person::new(&channel)).await;
    assert_eq!(codes(&payload["errors"]), ["CHANNEL_CLOSED"]);
    let nowhere =
        Person::new("BR-NONE").with("provinceCode", json!("93")).with("employerId", json!("bm9wZQ"));
    let payload = app.enroll(&nowhere).await;
    assert_eq!(codes(&payload["errors"]), ["INVALID_FORMAT", "NOT_FOUND", "NOT_FOUND"]);
    let payload = app.enroll(&Person::new("BR-NONE").with("provinceCode", json!("93"))).await;
    assert_eq!(codes(&payload["errors"]), ["NOT_FOUND", "NOT_FOUND"], "South Papua does not exist in 2014");
}

#[tokio::test]
async fn of_two_concurrent_enrollments_of_one_person_one_is_refused() {
    let app = App::new().await;
    let channels = [app.channel("BR-ONE").await, app.channel("BR-TWO").await];
    for _ in 0..10 {
        let person = Person::new(&channels[0]);
        let other = person.clone().with("channelCode", json!(channels[1]));
        let (one, two) = tokio::join!(app.enroll(&person), app.enroll(&other));
        let (mut one, mut two) = (codes(&one["errors"]).len(), codes(&two["errors"]).len());
        if one > two {
            std::mem::swap(&mut one, &mut two);
        }
        assert_eq!((one, two), (0, 1));
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 10);
    assert_eq!(app.count("select count(*) from participant").await, 10);
    assert_eq!(
        app.count("select sum(persons)::bigint from count_delta where standing is not null").await,
        10
    );
}

#[tokio::test]
async fn an_employer_that_closes_after_the_form_was_judged_refuses_it() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let form = Person::new(&channel).at(&app.employer("PT Musi").await).with("monthlyWage", json!(3_000_000));
    let mut closing = app.sql.begin().await.unwrap();
    let close =
        "select pg_advisory_xact_lock(hashtext('participant_registry.employer'), hashint8(id)) from employer;
                 update employer set closed_on = '2014-10-01'";
    sqlx::raw_sql(close).execute(&mut *closing).await.unwrap();
    let mut enrolling = Box::pin(app.enroll(&form));
    let waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database()))";
    loop {
        tokio::select! {
            payload = &mut enrolling => panic!("it did not wait for the closing: {payload}"),
            () = tokio::task::yield_now() => {}
        }
        if sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut *closing).await.unwrap() {
            break;
        }
    }
    closing.commit().await.unwrap();
    assert_eq!(problems(&enrolling.await), [("CONFLICT", "employerId")]);
    assert_eq!(app.count("select count(*) from identifier").await, 0, "the claimed number was released");
}

#[tokio::test]
async fn the_database_contains_no_plain_identity_number() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah Provinsi").await);
    let service_number = "198508022008012001";
    let person = Person::new(&channel)
        .at(&employer)
        .with("phone", json!("081234567890"))
        .with("civilServant", json!({"serviceNumber": service_number}))
        .with("idempotencyKey", json!("a-key-of-sixteen"));
    app.enrolled(&person).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&app.sql)
    .await
    .unwrap();
    let mut dump = String::new();
    for table in tables {
        let sql =
            sqlx::AssertSqlSafe(format!("select coalesce(string_agg(t::text, ' '), '') from {table} t"));
        let rows: String = sqlx::query_scalar(sql).fetch_one(&app.sql).await.unwrap();
        dump.push_str(&rows);
    }
    assert!(dump.contains("Siti Rahayu"), "the dump contains the rows");
    for number in [person.0["nationalId"].as_str().unwrap(), service_number, "81234567890"] {
        assert!(!dump.contains(number));
    }
}

#[tokio::test]
async fn a_person_who_left_cannot_be_enrolled_again_for_the_same_days() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let employer = app.employer("PT Sawit Makmur").await;
    let person = Person::new(&channel).at(&employer).with("startsOn", json!("2014-07-01"));
    let (_, enrollment) = app.enrollment(&person).await;
    assert_eq!(app.end(&enrollment, "2014-09-01", "RESIGNED").await["errors"], json!([]));
    for first_day in ["2014-07-01", "2014-06-01", "2014-08-31"] {
        let again = app.enroll(&person.clone().with("startsOn", json!(first_day))).await;
        assert_eq!(codes(&again["errors"]), ["ALREADY_ENROLLED"], "{first_day}");
        assert!(again["errors"][0]["hint"].as_str().unwrap().contains("not before the day"), "{again}");
    }
    // The person may return from the end of the first enrollment on, which is exclusive.
    let (_, second) = app.enrollment(&person.clone().with("startsOn", json!("2014-09-01"))).await;
    // An enrollment made in error is void, so it does not block the right one.
    assert_eq!(app.end(&second, "2014-09-01", "ENROLLED_IN_ERROR").await["errors"], json!([]));
    app.enrolled(&person.with("startsOn", json!("2014-09-01"))).await;
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn an_enrollment_starts_at_most_one_year_ahead() {
    let app = App::new().await;
    app.channel("BR-PLG").await;
    let from = |day: &str| Person::new("BR-PLG").with("startsOn", json!(day));
    assert_eq!(codes(&app.enroll(&from("2015-10-03")).await["errors"]), ["OUT_OF_RANGE"]);
    assert_eq!(app.enroll(&from("2015-10-02")).await["errors"], json!([]));
}
