//! Rosters of every payer: companies, governments, associations, and people who pay for themselves.

use domain::actor::Role;

use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::{App, Person, TokenScope, Value, json, row};

const START: &str = "mutation ($input: StartOnboardingInput!) { startOnboarding(input: $input) {
    batch { id } errors { code path } } }";
const TERMS: &str = "query ($id: ID!) { onboardingBatch(id: $id) {
    employer { name } association { name } segment category province { code } channel { code } programmes startsOn
    firstContributionPaid allOrNothing counts { received pending enrolled alreadyEnrolled rejected } } }";
const PEOPLE: &str = "{ participants(first: 50) { nodes {
    fullName employer { name } association { name } enrollments(first: 3) { nodes { segment civilServant { category } } } } } }";

/// A roster without the columns of civil servants.
fn plain(header: &str, people: std::ops::Range<u32>) -> String {
    let cells = |n: u32| {
        let line = line(n);
        let cells: Vec<&str> = line.split(';').collect();
        let wage = if header.contains("UPAH") { ";4.250.000" } else { "" };
        format!("{};{};{};{}{wage}", cells[2], cells[3], cells[4], cells[5])
    };
    std::iter::once(header.to_owned()).chain(people.map(cells)).collect::<Vec<_>>().join("\n")
}

const MEMBERS: &str = "NIK;NAMA;TGL LAHIR;L/P";
const STAFF: &str = "NIK;NAMA;TGL LAHIR;L/P;UPAH";

impl Onboardings {
    /// Starts a batch without the employer of the others, and returns the codes and paths of its problems.
    async fn refused_start(&self, terms: Value) -> Vec<(String, String)> {
        let payload = self.app.ask_as(&self.sender, START, json!({"input": self.terms(terms)})).await;
        let errors = payload["startOnboarding"]["errors"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        errors.iter().map(|error| (text(&error["code"]), text(&error["path"][0]))).collect()
    }

    fn terms(&self, terms: Value) -> Value {
        let mut input = self.input();
        input.as_object_mut().unwrap().remove("employerId");
        input.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        input
    }

    /// Uploads a file under terms, enrolls its people and returns the batch.
    async fn onboard(&self, terms: Value, file: &str) -> Value {
        let payload = self.start_with(&self.terms(terms)).await;
        assert_eq!(payload["errors"], json!([]), "{payload}");
        let batch = payload["batch"]["id"].as_str().unwrap();
        let reply = self.upload(batch, file.to_owned()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        self.work().await;
        self.app.ask_as(&self.sender, TERMS, json!({"id": batch})).await["onboardingBatch"].take()
    }
}

#[tokio::test]
async fn an_employer_an_association_and_people_who_pay_for_themselves_send_rosters() {
    let onboardings = Onboardings::new(2).await;
    let app = &onboardings.app;
    let (company, association) = (app.employer("PT Melati").await, app.association("Nelayan Sungsang").await);
    let batch = onboardings
        .onboard(
            json!({"employerId": company, "planOnly": false, "firstContributionPaid": true}),
            &plain(STAFF, 0..3),
        )
        .await;
    assert_eq!(
        batch,
        json!({"employer": {"name": "PT Melati"}, "association": null, "segment": "WAGE_EARNER", "category": null,
               "province": {"code": "16"}, "channel": {"code": "BR-PLG"}, "programmes": ["WORK_ACCIDENT", "DEATH"],
               "startsOn": "2014-11-01", "firstContributionPaid": true, "allOrNothing": false,
               "counts": {"received": 3, "pending": 0, "enrolled": 3, "alreadyEnrolled": 0, "rejected": 0}})
    );
    let members = json!({"associationId": association, "planOnly": false, "programmes": ["WORK_ACCIDENT", "DEATH", "OLD_AGE"]});
    let batch = onboardings.onboard(members.clone(), &plain(MEMBERS, 3..8)).await;
    assert_eq!(
        (&batch["association"]["name"], &batch["segment"]),
        (&json!("Nelayan Sungsang"), &json!("SELF_EMPLOYED"))
    );
    assert_eq!((&batch["employer"], &batch["category"]), (&json!(null), &json!(null)));
    assert_eq!(sums(&batch["counts"]), [5, 0, 5, 0, 0]);
    let again = onboardings.onboard(members, &plain(MEMBERS, 4..9)).await;
    assert_eq!(sums(&again["counts"]), [5, 0, 1, 4, 0], "nobody is enrolled twice through an association");
    for segment in ["SELF_EMPLOYED", "MIGRANT_WORKER"] {
        let people = if segment == "SELF_EMPLOYED" { 20..22 } else { 22..24 };
        let batch = onboardings
            .onboard(json!({"segment": segment, "planOnly": false}), &plain(MEMBERS, people))
            .await;
        assert_eq!((&batch["employer"], &batch["association"]), (&json!(null), &json!(null)));
        assert_eq!(sums(&batch["counts"]), [2, 0, 2, 0, 0], "{segment}");
    }
    let workers = json!({"employerId": company, "segment": "CONSTRUCTION", "planOnly": false});
    assert_eq!(sums(&onboardings.onboard(workers, &plain(MEMBERS, 30..32)).await["counts"]), [2, 0, 2, 0, 0]);
    let people = app.ask(PEOPLE, json!({})).await["participants"]["nodes"].take();
    let people = people.as_array().unwrap();
    assert_eq!(people.len(), 15);
    assert!(people.iter().all(|p| p["enrollments"]["nodes"][0]["civilServant"].is_null()), "{people:?}");
    assert_eq!(people.iter().filter(|p| p["association"]["name"] == "Nelayan Sungsang").count(), 6);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn the_columns_of_a_file_follow_from_its_payer() {
    let onboardings = Onboardings::new(100).await;
    let company = onboardings.app.employer("PT Melati").await;
    let start = async |terms: Value| {
        let payload = onboardings.start_with(&onboardings.terms(terms)).await;
        payload["batch"]["id"].as_str().unwrap().to_owned()
    };
    let of_company = start(json!({"employerId": company})).await;
    let refused = onboardings.upload(&of_company, plain(MEMBERS, 0..2)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["errors"][0]["code"]),
        (422, &json!("MISSING_COLUMNS"))
    );
    assert_eq!(refused.body["errors"][0]["message"], "The header lacks GAJI POKOK.");
    // A wage that is missing refuses its row, and no other.
    let file = plain(STAFF, 0..3).replacen("4.250.000", " ", 1);
    assert_eq!(onboardings.upload(&of_company, file).await.status, 200);
    onboardings.work().await;
    let plan = onboardings.fetch(&of_company).await;
    assert_eq!(plan["byProblem"], json!([{"code": "REQUIRED", "rows": 1}]), "{plan}");
    assert_eq!(sums(&plan["counts"]), [3, 2, 0, 0, 1]);
    // Who works for a government is a civil servant unless the terms say otherwise.
    let of_government = start(json!({"employerId": onboardings.employer})).await;
    let refused = onboardings.upload(&of_government, plain(STAFF, 0..2)).await;
    assert_eq!(refused.body["errors"][0]["message"], "The header lacks NIP.");
    assert_eq!(onboardings.upload(&of_government, roster([line(1)])).await.status, 200);
}

#[tokio::test]
async fn a_payer_and_a_segment_that_do_not_fit_are_refused_with_their_paths() {
    let onboardings = Onboardings::new(100).await;
    let app = &onboardings.app;
    let (company, association) = (app.employer("PT Melati").await, app.association("Nelayan").await);
    let government = onboardings.employer.clone();
    for (terms, expected) in [
        (json!({}), vec![("REQUIRED", "employerId")]),
        (json!({"segment": "CONSTRUCTION"}), vec![("REQUIRED", "employerId")]),
        (json!({"employerId": company, "segment": "SELF_EMPLOYED"}), vec![("CONFLICT", "employerId")]),
        (json!({"employerId": company, "associationId": association}), vec![("CONFLICT", "employerId")]),
        (
            json!({"associationId": association, "segment": "WAGE_EARNER"}),
            vec![("REQUIRED", "employerId"), ("CONFLICT", "associationId")],
        ),
        (json!({"employerId": company, "category": "PNS"}), vec![("NOT_ELIGIBLE", "employerId")]),
        (json!({"employerId": company, "category": "NON_ASN"}), vec![("NOT_ELIGIBLE", "employerId")]),
        (json!({"associationId": association, "category": "NON_ASN"}), vec![("NOT_ELIGIBLE", "segment")]),
        (
            json!({"employerId": government, "segment": "CONSTRUCTION", "category": "PNS"}),
            vec![("NOT_ELIGIBLE", "segment")],
        ),
        (json!({"associationId": company}), vec![("INVALID_FORMAT", "associationId")]),
        (json!({"employerId": "bGVn", "associationId": association}), vec![("INVALID_FORMAT", "employerId")]),
    ] {
        let refused = onboardings.refused_start(terms.clone()).await;
        let refused: Vec<(&str, &str)> =
            refused.iter().map(|(code, at)| (code.as_str(), at.as_str())).collect();
        assert_eq!(refused, expected, "{terms}");
    }
    assert_eq!(app.count("select count(*) from onboarding_batch").await, 0);
}

#[tokio::test]
async fn a_partner_sends_and_sees_the_rosters_of_its_own_association() {
    let mut onboardings = Onboardings::new(100).await;
    let app = &onboardings.app;
    let (ours, theirs) = (app.association("Nelayan").await, app.association("Ojek").await);
    let scope =
        |association: &str| TokenScope { association: Some(association.to_owned()), ..TokenScope::default() };
    let (partner, other) =
        (app.token(Role::Partner, scope(&ours)).await, app.token(Role::Partner, scope(&theirs)).await);
    let administrator = std::mem::replace(&mut onboardings.sender, partner.clone());
    let app = &onboardings.app;
    for foreign in [
        json!({"associationId": theirs}),
        json!({"employerId": onboardings.employer}),
        json!({"segment": "SELF_EMPLOYED"}),
    ] {
        let refused = onboardings.refused_start(foreign.clone()).await;
        assert!(refused.iter().any(|(code, _)| code == "OUT_OF_SCOPE"), "{foreign}: {refused:?}");
    }
    let batch = onboardings.onboard(json!({"associationId": ours}), &plain(MEMBERS, 0..2)).await;
    assert_eq!(sums(&batch["counts"]), [2, 2, 0, 0, 0], "it waits for approval: {batch}");
    let list = "query ($of: ID) { onboardingBatches(filterBy: {associationId: $of}) { totalCount nodes { association { name } } } }";
    let seen = async |token: &str, of: Value| {
        app.ask_as(token, list, json!({"of": of})).await["onboardingBatches"]["totalCount"].take()
    };
    assert_eq!(seen(&partner, json!(null)).await, 1);
    assert_eq!(seen(&other, json!(null)).await, 0);
    assert_eq!(
        (seen(&administrator, json!(ours)).await, seen(&administrator, json!(theirs)).await),
        (json!(1), json!(0))
    );
}

#[tokio::test]
async fn staff_of_the_category_non_asn_works_for_a_government() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (company, government) = (app.employer("PT Melati").await, app.government("Pemda").await);
    let staff = |employer: &str| {
        Person::new(&channel)
            .at(employer)
            .with("civilServant", json!({"category": "NON_ASN", "serviceNumber": ""}))
    };
    let refused = app.enroll(&staff(&company)).await;
    assert_eq!(
        (&refused["errors"][0]["code"], &refused["errors"][0]["path"]),
        (&json!("NOT_ELIGIBLE"), &json!(["employerId"])),
        "{refused}"
    );
    let (_, enrollment) = app.enrollment(&staff(&government)).await;
    let transfer = "mutation ($input: TransferEnrollmentInput!) { transferEnrollment(input: $input) { errors { code path } } }";
    let input = json!({"enrollmentId": enrollment, "employerId": company, "channelCode": channel, "on": "2014-10-02"});
    let payload = app.ask(transfer, json!({"input": input})).await;
    assert_eq!(
        payload["transferEnrollment"]["errors"],
        json!([{"code": "NOT_ELIGIBLE", "path": ["employerId"]}])
    );
}

const INLINE: &str = "mutation ($input: OnboardParticipantsInput!) { onboardParticipants(input: $input) {
    batch { id segment category association { name } counts { received pending enrolled alreadyEnrolled rejected }
        rows(first: 10) { nodes { number outcome problems { code path } } } } errors { code path } } }";

/// A row of the API with these fields more.
fn inline(n: u32, more: Value) -> Value {
    let mut row = row(n);
    row.as_object_mut().unwrap().remove("serviceNumber");
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

#[tokio::test]
async fn rows_of_any_payer_come_in_a_request() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (company, association) = (app.employer("PT Melati").await, app.association("Nelayan").await);
    let onboard = async |terms: Value, rows: Vec<Value>| {
        let mut input =
            json!({"channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": rows});
        input.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        app.ask(INLINE, json!({"input": input})).await["onboardParticipants"].take()
    };
    let passport = json!({"nationalId": null, "passportNumber": "E1234567", "monthlyWage": "4250000"});
    let wage = json!({"monthlyWage": "4.250.000,00"});
    let rows = vec![
        inline(1, wage.clone()),
        inline(2, passport.clone()),
        inline(3, json!({})),
        inline(4, json!({"nationalId": "", "monthlyWage": "4250000"})),
        inline(5, passport),
    ];
    let payload =
        onboard(json!({"employerId": company, "idempotencyKey": "payers-000000001"}), rows.clone()).await;
    assert_eq!(payload["errors"], json!([]));
    let batch = &payload["batch"];
    assert_eq!((&batch["segment"], &batch["category"]), (&json!("WAGE_EARNER"), &json!(null)));
    assert_eq!(sums(&batch["counts"]), [5, 0, 2, 0, 3], "{batch}");
    let refused = |n: usize| batch["rows"]["nodes"][n]["problems"][0].clone();
    assert_eq!(refused(2), json!({"code": "REQUIRED", "path": ["rows", "2", "monthlyWage"]}));
    assert_eq!(refused(3)["path"][2], "nationalId");
    assert_eq!(refused(4), json!({"code": "DUPLICATE_IN_REQUEST", "path": ["rows", "4", "passportNumber"]}));
    // A retry gets the first answer. The same key of the other mutation is another key.
    let again = onboard(json!({"employerId": company, "idempotencyKey": "payers-000000001"}), rows).await;
    assert_eq!(again["batch"]["id"], batch["id"]);
    let members =
        onboard(json!({"associationId": association}), vec![inline(6, json!({})), inline(7, json!({}))])
            .await;
    assert_eq!(
        (&members["batch"]["association"]["name"], &members["batch"]["segment"]),
        (&json!("Nelayan"), &json!("SELF_EMPLOYED"))
    );
    assert_eq!(sums(&members["batch"]["counts"]), [2, 0, 2, 0, 0]);
    // All or nothing.
    let nothing = onboard(
        json!({"employerId": company, "allOrNothing": true}),
        vec![inline(8, wage), inline(9, json!({}))],
    )
    .await;
    assert_eq!(nothing["errors"], json!([{"code": "REQUIRED", "path": ["rows", "1", "monthlyWage"]}]));
    assert!(nothing["batch"].is_null());
    let empty = onboard(json!({"employerId": company}), Vec::new()).await;
    assert_eq!(empty["errors"], json!([{"code": "REQUIRED", "path": ["rows"]}]));
    assert_eq!(app.count("select count(*) from participant").await, 4);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn rows_of_a_request_wait_for_approval_where_only_a_plan_is_asked_for() {
    let app = App::new().await;
    let (channel, association) = (app.channel("BR-PLG").await, app.association("Nelayan").await);
    let input = json!({"associationId": association, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01",
        "planOnly": true, "rows": [inline(1, json!({})), inline(2, json!({}))]});
    let payload = app.ask(INLINE, json!({"input": input})).await["onboardParticipants"].take();
    assert_eq!(sums(&payload["batch"]["counts"]), [2, 2, 0, 0, 0], "{payload}");
    assert_eq!(app.count("select count(*) from participant").await, 0);
}

#[tokio::test]
async fn a_template_is_of_the_kind_that_is_asked_for() {
    let app = App::new().await;
    let template = async |query: &str| {
        let request = axum::http::Request::get(format!("/onboarding/template.csv{query}"));
        let response =
            tower::ServiceExt::oneshot(app.router.clone(), request.body(axum::body::Body::empty()).unwrap());
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    };
    let (status, servants) = template("").await;
    assert_eq!(
        (status, servants.contains("NIP"), servants.contains("PASPOR")),
        (200, true, false),
        "{servants}"
    );
    let (status, members) = template("?segment=SELF_EMPLOYED").await;
    assert_eq!(
        (status, members.contains("PENGHASILAN"), members.contains("NIP;")),
        (200, true, false),
        "{members}"
    );
    let (status, list) = template("?kind=MONTHLY_LIST&segment=WAGE_EARNER").await;
    assert_eq!((status, list.contains("SEBAB KELUAR"), list.contains("UPAH")), (200, true, true), "{list}");
    for bad in ["?kind=LIST", "?segment=WORKER", "?segment=SELF_EMPLOYED&category=PNS", "?category=X"] {
        let (status, text) = template(bad).await;
        assert_eq!((status, text.contains("NON_ASN")), (400, true), "{bad}: {text}");
    }
}
