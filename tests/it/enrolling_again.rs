//! People who are enrolled again: under a former number, after leaving, or during a concurrent write.

use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::rotation::{Rotated, RotationError, rotate};

use crate::support::app::problems;
use crate::support::onboarding::{HEADER, Onboardings, line, roster, sums};
use crate::support::{App, Person, Value, json, row};

const DECEMBER: &str = "2014-12-01T03:00:00Z";

const ONBOARD: &str = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
    batch { counts { enrolled alreadyEnrolled rejected flagged }
        rows { nodes { outcome participant { id } problems { code severity path message hint } } } }
    errors { code path message } } }";

/// An identity number with the birth date of [`row`]s 1 to 998.
const FURTHER: &str = "1671010208609001";
const ONE_MORE: &str = "1671010208609002";

/// Creates an app with a branch and a government employer. Returns the common input of all batches.
async fn batch_terms(app: &App) -> Value {
    let employer = app.government("Pemerintah Provinsi Sumatera Selatan").await;
    let channel = app.channel("BR-PLG").await;
    json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-10-01"})
}

async fn onboard(app: &App, terms: &Value, rows: &[Value]) -> Value {
    let mut input = terms.clone();
    input["rows"] = json!(rows);
    let mut payload = app.ask(ONBOARD, json!({"input": input})).await["onboardCivilServants"].take();
    assert_eq!(payload["errors"], json!([]), "{payload}");
    payload["batch"].take()
}

fn outcomes(batch: &Value) -> Vec<&str> {
    batch["rows"]["nodes"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect()
}

/// Returns the person of a row as self-employed.
fn of_row(row: &Value) -> Person {
    let person = Person::new("BR-PLG").with("fullName", row["fullName"].clone()).with("sex", json!("MALE"));
    person.with("nationalId", row["nationalId"].clone()).with("birthDate", row["birthDate"].clone())
}

/// Returns the row with another identity number.
fn under(row: &Value, number: &str) -> Value {
    let mut row = row.clone();
    row["nationalId"] = json!(number);
    row
}

/// Returns the row with the service number of another one.
fn with_service_number_of(row: &Value, other: &Value) -> Value {
    let mut row = row.clone();
    row["serviceNumber"] = other["serviceNumber"].clone();
    row
}

/// Rotates the key, which fails if an identifier has no person.
async fn rotate_key(app: &App) -> Result<Rotated, RotationError> {
    let ring = KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut connection = app.database.maintenance().await.unwrap();
    rotate(&mut connection, &ring, |_| {}).await
}

const SERVICE_NUMBERS: &str = "select count(*) from identifier where kind = 'SERVICE_NUMBER'";

#[tokio::test]
async fn a_person_under_the_former_and_the_new_number_in_one_request_is_enrolled_once() {
    let app = App::new().await;
    let terms = batch_terms(&app).await;
    let old = row(1);
    let id = app.enrolled(&of_row(&old)).await;
    for number in [FURTHER, ONE_MORE] {
        assert_eq!(app.correct(&id, json!({"nationalId": number})).await["errors"], json!([]));
    }
    let further = with_service_number_of(&under(&old, FURTHER), &row(2));
    let one_more = with_service_number_of(&under(&old, ONE_MORE), &row(3));
    let batch = onboard(&app, &terms, &[old, further, row(4), one_more]).await;
    assert_eq!(outcomes(&batch), ["ENROLLED", "REJECTED", "ENROLLED", "REJECTED"]);
    assert_eq!(batch["counts"], json!({"enrolled": 2, "alreadyEnrolled": 0, "rejected": 2, "flagged": 0}));
    for at in [1, 3] {
        assert_eq!(batch["rows"]["nodes"][at]["problems"][0]["code"], "DUPLICATE_IN_REQUEST");
    }
    assert_eq!(app.count("select count(*) from enrollment where onboarding_batch_id is not null").await, 2);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENROLLED'").await, 3);
    let counts = "query ($id: ID!) { employer(by: {id: $id}) { counts { total registered } } }";
    let counts = app.ask(counts, json!({"id": terms["employerId"]})).await;
    assert_eq!(counts["employer"]["counts"], json!({"total": 2, "registered": 2}));
    assert_eq!(app.differing_counters().await, 0);
    // Refused rows leave no service numbers behind that would stop a key rotation.
    assert_eq!(app.count(SERVICE_NUMBERS).await, 2);
    assert_eq!(rotate_key(&app).await.unwrap().identifiers, 6);
}

#[tokio::test]
async fn if_the_first_row_of_a_person_is_refused_the_second_is_tried() {
    let app = App::new().await;
    let terms = batch_terms(&app).await;
    let (old, stranger) = (row(1), row(2));
    onboard(&app, &terms, std::slice::from_ref(&stranger)).await;
    let id = app.enrolled(&of_row(&old)).await;
    assert_eq!(app.correct(&id, json!({"nationalId": FURTHER})).await["errors"], json!([]));
    // The right identity number, but another person's service number.
    let first = with_service_number_of(&under(&old, FURTHER), &stranger);
    let batch = onboard(&app, &terms, &[first, old]).await;
    assert_eq!(outcomes(&batch), ["REJECTED", "ENROLLED"]);
    assert_eq!(batch["rows"]["nodes"][0]["problems"][0]["path"], json!(["rows", "0", "serviceNumber"]));
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(rotate_key(&app).await.unwrap().participants, 2);
}

#[tokio::test]
async fn a_plan_and_its_application_agree_about_a_person_with_two_numbers() {
    let onboardings = Onboardings::new(1_000).await;
    let old = row(1);
    let id = onboardings.app.enrolled(&of_row(&old)).await;
    assert_eq!(onboardings.app.correct(&id, json!({"nationalId": FURTHER})).await["errors"], json!([]));
    let line = |nip: &Value, nik: &str| {
        let nip = nip["serviceNumber"].as_str().unwrap();
        format!("1;{nip};{nik};Budi Santoso;1960-08-02;L;Dinas Kesehatan;4.250.000,00")
    };
    let former = line(&old, old["nationalId"].as_str().unwrap());
    let file = [HEADER.to_owned(), former, line(&row(2), FURTHER)].join("\n");
    let batch = onboardings.start_and_upload(json!({}), &file).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&batch).await;
    assert_eq!(sums(&plan["counts"]), [2, 1, 0, 0, 1]);
    let approver = onboardings.app.token(domain::actor::Role::Approver, Default::default());
    let digest = plan["planDigest"].as_str().unwrap();
    assert_eq!(onboardings.approve(&approver.await, &batch, digest).await["errors"], json!([]));
    onboardings.work().await;
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [2, 0, 1, 0, 1]));
    assert_eq!(done["monthlyContributions"], plan["monthlyContributions"]);
    assert_eq!(onboardings.app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_person_under_two_numbers_in_two_chunks_is_enrolled_once_and_named_by_both_rows() {
    let onboardings = Onboardings::new(1).await;
    let id = onboardings.app.enrolled(&of_row(&row(1))).await;
    assert_eq!(onboardings.app.correct(&id, json!({"nationalId": FURTHER})).await["errors"], json!([]));
    let former = line(1);
    let present = line(2).replace(row(2)["nationalId"].as_str().unwrap(), FURTHER);
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster([former, present])).await;
    onboardings.work().await;
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [2, 0, 1, 1, 0]));
    let query = "query ($id: ID!) { onboardingBatch(id: $id) { rows { nodes { participant { id } } } } }";
    let rows = onboardings.app.ask(query, json!({"id": batch})).await["onboardingBatch"]["rows"].take();
    let named = json!({"participant": {"id": id}});
    assert_eq!(rows["nodes"], json!([named, named]));
    assert_eq!(onboardings.app.differing_counters().await, 0);
    assert_eq!(onboardings.app.count(SERVICE_NUMBERS).await, 1);
}

#[tokio::test]
async fn a_row_that_loses_a_race_leaves_no_identifier_behind() {
    let app = App::new().await;
    let terms = batch_terms(&app).await;
    app.enrolled(&of_row(&row(1))).await;
    // The owner of the database writes without taking the registry's locks.
    let mut other = app.sql.begin().await.unwrap();
    let insert = "insert into enrollment (participant_id, employer_id, channel_id, starts_on, counts_from, segment, status,
                                          province_id, programmes)
                  select p.id, e.id, p.channel_id, '2014-10-01', '2014-10-01', 'WAGE_EARNER', 'REGISTERED', p.province_id,
                         '{WORK_ACCIDENT,DEATH}' from participant p, employer e";
    sqlx::raw_sql(insert).execute(&mut *other).await.unwrap();
    let rows = [row(1)];
    let mut batch = Box::pin(onboard(&app, &terms, &rows));
    let waiting = "select count(*) from pg_locks where locktype = 'transactionid' and not granted
                   and pid in (select pid from pg_stat_activity where datname = current_database())";
    loop {
        tokio::select! {
            batch = &mut batch => panic!("it was written twice: {batch}"),
            () = tokio::task::yield_now() => {}
        }
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *other).await.unwrap();
        if waiting > 0 {
            break;
        }
    }
    other.commit().await.unwrap();
    let batch = batch.await;
    assert_eq!(outcomes(&batch), ["ALREADY_ENROLLED"]);
    assert_eq!(app.count(SERVICE_NUMBERS).await, 0);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENROLLED'").await, 1);
    assert_eq!(rotate_key(&app).await.unwrap().identifiers, 1);
}

async fn transfer(app: &App, enrollment: &str, employer: &str, on: &str) -> Value {
    let query = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) {
        enrollment { id } errors { code path message hint } } }";
    let input =
        json!({"enrollmentId": enrollment, "employerId": employer, "channelCode": "BR-PLG", "on": on});
    app.ask(query, json!({"input": input})).await["transferEnrollment"].take()
}

/// Returns the enrollment of a row's person with the employer of the batch.
async fn enrollment_of(app: &App, row: &Value, terms: &Value) -> String {
    let query = "query ($number: String!) { participant(by: {nationalId: $number}) { enrollments { nodes { id employer { id } } } } }";
    let found = app.ask(query, json!({"number": row["nationalId"]})).await;
    let nodes = found["participant"]["enrollments"]["nodes"].as_array().unwrap();
    let own = nodes.iter().find(|node| node["employer"]["id"] == terms["employerId"]).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn repeated_rows_do_not_enroll_people_who_have_left() {
    let app = App::new().await;
    let terms = batch_terms(&app).await;
    let rows = [row(1), row(2), row(3), row(4), row(5)];
    onboard(&app, &terms, &rows).await;
    for (row, on, reason) in [
        (&rows[0], "2014-10-02", "RESIGNED"),
        // The person never started work. The void enrollment still counts as the same one.
        (&rows[1], "2014-10-01", "RESIGNED"),
        (&rows[2], "2014-10-01", "ENROLLED_IN_ERROR"),
    ] {
        let enrollment = enrollment_of(&app, row, &terms).await;
        assert_eq!(app.end(&enrollment, on, reason).await["errors"], json!([]));
    }
    // The roster named the wrong government employer.
    let elsewhere = app.government("Pemerintah Kota Palembang").await;
    let enrollment = enrollment_of(&app, &rows[4], &terms).await;
    assert_eq!(transfer(&app, &enrollment, &elsewhere, "2014-10-01").await["errors"], json!([]));
    let again = onboard(&app, &terms, &rows).await;
    // Void enrollments do not block a corrected roster.
    assert_eq!(
        outcomes(&again),
        ["ALREADY_ENROLLED", "ALREADY_ENROLLED", "ENROLLED", "ALREADY_ENROLLED", "ALREADY_ENROLLED"]
    );
    assert_eq!(again["counts"], json!({"enrolled": 1, "alreadyEnrolled": 4, "rejected": 0, "flagged": 3}));
    let problem = &again["rows"]["nodes"][0]["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["severity"], &problem["path"]),
        (&json!("ALREADY_ENROLLED"), &json!("WARNING"), &json!(["rows", "0", "startsOn"]))
    );
    assert!(problem["hint"].as_str().unwrap().contains("not before the day"), "{problem}");
    assert_eq!(again["rows"]["nodes"][3]["problems"], json!([]), "it continues");
    assert_eq!(app.count("select count(*) from enrollment").await, 7);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_plan_recognises_people_who_have_left() {
    let onboardings = Onboardings::new(2).await;
    let file = roster((1..=3).map(line));
    let direct = json!({"planOnly": false, "startsOn": "2014-10-01"});
    onboardings.start_and_upload(direct, &file).await;
    onboardings.work().await;
    let enrollment = enrollment_of(&onboardings.app, &row(2), &onboardings.input()).await;
    assert_eq!(onboardings.app.end(&enrollment, "2014-10-02", "RESIGNED").await["errors"], json!([]));
    let again = onboardings.start_and_upload(json!({"startsOn": "2014-10-01"}), &file).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&again).await;
    assert_eq!((sums(&plan["counts"]), &plan["counts"]["flagged"]), ([3, 0, 0, 3, 0], &json!(1)));
    assert_eq!(plan["byProblem"], json!([{"code": "ALREADY_ENROLLED", "rows": 1}]));
    // A person who returns has a later first day.
    let back = onboardings.start_and_upload(json!({"startsOn": "2014-10-02"}), &file).await;
    onboardings.work().await;
    assert_eq!(sums(&onboardings.fetch(&back).await["counts"]), [3, 1, 0, 2, 0]);
}

#[tokio::test]
async fn one_employer_cannot_enroll_a_person_twice_for_the_same_days() {
    let app = App::on(DECEMBER).await;
    let (channel, musi, ogan) =
        (app.channel("BR-PLG").await, app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = Person::new(&channel).with("startsOn", json!("2014-07-01"));
    let (id, enrollment) = app.enrollment(&who.clone().at(&musi)).await;
    assert_eq!(app.end(&enrollment, "2014-09-01", "RESIGNED").await["errors"], json!([]));
    let from = |day: &str| who.clone().at(&musi).with("startsOn", json!(day));
    for (day, expected) in [
        ("2014-07-01", ("ALREADY_ENROLLED", "startsOn")),
        ("2014-08-31", ("ALREADY_ENROLLED", "startsOn")),
        // July and August would be covered twice.
        ("2014-06-30", ("ALREADY_ENROLLED", "startsOn")),
    ] {
        let payload = app.enroll(&from(day)).await;
        assert_eq!(problems(&payload), [expected], "{day}");
        assert_eq!(payload["enrollment"], Value::Null);
        assert!(payload["errors"][0]["hint"].as_str().unwrap().contains("not before the day"), "{payload}");
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 1);
    // Other employers and self-employment may cover the same days.
    assert_eq!(app.enrolled(&who.clone().at(&ogan)).await, id);
    assert_eq!(app.enrolled(&who).await, id);
    // A person who left may return from the end on, which is exclusive.
    assert_eq!(app.enrolled(&from("2014-09-01")).await, id);
    let open = app.enroll(&from("2014-11-01")).await;
    assert_eq!(problems(&open), [("ALREADY_ENROLLED", "nationalId")]);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn an_enrollment_made_in_error_can_be_repeated_correctly() {
    let app = App::on(DECEMBER).await;
    let (channel, musi) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    let person = Person::new(&channel).at(&musi).with("monthlyWage", json!(100));
    let (id, enrollment) = app.enrollment(&person).await;
    assert_eq!(app.end(&enrollment, "2014-10-02", "ENROLLED_IN_ERROR").await["errors"], json!([]));
    assert_eq!(app.enrolled(&person.with("monthlyWage", json!(4_000_000))).await, id);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn enrolling_again_during_an_end_is_refused() {
    let app = App::on(DECEMBER).await;
    let (channel, musi) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    for _ in 0..6 {
        let person = Person::new(&channel).at(&musi);
        let (_, enrollment) = app.enrollment(&person).await;
        let (ended, again) =
            tokio::join!(app.end(&enrollment, "2014-11-15", "RESIGNED"), app.enroll(&person));
        assert_eq!(ended["errors"], json!([]));
        // The answer is the same before and after the end.
        assert_eq!(problems(&again)[0].0, "ALREADY_ENROLLED");
    }
    assert_eq!(app.count("select count(*) from enrollment").await, 6);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_transfer_is_refused_if_the_new_employer_covers_the_same_days() {
    let app = App::on(DECEMBER).await;
    let (channel, musi, ogan) =
        (app.channel("BR-PLG").await, app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = Person::new(&channel).with("startsOn", json!("2014-07-01"));
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) = app.enrollment(&who.at(&ogan).with("startsOn", json!("2014-08-01"))).await;
    assert_eq!(app.end(&at_ogan, "2014-10-01", "RESIGNED").await["errors"], json!([]));
    for on in ["2014-07-31", "2014-08-01", "2014-09-30"] {
        assert_eq!(
            problems(&transfer(&app, &at_musi, &ogan, on).await),
            [("ALREADY_ENROLLED", "employerId")],
            "{on}"
        );
    }
    let begun = transfer(&app, &at_musi, &ogan, "2014-10-01").await;
    assert_eq!(begun["errors"], json!([]));
    // Another transfer reverses one on the first day, because the ended enrollment covered no day.
    let begun = begun["enrollment"]["id"].as_str().unwrap();
    let there = transfer(&app, begun, &musi, "2014-10-01").await;
    assert_eq!(there["errors"], json!([]));
    let back = transfer(&app, there["enrollment"]["id"].as_str().unwrap(), &ogan, "2014-10-01").await;
    assert_eq!(back["errors"], json!([]));
    assert_eq!(app.differing_counters().await, 0);
}
