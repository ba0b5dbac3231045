//! The payer's month: a list of everybody goes in, and the registry says and does what has changed.

mod classes;
mod leavers;
mod races;
mod scopes;
mod statements;

use axum::body::Body;
use axum::http::{Request, header};
use domain::actor::Role;

use crate::support::app::{codes, problems};
use crate::support::onboarding::{Onboardings, sums};
use crate::support::{App, Person, TokenScope, Value, json};

const HEADER: &str = "NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UPAH;TMT;TGL_KEJADIAN;SEBAB_NA;PROVINSI";

const LOOK: &str = "query ($id: ID!) { onboardingBatch(id: $id) {
    state kind month planDigest changes { change rows } fallenWages { rows percent rule { code } }
    dueBefore { programme people employer worker rule { code } } dueAfter { programme people employer worker rule { code } }
    counts { received pending enrolled alreadyEnrolled rejected flagged } problems { code path }
    absent(first: 50) { totalCount nodes { participant { id } ends ended } }
    rows(first: 50) { nodes { number outcome change wageBefore wageAfter participant { id } problems { code path } } } } }";
const APPROVE: &str = "mutation ($input: ApproveOnboardingInput!) { approveOnboarding(input: $input) {
    batch { state } errors { code path } } }";

/// A company, and the office that keeps its lists.
struct Payer {
    onboardings: Onboardings,
    /// Token of a client that may read personal data.
    reader: String,
}

impl Payer {
    async fn new(chunk_rows: usize) -> Self {
        let mut onboardings = Onboardings::new(chunk_rows).await;
        onboardings.employer = onboardings.app.employer("PT Musi Jaya").await;
        let reader = onboardings.app.reader(Role::Administrator, TokenScope::default()).await;
        Self { onboardings, reader }
    }

    fn app(&self) -> &App {
        &self.onboardings.app
    }

    /// Returns a wage earner of the company, not enrolled yet.
    fn person(&self, wage: i64) -> Person {
        Person::new("BR-PLG")
            .at(&self.onboardings.employer)
            .with("monthlyWage", json!(wage))
            .with("startsOn", json!("2014-01-01"))
            .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]))
    }

    /// Enrolls wage earners with these wages. Returns them with their ids.
    async fn staff(&self, wages: &[i64]) -> Vec<(Person, String)> {
        let mut staff = Vec::new();
        for &wage in wages {
            let person = self.person(wage);
            let id = self.app().enrolled(&person).await;
            staff.push((person, id));
        }
        staff
    }

    fn input(month: &str) -> Value {
        json!({"kind": "MONTHLY_LIST", "month": month, "startsOn": "2014-09-01",
               "programmes": ["WORK_ACCIDENT", "DEATH", "OLD_AGE"]})
    }

    /// Starts a list of September 2014, uploads and plans it. Returns its id.
    async fn plan(&self, lines: &[String]) -> String {
        let batch = self.onboardings.start_and_upload(Self::input("2014-09-01"), &list(lines)).await;
        self.onboardings.work().await;
        batch
    }

    async fn look(&self, batch: &str) -> Value {
        self.look_as(&self.reader, batch).await
    }

    /// Looks at a list with a purpose.
    async fn look_as(&self, token: &str, batch: &str) -> Value {
        let mut reply = self.app().post_for(b"Monthly list", token, LOOK, json!({"id": batch})).await;
        assert_eq!(reply.body.get("errors"), None, "{}", reply.body);
        reply.body["data"]["onboardingBatch"].take()
    }

    async fn approve(&self, batch: &str, end_absent: Value) -> Value {
        let token = self.app().token(Role::Approver, TokenScope::default()).await;
        self.approve_as(&token, batch, end_absent).await
    }

    async fn approve_as(&self, token: &str, batch: &str, end_absent: Value) -> Value {
        let plan = self.look(batch).await;
        let input = json!({"batchId": batch, "planDigest": plan["planDigest"], "endAbsent": end_absent});
        self.app().ask_as(token, APPROVE, json!({"input": input})).await["approveOnboarding"].take()
    }

    /// Plans a list, has it approved, and applies it.
    async fn apply(&self, lines: &[String], end_absent: Value) -> Value {
        let batch = self.plan(lines).await;
        let approved = self.approve(&batch, end_absent).await;
        assert_eq!(approved["errors"], json!([]), "{approved}");
        self.onboardings.work().await;
        self.look(&batch).await
    }
}

/// Returns a file of these lines.
fn list(lines: &[String]) -> String {
    format!("{HEADER}\n{}", lines.join("\n"))
}

/// Returns the line of a person. `cells` begin with the wage.
fn line(person: &Person, cells: &str) -> String {
    let field = |field: &str| person.0[field].as_str().unwrap().to_owned();
    format!("{};{};{};P;{cells}", field("nationalId"), field("fullName"), field("birthDate"))
}

/// Returns the rows by change, without those that are none.
fn changes(batch: &Value) -> Vec<(&str, i64)> {
    let counts = batch["changes"].as_array().unwrap();
    let counts =
        counts.iter().map(|count| (count["change"].as_str().unwrap(), count["rows"].as_i64().unwrap()));
    counts.filter(|&(_, rows)| rows > 0).collect()
}

fn total(due: &Value) -> i64 {
    let amounts = due.as_array().unwrap().iter();
    amounts.map(|due| due["employer"].as_i64().unwrap() + due["worker"].as_i64().unwrap()).sum()
}

/// Returns what became of each row.
fn rows(batch: &Value) -> Vec<(&str, &str)> {
    let rows = batch["rows"]["nodes"].as_array().unwrap().iter();
    rows.map(|row| (row["change"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_payroll_gets_through_its_month_and_the_same_list_again_changes_nothing() {
    let payer = Payer::new(3).await;
    let staff = payer.staff(&[2_000_000, 3_000_000, 8_000_000]).await;
    let joiner = payer.person(2_500_000);
    let lines = [
        line(&staff[0].0, "2000000;;;;"),
        line(&staff[1].0, "3.300.000,00;;;;"),
        line(&staff[2].0, "8000000;;20-09-2014;A1;"),
        line(&joiner, "2500000;16-09-2014;;;"),
    ];
    let batch = payer.plan(&lines).await;
    let plan = payer.look(&batch).await;
    assert_eq!((&plan["state"], &plan["kind"]), (&json!("AWAITING_APPROVAL"), &json!("MONTHLY_LIST")));
    assert_eq!(plan["month"], "2014-09-01");
    assert_eq!(changes(&plan), [("JOINS", 1), ("LEAVES", 1), ("WAGE_CHANGES", 1), ("UNCHANGED", 1)]);
    // Whoever leaves on the 20th is paid for in the month, and nobody's wage is a part.
    assert_eq!((total(&plan["dueBefore"]), total(&plan["dueAfter"])), (811_200, 985_920));
    assert_eq!(plan["dueAfter"][0]["people"], 4);
    let cited = plan["dueAfter"].as_array().unwrap().iter().all(|due| due["rule"]["code"].is_string());
    assert!(cited, "each amount has its rule");
    let rise = &plan["rows"]["nodes"][1];
    assert_eq!((&rise["wageBefore"], &rise["wageAfter"]), (&json!(3_000_000), &json!(3_300_000)));
    assert_eq!(sums(&plan["counts"]), [4, 3, 0, 1, 0]);

    let approver = payer.app().token(Role::Approver, TokenScope::default()).await;
    let seen = payer.app().ask_as(&approver, LOOK, json!({"id": batch})).await["onboardingBatch"].take();
    assert_eq!(
        (&seen["dueBefore"], &seen["dueAfter"]),
        (&json!(null), &json!(null)),
        "they would tell wages"
    );
    assert_eq!(seen["rows"]["nodes"][1]["wageAfter"], json!(null));

    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [4, 0, 1, 3, 0]));
    assert_eq!(
        rows(&done),
        [
            ("UNCHANGED", "ALREADY_ENROLLED"),
            ("WAGE_CHANGES", "ALREADY_ENROLLED"),
            ("LEAVES", "ALREADY_ENROLLED"),
            ("JOINS", "ENROLLED")
        ]
    );
    assert_eq!(
        payer
            .app()
            .count("select count(*) from enrollment where ends_on = '2014-09-21' and end_reason = 'RESIGNED'")
            .await,
        1
    );
    assert_eq!(
        payer
            .app()
            .count(
                "select count(*) from enrollment where wages = '{3300000}' and wages_from = '{2014-09-01}'"
            )
            .await,
        1
    );
    assert_eq!(payer.app().count("select count(*) from enrollment where starts_on = '2014-09-16'").await, 1);

    let events = "select count(*) from participant_event";
    let before = payer.app().count(events).await;
    let again = payer.apply(&lines, json!(null)).await;
    assert_eq!((&again["state"], changes(&again)), (&json!("COMPLETED"), vec![("UNCHANGED", 4)]));
    assert_eq!(sums(&again["counts"]), [4, 0, 0, 4, 0]);
    assert_eq!(total(&again["dueBefore"]), total(&again["dueAfter"]));
    assert_eq!(payer.app().count(events).await, before, "nothing was written");
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn absence_ends_nobody_unless_the_approver_says_so() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000, 2_100_000, 2_200_000]).await;
    let batch = payer.plan(&[line(&staff[0].0, "2000000;;;;")]).await;
    let plan = payer.look(&batch).await;
    assert_eq!(changes(&plan), [("UNCHANGED", 1), ("ABSENT", 2)]);
    let absent: Vec<&str> = plan["absent"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|absent| absent["participant"]["id"].as_str().unwrap())
        .collect();
    assert_eq!((absent, &plan["absent"]["totalCount"]), (vec![staff[1].1.as_str(), &staff[2].1], &json!(2)));
    assert_eq!(total(&plan["dueBefore"]), total(&plan["dueAfter"]));

    let refused = async |end: Value| {
        let payload = payer.approve(&batch, end).await;
        let errors = payload["errors"].as_array().unwrap().iter();
        errors.map(|e| format!("{} {}", e["code"].as_str().unwrap(), e["path"])).collect::<Vec<_>>()
    };
    let end = |fields: Value| {
        let mut end = json!({"on": "2014-10-01", "reason": "RESIGNED"});
        end.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        end
    };
    assert_eq!(refused(end(json!({}))).await, [r#"REQUIRED ["endAbsent","participantIds"]"#]);
    let both = json!({"all": true, "participantIds": [staff[1].1]});
    assert_eq!(refused(end(both)).await, [r#"CONFLICT ["endAbsent","all"]"#]);
    let listed = json!({"participantIds": [staff[1].1, staff[0].1]});
    assert_eq!(refused(end(listed)).await, [r#"NOT_FOUND ["endAbsent","participantIds","1"]"#]);
    let ahead = json!({"all": true, "on": "2014-10-03"});
    assert_eq!(refused(end(ahead)).await, [r#"OUT_OF_RANGE ["endAbsent","on"]"#]);
    let early = json!({"all": true, "on": "2013-12-31"});
    assert_eq!(refused(end(early)).await, [r#"OUT_OF_RANGE ["endAbsent","on"]"#]);
    let dead = json!({"all": true, "reason": "DECEASED"});
    assert_eq!(refused(end(dead)).await, [r#"NOT_ELIGIBLE ["endAbsent","reason"]"#]);
    assert_eq!(payer.look(&batch).await["state"], "AWAITING_APPROVAL");

    let one = end(json!({"participantIds": [staff[1].1]}));
    assert_eq!(payer.approve(&batch, one.clone()).await["errors"], json!([]));
    payer.onboardings.work().await;
    let done = payer.look(&batch).await;
    assert_eq!(done["state"], "COMPLETED");
    // The same approval again changes nothing, and another decision comes too late.
    assert_eq!(payer.approve(&batch, one).await["errors"], json!([]));
    for other in [
        end(json!({"all": true})),
        end(json!({"participantIds": [staff[1].1, staff[2].1]})),
        json!(null),
        end(json!({"all": true, "reason": "RETIRED"})),
        end(json!({"all": true, "on": "2014-09-30"})),
    ] {
        assert_eq!(refused(other).await, [r#"CONFLICT ["endAbsent"]"#]);
    }
    let ended: Vec<_> =
        done["absent"]["nodes"].as_array().unwrap().iter().map(|a| (&a["ends"], &a["ended"])).collect();
    assert_eq!(ended, [(&json!(true), &json!(true)), (&json!(false), &json!(null))]);
    assert_eq!(payer.app().count("select count(*) from enrollment where ends_on = '2014-10-01'").await, 1);

    let again = payer.apply(&[line(&staff[0].0, "2000000;;;;")], end(json!({"all": true}))).await;
    assert_eq!(changes(&again), [("UNCHANGED", 1), ("ABSENT", 1)]);
    assert_eq!(payer.app().count("select count(*) from enrollment where ends_on is null").await, 1);
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn a_row_can_move_a_person_and_some_codes_end_nothing() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000, 2_000_000, 2_000_000, 2_000_000, 2_000_000]).await;
    let lines = [
        line(&staff[0].0, "2000000;;;;15"),
        line(&staff[1].0, "2000000;;20-09-2014;A7;"),
        line(&staff[2].0, "2000000;;;A10;"),
        line(&staff[3].0, "2000000;;20-09-2014;meninggal dunia;"),
        line(&staff[4].0, "1500000;;;;"),
    ];
    let done = payer.apply(&lines, json!(null)).await;
    assert_eq!(
        rows(&done),
        [
            ("MOVED", "ALREADY_ENROLLED"),
            ("UNCHANGED", "ALREADY_ENROLLED"),
            ("UNCHANGED", "ALREADY_ENROLLED"),
            ("PROBLEM", "REJECTED"),
            ("WAGE_CHANGES", "ALREADY_ENROLLED")
        ]
    );
    assert_eq!(payer.app().count("select count(*) from enrollment where ends_on is not null").await, 0);
    let warned = |row: usize| {
        let row = &done["rows"]["nodes"][row];
        (codes(&row["problems"]), row["problems"][0]["path"].clone())
    };
    for row in [1, 2] {
        assert_eq!(warned(row), (vec!["NOT_ELIGIBLE"], json!(["rows", row.to_string(), "leavingReason"])));
    }
    assert_eq!(warned(4), (vec!["WAGE_FALLS"], json!(["rows", "4", "monthlyWage"])));
    assert_eq!(done["fallenWages"], json!({"rows": 1, "percent": 20, "rule": {"code": "WAGE-FALL"}}));
    let living =
        "select count(*) from participant p join province v on v.id = p.province_id where v.code = '15'";
    assert_eq!(payer.app().count(living).await, 1);
    assert_eq!(payer.app().count("select count(*) from participant_event where kind = 'MOVED'").await, 1);
    let again = payer.plan(&lines).await;
    assert_eq!(changes(&payer.look(&again).await), [("UNCHANGED", 4), ("PROBLEM", 1)]);
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn an_older_month_and_a_list_without_its_terms_are_refused() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000]).await;
    let lines = [line(&staff[0].0, "2000000;;;;")];
    let waiting = payer.onboardings.start_and_upload(Payer::input("2014-08-15"), &list(&lines)).await;
    payer.onboardings.work().await;
    assert_eq!(payer.look(&waiting).await["month"], "2014-08-01");
    payer.apply(&lines, json!(null)).await;

    // The list of August waits since before September was applied: its approver is told.
    let late = payer.approve(&waiting, json!(null)).await;
    assert_eq!(problems(&late), [("CONFLICT", "batchId")]);
    let start = async |changed: Value| {
        let mut input = payer.onboardings.input();
        input.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let payload = payer.onboardings.start_with(&input).await;
        problems(&payload).into_iter().map(|(code, path)| format!("{code} {path}")).collect::<Vec<_>>()
    };
    assert_eq!(start(Payer::input("2014-08-01")).await, ["CONFLICT month"]);
    assert_eq!(start(Payer::input("2014-09-30")).await, [""; 0], "the same month again may be a correction");
    assert_eq!(start(Payer::input("2014-11-01")).await, ["OUT_OF_RANGE month"]);
    assert_eq!(start(json!({"kind": "MONTHLY_LIST"})).await, ["REQUIRED month"]);
    assert_eq!(start(json!({"month": "2014-09-01"})).await, ["CONFLICT month"]);
    let nobodys = json!({"kind": "MONTHLY_LIST", "month": "2014-09-01", "employerId": null, "segment": "SELF_EMPLOYED"});
    assert_eq!(start(nobodys).await, ["REQUIRED employerId"]);
}

#[tokio::test]
async fn a_payer_is_not_told_who_works_elsewhere_too() {
    let payer = Payer::new(10).await;
    let other = payer.app().employer("PT Lain").await;
    let stranger = payer.person(2_500_000);
    payer.app().enrolled(&stranger.clone().at(&other)).await;
    let newcomer = payer.person(2_500_000);
    let lines = [line(&stranger, "2500000;;;;"), line(&newcomer, "2500000;;;;")];
    let partner = payer.app().partner(&payer.onboardings.employer).await;
    let Payer { onboardings, reader } = payer;
    let office = Payer { onboardings: Onboardings { sender: partner, ..onboardings }, reader };
    let batch = office.plan(&lines).await;
    let told = office.look_as(&office.onboardings.sender, &batch).await;
    assert_eq!(changes(&told), [("JOINS", 2)]);
    assert_eq!(rows(&told), [("JOINS", "PENDING"); 2]);
    assert_eq!(told["rows"]["nodes"][0]["participant"], json!(null));
    let officer = office.app().officer(&["16"]).await;
    let seen = office.look_as(&officer, &batch).await;
    assert_eq!(changes(&seen), [("JOINS", 1), ("ELSEWHERE", 1)]);
    let query = "query ($id: ID!, $change: [ListChange!]) { onboardingBatch(id: $id) {
        rows(filterBy: {change: $change}) { totalCount } } }";
    for (change, partner, officer_sees) in [("ELSEWHERE", 0, 1), ("JOINS", 2, 1)] {
        let variables = json!({"id": batch, "change": [change]});
        let ask = async |token: &str| {
            let data = office.app().ask_as(token, query, variables.clone()).await;
            data["onboardingBatch"]["rows"]["totalCount"].clone()
        };
        assert_eq!(
            (ask(&office.onboardings.sender).await, ask(&officer).await),
            (json!(partner), json!(officer_sees))
        );
    }
    assert_eq!(office.approve(&batch, json!(null)).await["errors"], json!([]));
    office.onboardings.work().await;
    let done = office.look_as(&office.onboardings.sender, &batch).await;
    assert_eq!(rows(&done), [("JOINS", "ENROLLED"); 2], "both are enrolled alike");
}

#[tokio::test]
async fn two_rows_of_one_person_are_one_too_many() {
    let payer = Payer::new(1).await;
    let staff = payer.staff(&[2_000_000]).await;
    let lines = [line(&staff[0].0, "2100000;;;;"), line(&staff[0].0, "2200000;;;;")];
    let done = payer.apply(&lines, json!(null)).await;
    assert_eq!(rows(&done), [("WAGE_CHANGES", "ALREADY_ENROLLED"), ("PROBLEM", "REJECTED")]);
    assert_eq!(codes(&done["rows"]["nodes"][1]["problems"]), ["DUPLICATE_IN_REQUEST"]);
}

#[tokio::test]
async fn a_row_that_is_refused_by_itself_does_not_stand_before_the_right_one() {
    let payer = Payer::new(1).await;
    let staff = payer.staff(&[2_000_000]).await;
    let lines = [line(&staff[0].0, "two;;;;"), line(&staff[0].0, "2100000;;;;")];
    let done = payer.apply(&lines, json!(null)).await;
    assert_eq!(rows(&done), [("PROBLEM", "REJECTED"), ("WAGE_CHANGES", "ALREADY_ENROLLED")]);
}

#[tokio::test]
async fn a_move_beside_a_wage_to_come_takes_effect_in_the_month() {
    let payer = Payer::new(1).await;
    let staff = payer.staff(&[3_000_000]).await;
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } }
        events(first: 2) { nodes { kind effectiveOn } } } }";
    let look = async || payer.app().ask(query, json!({"id": staff[0].1})).await["participant"].take();
    let raise = "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code } } }";
    let input = json!({"enrollmentId": look().await["enrollments"]["nodes"][0]["id"], "monthlyWage": 4_000_000,
        "effectiveOn": "2014-10-03"});
    let raised = payer.app().ask(raise, json!({"input": input})).await["changeWage"].take();
    assert_eq!(raised["errors"], json!([]));
    let list = list(&[line(&staff[0].0, "3000000;;;;31")]);
    let batch = payer.onboardings.start_and_upload(Payer::input("2014-10-01"), &list).await;
    payer.onboardings.work().await;
    assert_eq!(payer.approve(&batch, json!(null)).await["errors"], json!([]));
    payer.onboardings.work().await;
    let events = look().await["events"]["nodes"].take();
    let moved = events.as_array().unwrap().iter().find(|event| event["kind"] == "MOVED");
    assert_eq!(moved.unwrap()["effectiveOn"], "2014-10-01", "{events}");
    assert_eq!(payer.app().differing_counters().await, 0);
}

#[tokio::test]
async fn only_the_differences_come_out_and_nobody_outside_the_scope() {
    let payer = Payer::new(2).await;
    let staff = payer.staff(&[2_000_000, 2_100_000, 2_200_000]).await;
    let lines = [
        line(&staff[0].0, "2000000;;;;"),
        line(&staff[1].0, "2150000;;;;"),
        line(&payer.person(2_500_000), "2500000;;;;"),
        line(&payer.person(2_500_000), "two;;;;"),
    ];
    let batch = payer.plan(&lines).await;
    let url = "query ($id: ID!) { onboardingBatch(id: $id) { differencesUrl } }";
    let data = payer.app().ask(url, json!({"id": batch})).await;
    let path = data["onboardingBatch"]["differencesUrl"].as_str().unwrap();
    let download = async |token: &str, path: &str| {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        payer.app().send(request.body(Body::empty()).unwrap()).await
    };
    let text = async |token: &str| download(token, path).await.body.as_str().unwrap().to_owned();
    let own = text(&payer.onboardings.sender).await;
    let changes: Vec<&str> = own.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(changes, ["WAGE_CHANGES", "JOINS", "PROBLEM", "ABSENT"], "{own}");
    let number = staff[1].0.0["nationalId"].as_str().unwrap();
    assert!(own.contains(number) && own.contains(",2150000,"), "the sender gets back what it sent");
    assert!(!own.contains(",2100000,"), "a registered wage needs a purpose");
    let officer = text(&payer.app().officer(&["16"]).await).await;
    assert!(!officer.contains(number) && officer.contains("WAGE_CHANGES"), "{officer}");
    let elsewhere = download(&payer.app().officer(&["15"]).await, path).await;
    assert_eq!(elsewhere.status, 404);
    let workbook = download(&payer.onboardings.sender, &path.replace(".csv", ".xlsx")).await;
    assert!(workbook.body.as_str().unwrap().starts_with("PK"), "a workbook is an archive");
    let named =
        "select count(*) from audit_entry where operation like 'onboardingReport % differences rows=4'";
    assert_eq!(payer.app().count(named).await, 3);
}

#[tokio::test]
async fn the_changes_count_the_absent_people_whom_the_caller_sees() {
    let payer = Payer::new(10).await;
    let staff = payer.staff(&[2_000_000, 2_100_000, 2_200_000]).await;
    let batch = payer.plan(&[line(&staff[0].0, "2000000;;;;")]).await;
    let moved = "update participant set province_id = (select id from province where code = '15')
                 where id = (select max(id) from participant)";
    payer.app().owner(moved).await;
    let query =
        "query ($id: ID!) { onboardingBatch(id: $id) { changes { change rows } absent { totalCount } } }";
    let officer = payer.app().officer(&["16"]).await;
    let administrator = payer.app().administrator().await;
    for (token, seen) in [(officer, 1), (administrator, 2)] {
        let data = payer.app().ask_as(&token, query, json!({"id": batch})).await;
        let batch = &data["onboardingBatch"];
        let absent = json!({"change": "ABSENT", "rows": seen});
        assert_eq!(batch["absent"]["totalCount"], seen, "{batch}");
        assert!(batch["changes"].as_array().unwrap().contains(&absent), "{batch}");
    }
}
