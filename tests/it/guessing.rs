//! Numbers of people cannot be found by checks and plans of guesses.

use domain::actor::Role;

use crate::support::app::codes;
use crate::support::{App, Person, Reply, TokenScope, Value, json};

const ENROLL: &str =
    "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { errors { code } } }";
const ONBOARD: &str = "mutation ($input: OnboardParticipantsInput!) { onboardParticipants(input: $input) {
    batch { id state problems { code } counts { pending alreadyEnrolled rejected }
        rows(first: 3, filterBy: {outcome: [ALREADY_ENROLLED]}) { totalCount } }
    errors { code path } } }";

/// A registry with an officer of South Sumatra, who reads no personal data, and a woman with the number 1671014208851102.
struct Scene {
    app: App,
    officer: String,
    employer: String,
}

impl Scene {
    async fn new() -> Self {
        let app = App::new().await;
        app.begin_within_an_hour().await;
        app.channel("BR-PLG").await;
        let employer = app.employer("PT Musi").await;
        let officer = app.officer(&["16"]).await;
        Self { app, officer, employer }
    }

    /// Returns a form of Siti Rahayu, with a day of August 1985 and the number that tells it.
    fn guess(day: u32) -> Person {
        Person::new("BR-PLG")
            .with("nationalId", json!(format!("167101{:02}08851102", day + 40)))
            .with("birthDate", json!(format!("1985-08-{day:02}")))
    }

    async fn check(&self, form: &Person) -> Reply {
        let input = form.clone().with("validateOnly", json!(true)).0;
        self.app.post(&self.officer, ENROLL, json!({"input": input})).await
    }

    /// Plans rows with these numbers and birth dates.
    async fn plan(&self, rows: Vec<Value>) -> Value {
        let input = json!({"employerId": self.employer, "channelCode": "BR-PLG", "provinceCode": "16",
            "startsOn": "2014-10-01", "planOnly": true, "rows": rows});
        self.app.ask_as(&self.officer, ONBOARD, json!({"input": input})).await["onboardParticipants"].take()
    }

    async fn misses(&self) -> i64 {
        self.app.count("select coalesce(sum(misses), 0)::bigint from lookup_miss").await
    }

    async fn spend(&self, misses: i64) {
        let sql = "insert into lookup_miss values ('OFFICER-16', date_trunc('hour', now()), $1)
                   on conflict (client) do update set misses = $1";
        sqlx::query(sql).bind(misses).execute(&self.app.sql).await.unwrap();
    }
}

/// Returns rows for the days of 1985 from the first on, with one serial.
fn candidates(days: u64, serial: u32, name: &str) -> Vec<Value> {
    let first: chrono::NaiveDate = "1985-01-01".parse().unwrap();
    let row = |day: chrono::NaiveDate| {
        let female =
            format!("{:02}{}", day.format("%d").to_string().parse::<u32>().unwrap() + 40, day.format("%m%y"));
        json!({"nationalId": format!("167101{female}{serial:04}"), "fullName": name, "sex": "P",
            "birthDate": day.to_string(), "monthlyWage": "3000000"})
    };
    (0..days).map(|n| row(first + chrono::Days::new(n))).collect()
}

#[track_caller]
fn assert_spent(reply: &Reply) {
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "QUOTA_EXCEEDED", "{}", reply.body);
}

#[tokio::test]
async fn a_plan_does_not_find_the_number_of_a_person_among_guesses() {
    let scene = Scene::new().await;
    scene.app.enrolled(&Scene::guess(2).at(&scene.employer).with("monthlyWage", json!(3_000_000))).await;
    let plan = scene.plan(candidates(300, 1102, "Siti R.")).await;
    assert_eq!(plan["errors"], json!([]), "{plan}");
    assert_eq!(
        (&plan["batch"]["state"], codes(&plan["batch"]["problems"])),
        (&json!("FAILED"), vec!["OUT_OF_SCOPE"])
    );
    assert_eq!(plan["batch"]["rows"]["totalCount"], 0, "{plan}");
    assert_eq!(scene.misses().await, 299);
}

#[tokio::test]
async fn a_plan_of_a_roster_that_is_sent_again_costs_nothing() {
    let scene = Scene::new().await;
    let roster = candidates(300, 7, "Siti Rahayu");
    let first = scene.plan(roster.clone()).await;
    assert_eq!(
        first["batch"]["counts"],
        json!({"pending": 300, "alreadyEnrolled": 0, "rejected": 0}),
        "{first}"
    );
    for row in roster.iter().take(60) {
        let form = Person::new("BR-PLG").at(&scene.employer).with("monthlyWage", json!(3_000_000));
        let form =
            form.with("nationalId", row["nationalId"].clone()).with("birthDate", row["birthDate"].clone());
        scene.app.enrolled(&form.with("startsOn", json!("2014-10-01"))).await;
    }
    let again = scene.plan(roster[..60].to_vec()).await;
    assert_eq!(
        again["batch"]["counts"],
        json!({"pending": 0, "alreadyEnrolled": 60, "rejected": 0}),
        "{again}"
    );
    // Colleagues of the same name and year, whose numbers end in other digits, are no guesses.
    let colleagues = scene.plan(candidates(150, 8, "Siti Rahayu")).await;
    assert_eq!(colleagues["batch"]["counts"]["pending"], 150, "{colleagues}");
    assert_eq!(scene.misses().await, 0);
}

#[tokio::test]
async fn checks_do_not_find_the_number_of_a_person() {
    let scene = Scene::new().await;
    let known = Scene::guess(2).at(&scene.employer).with("monthlyWage", json!(3_000_000));
    scene.app.enrolled(&known).await;
    let newcomer = Person::new("BR-PLG").at(&scene.employer).with("monthlyWage", json!(3_000_000));
    let newcomer = newcomer.with("nationalId", json!("1671014208851103"));
    for form in [&newcomer, &known] {
        assert_eq!(scene.check(form).await.status, 200);
    }
    assert_eq!(scene.misses().await, 0);
    scene.spend(98).await;
    for day in [3, 4] {
        let form = Scene::guess(day).at(&scene.employer).with("monthlyWage", json!(3_000_000));
        let checked = scene.check(&form.with("fullName", json!("Siti"))).await;
        assert_eq!(checked.body["data"]["enrollParticipant"]["errors"], json!([]), "{}", checked.body);
    }
    assert_eq!(scene.misses().await, 100);
    assert_spent(&scene.check(&known).await);
    // Somebody else who reads personal data may ask.
    let provinces = TokenScope { provinces: vec!["16".into()], ..TokenScope::default() };
    let reader = scene.app.reader(Role::Officer, provinces).await;
    for (form, expected) in
        [(&known, vec!["ALREADY_ENROLLED"]), (&Scene::guess(5).at(&scene.employer), vec![])]
    {
        let input = form.clone().with("validateOnly", json!(true)).0;
        let checked = scene.app.ask_as(&reader, ENROLL, json!({"input": input})).await;
        assert_eq!(codes(&checked["enrollParticipant"]["errors"]), expected);
    }
    assert_eq!(scene.misses().await, 100);
}

#[tokio::test]
async fn checks_of_people_without_a_payer_tell_of_the_exact_name_only() {
    let scene = Scene::new().await;
    let known = Scene::guess(2);
    scene.app.enrolled(&known).await;
    let errors = async |form: &Person| {
        let checked = scene.check(form).await;
        codes(&checked.body["data"]["enrollParticipant"]["errors"]).join(" ")
    };
    let other_spelling = |day| Scene::guess(day).with("fullName", json!("Siti"));
    assert_eq!([errors(&other_spelling(2)).await, errors(&other_spelling(3)).await], ["", ""]);
    assert_eq!(scene.misses().await, 0);
    assert_eq!([errors(&known).await, errors(&Scene::guess(3)).await], ["ALREADY_ENROLLED", ""]);
    assert_eq!(scene.misses().await, 1, "the other day is a guess");
    // A real form tells in any case.
    let refused = scene.app.enroll_as(&scene.officer, &other_spelling(2)).await;
    assert_eq!(codes(&refused["errors"]), ["ALREADY_ENROLLED"]);
}

#[tokio::test]
async fn a_spent_quota_refuses_every_check_and_plan_and_no_form_of_a_newcomer() {
    let scene = Scene::new().await;
    let stranger = Person::new("BR-PLG").with("fullName", json!("Orang Lain"));
    scene.app.enrolled(&stranger).await;
    let contradiction = stranger.with("fullName", json!("Zed"));
    scene.spend(100).await;
    assert_spent(&scene.check(&contradiction).await);
    assert_spent(&scene.check(&Scene::guess(2)).await);
    for rows in [candidates(1, 1, "Zed"), candidates(2, 2, "Zed")] {
        let input = json!({"employerId": scene.employer, "channelCode": "BR-PLG", "provinceCode": "16",
            "startsOn": "2014-10-01", "allOrNothing": true, "rows": rows});
        assert_spent(&scene.app.post(&scene.officer, ONBOARD, json!({"input": input})).await);
        let mut plan = input;
        (plan["planOnly"], plan["allOrNothing"]) = (json!(true), json!(false));
        assert_spent(&scene.app.post(&scene.officer, ONBOARD, json!({"input": plan})).await);
    }
    assert_eq!(scene.misses().await, 100);
    // A client with honest forms goes on.
    assert_eq!(scene.app.enroll_as(&scene.officer, &Scene::guess(2)).await["errors"], json!([]));
}

#[tokio::test]
async fn rows_that_nobody_can_read_do_not_raise_the_quota_of_a_roster() {
    let scene = Scene::new().await;
    let known = candidates(3, 5, "Orang Lain");
    for row in &known {
        let form = Person::new("BR-PLG").with("nationalId", row["nationalId"].clone());
        scene.app.enrolled(&form.with("birthDate", row["birthDate"].clone())).await;
    }
    let junk = json!({"nationalId": "x", "fullName": "x", "birthDate": "x", "sex": "x"});
    let rows = |junk: Vec<Value>| [known.clone(), junk].concat();
    scene.spend(98).await;
    let plan = scene.plan(rows(vec![junk.clone(); 200])).await;
    assert_eq!(codes(&plan["batch"]["problems"]), ["OUT_OF_SCOPE"], "{plan}");
    scene.spend(98).await;
    let input = json!({"employerId": scene.employer, "channelCode": "BR-PLG", "provinceCode": "16",
        "startsOn": "2014-10-01", "rows": rows(vec![junk; 200])});
    assert_spent(&scene.app.post(&scene.officer, ONBOARD, json!({"input": input})).await);
    // As many rows of newcomers do.
    scene.spend(98).await;
    let newcomers = candidates(200, 7, "Ani Baru");
    let plan = scene.plan(rows(newcomers)).await;
    assert_eq!(plan["batch"]["counts"]["rejected"], 3, "{plan}");
}
