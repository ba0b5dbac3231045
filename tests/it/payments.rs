//! Bills and payments: a company's months, an outlet's inquiry, payment, advice, statement and reversal.

use domain::actor::{Actor, Role, Scope};
use participant_registry::graphql::node_id;

use crate::support::app::codes;
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json};

mod groups;
mod licences;
mod random;
mod refusals;
mod renewals;
mod reversals;
mod settling;

const PAY: &str = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) {
    recorded newlyActive
    payment { id reference amount unallocated allocations { month purpose amount } reversal { reason reversedBy } }
    bill { left unallocated fine finePaid paidOn owedBefore }
    errors { code path message } } }";
const BILL: &str = "query ($payer: PayerKey!, $month: Date!) { contributionBill(payer: $payer, month: $month) {
    month people peopleWithoutWage wageBase employer worker total withoutPayment paid left owedBefore finesOwedBefore
    unallocated dueOn dueRule { code } paidOn fine finePaid
    programmes { programme base employer worker rules { code } } } }";
const REVERSE: &str = "mutation ($input: ReversePaymentInput!) { reversePayment(input: $input) {
    unrecorded payment { reference reversal { reason } unallocated allocations { month } } errors { code path } } }";
const ADVICE: &str = "query ($channel: String!, $reference: String!) {
    payment(channelCode: $channel, reference: $reference) { amount paidOn reversal { reason } } }";

const SEPTEMBER: &str = "2014-09-01";
const OCTOBER: &str = "2014-10-01";

/// A company with three workers since September, whose months cost 811,200, and a bank outlet.
struct Scene {
    app: App,
    employer: String,
    people: Vec<String>,
    /// The forms by which they were enrolled.
    forms: Vec<Person>,
    outlet: String,
}

impl Scene {
    async fn new() -> Self {
        let app = App::new().await;
        let channel = app.channel("BR-PLG").await;
        let employer = app.employer("PT Karet").await;
        let wages = [2_000_000, 3_000_000, 8_000_000];
        let forms = wages.map(|wage| worker(&channel, &employer, wage)).to_vec();
        let mut people = Vec::new();
        for form in &forms {
            people.push(app.enrolled(form).await);
        }
        let outlet = app.outlet("OUT-1").await;
        Self { app, employer, people, forms, outlet }
    }

    /// Pays as the outlet, for October.
    async fn pay(&self, reference: &str, amount: i64) -> Value {
        self.pay_for(OCTOBER, reference, amount).await
    }

    async fn pay_for(&self, month: &str, reference: &str, amount: i64) -> Value {
        let input = self.payment(month, reference, amount);
        self.app.record_payment(&self.outlet, input).await
    }

    fn payment(&self, month: &str, reference: &str, amount: i64) -> Value {
        json!({"employerId": self.employer, "month": month, "payment": {"channelCode": "OUT-1",
            "reference": reference, "paidOn": "2014-10-02", "amount": amount}})
    }

    async fn bill(&self, month: &str) -> Value {
        self.app.bill(&self.outlet, &self.employer, month).await
    }

    async fn paid_through(&self) -> Vec<Value> {
        let mut paid = Vec::new();
        for person in &self.people {
            let query =
                "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { paidThrough } } } }";
            let data = self.app.ask(query, json!({"id": person})).await;
            paid.push(data["participant"]["enrollments"]["nodes"][0]["paidThrough"].clone());
        }
        paid
    }
}

fn worker(channel: &str, employer: &str, wage: i64) -> Person {
    Person::new(channel)
        .at(employer)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]))
        .with("monthlyWage", json!(wage))
        .with("startsOn", json!(SEPTEMBER))
}

impl App {
    /// Opens an outlet of a bank, and returns a token of its client.
    async fn outlet(&self, code: &str) -> String {
        self.channel(code).await;
        let scope = TokenScope { channel: Some(code.to_owned()), ..TokenScope::default() };
        self.token(Role::Partner, scope).await
    }

    async fn record_payment(&self, token: &str, input: Value) -> Value {
        self.ask_as(token, PAY, json!({"input": input})).await["recordContributions"].take()
    }

    async fn reverse(&self, token: &str, reference: &str) -> Value {
        let input = json!({"channelCode": "OUT-1", "reference": reference, "reason": "The till failed"});
        self.ask_as(token, REVERSE, json!({"input": input})).await["reversePayment"].take()
    }

    async fn bill(&self, token: &str, employer: &str, month: &str) -> Value {
        let variables = json!({"payer": {"employerId": employer}, "month": month});
        self.ask_as(token, BILL, variables).await["contributionBill"].take()
    }

    async fn advice(&self, token: &str, reference: &str) -> Value {
        let variables = json!({"channel": "OUT-1", "reference": reference});
        self.ask_as(token, ADVICE, variables).await["payment"].take()
    }
}

#[tokio::test]
async fn an_outlet_asks_for_a_bill_and_gets_it_by_programme() {
    let scene = Scene::new().await;
    let bill = scene.bill(OCTOBER).await;
    let whole = json!({"month": OCTOBER, "people": 3, "peopleWithoutWage": 0, "wageBase": 13_000_000,
        "employer": 551_200, "worker": 260_000, "total": 811_200, "withoutPayment": 0, "paid": 0, "left": 811_200,
        "owedBefore": 811_200, "finesOwedBefore": 0, "unallocated": 0, "dueOn": "2014-11-17", "dueRule": {"code": "DUE-PU-1993"},
        "paidOn": null, "fine": 0, "finePaid": 0,
        "programmes": [
            {"programme": "WORK_ACCIDENT", "base": 13_000_000, "employer": 31_200, "worker": 0,
             "rules": [{"code": "JKK-PU-1"}]},
            {"programme": "DEATH", "base": 13_000_000, "employer": 39_000, "worker": 0, "rules": [{"code": "JKM-PU"}]},
            {"programme": "OLD_AGE", "base": 13_000_000, "employer": 481_000, "worker": 260_000,
             "rules": [{"code": "JHT-PU"}]}]});
    assert_eq!(bill, whole);
    let before = scene.bill("2014-08-01").await;
    assert_eq!(
        (&before["people"], &before["total"], &before["programmes"]),
        (&json!(0), &json!(0), &json!([]))
    );

    // September was due on 15 October: by 20 December three months have started.
    let later = scene.app.second_process_on("2014-12-20T03:00:00Z").await;
    let late = later.bill(&scene.outlet, &scene.employer, SEPTEMBER).await;
    assert_eq!((&late["dueOn"], &late["fine"]), (&json!("2014-10-15"), &json!(48_672)));
}

#[tokio::test]
async fn a_payment_clears_the_oldest_month_and_records_what_it_covers() {
    let scene = Scene::new().await;
    let short = scene.pay("A1", 1_500_000).await;
    assert_eq!(
        (&short["recorded"], &short["newlyActive"], &short["errors"]),
        (&json!(3), &json!(3), &json!([])),
        "September"
    );
    let allocations = json!([{"month": SEPTEMBER, "purpose": "CONTRIBUTION", "amount": 811_200},
        {"month": OCTOBER, "purpose": "CONTRIBUTION", "amount": 688_800}]);
    assert_eq!(short["payment"]["allocations"], allocations);
    assert_eq!((&short["bill"]["left"], &short["bill"]["owedBefore"]), (&json!(122_400), &json!(0)));
    assert_eq!(scene.paid_through().await, vec![json!("2014-09-30"); 3]);

    let rest = scene.pay("A2", 822_400).await;
    assert_eq!((&rest["recorded"], &rest["newlyActive"]), (&json!(3), &json!(0)));
    assert_eq!(
        (&rest["payment"]["unallocated"], &rest["bill"]["unallocated"]),
        (&json!(700_000), &json!(700_000))
    );
    assert_eq!((&rest["bill"]["left"], &rest["bill"]["paidOn"]), (&json!(0), &json!("2014-10-02")));
    assert_eq!(scene.paid_through().await, vec![json!("2014-10-31"); 3]);
    assert_eq!(scene.app.differing_counters().await, 0);

    // The excess counts towards the next month, together with the next payment.
    let later = scene.app.second_process_on("2014-11-20T03:00:00Z").await;
    let bill = later.bill(&scene.outlet, &scene.employer, "2014-11-01").await;
    assert_eq!((&bill["left"], &bill["unallocated"]), (&json!(811_200), &json!(700_000)));
    let input = scene.payment("2014-11-01", "A3", 111_200);
    let paid = later.record_payment(&scene.outlet, input).await;
    assert_eq!((&paid["recorded"], &paid["bill"]["left"]), (&json!(3), &json!(0)));
    assert_eq!(paid["bill"]["paidOn"], "2014-10-02", "both were paid then");
}

#[tokio::test]
async fn a_late_month_costs_a_fine_which_an_excess_pays() {
    let scene = Scene::new().await;
    let later = scene.app.second_process_on("2014-10-20T03:00:00Z").await;
    let mut input = scene.payment(SEPTEMBER, "A1", 811_200 * 2 + 20_000);
    input["payment"]["paidOn"] = json!("2014-10-16");
    let paid = later.record_payment(&scene.outlet, input).await;
    let fine = json!({"month": SEPTEMBER, "purpose": "FINE", "amount": 16_224});
    assert_eq!(paid["payment"]["allocations"][1], fine);
    assert_eq!(paid["payment"]["unallocated"], 3_776);
    assert_eq!((&paid["bill"]["fine"], &paid["bill"]["finePaid"]), (&json!(16_224), &json!(16_224)));
}

#[tokio::test]
async fn the_bill_says_which_fines_of_earlier_months_are_left() {
    let scene = Scene::new().await;
    // September was due on 15 October, October on 17 November: by 20 December three and two months have started.
    let december = scene.app.second_process_on("2014-12-20T03:00:00Z").await;
    let owed = async || {
        let (bill, statements) = sent(december.bill(&scene.outlet, &scene.employer, "2014-11-01")).await;
        let reads = statements.iter().filter(|statement| statement.starts_with("select y.id")).count();
        assert_eq!(reads, 2, "the bill, and all earlier months at once: {statements:#?}");
        ["owedBefore", "finesOwedBefore", "left", "fine", "finePaid"]
            .map(|field| bill[field].as_i64().unwrap())
    };
    assert_eq!(owed().await, [1_622_400, 48_672 + 32_448, 811_200, 16_224, 0]);
    let mut input = scene.payment(SEPTEMBER, "A1", 811_200);
    input["payment"]["paidOn"] = json!("2014-10-16");
    assert_eq!(december.record_payment(&scene.outlet, input).await["errors"], json!([]));
    assert_eq!(
        owed().await,
        [811_200, 16_224 + 32_448, 811_200, 16_224, 0],
        "the fine of September ends with its payment"
    );
    let mut input = scene.payment("2014-12-01", "A2", 811_200 * 3 + 20_000);
    input["payment"]["paidOn"] = json!("2014-12-20");
    assert_eq!(december.record_payment(&scene.outlet, input).await["payment"]["unallocated"], 0);
    assert_eq!(owed().await, [0, 16_224 + 32_448 - 20_000, 0, 16_224, 0]);
}

#[tokio::test]
async fn the_same_reference_is_one_payment() {
    let scene = Scene::new().await;
    let first = scene.pay("A1", 1_622_400).await;
    assert_eq!((&first["recorded"], &first["errors"]), (&json!(6), &json!([])));
    assert_eq!(scene.pay("A1", 1_622_400).await, first, "without a key, too");
    let other = scene.app.employer("PT Sawit").await;
    scene.app.enrolled(&worker("BR-PLG", &other, 2_000_000)).await;
    let mut of_other = scene.payment(OCTOBER, "A1", 1_622_400);
    of_other["employerId"] = json!(other);
    let mut another_day = scene.payment(OCTOBER, "A1", 1_622_400);
    another_day["payment"]["paidOn"] = json!("2014-10-01");
    for (input, path) in [
        (scene.payment(OCTOBER, "A1", 1_622_401), json!(["payment", "amount"])),
        (scene.payment(SEPTEMBER, "A1", 1_622_400), json!(["month"])),
        (another_day, json!(["payment", "paidOn"])),
        (of_other, json!(["payment", "reference"])),
    ] {
        let refused = scene.app.record_payment(&scene.outlet, input).await;
        assert_eq!((codes(&refused["errors"]), &refused["errors"][0]["path"]), (vec!["CONFLICT"], &path));
        assert_eq!((&refused["payment"], &refused["recorded"]), (&json!(null), &json!(0)));
    }
    assert_eq!(scene.app.count("select count(*) from payment").await, 1);
    // Another channel may use the same reference.
    let token = scene.app.outlet("OUT-2").await;
    let mut elsewhere = scene.payment(OCTOBER, "A1", 5_000);
    elsewhere["payment"]["channelCode"] = json!("OUT-2");
    assert_eq!(scene.app.record_payment(&token, elsewhere).await["payment"]["unallocated"], 5_000);
}

#[tokio::test]
async fn months_recorded_without_a_payment_are_not_billed_again() {
    let scene = Scene::new().await;
    let token = scene.app.partner(&scene.employer).await;
    let record = json!({"employerId": scene.employer, "month": SEPTEMBER});
    let recorded = scene.app.record_payment(&token, record).await;
    assert_eq!(
        (&recorded["recorded"], &recorded["payment"], &recorded["bill"]),
        (&json!(3), &json!(null), &json!(null))
    );
    let september = scene.bill(SEPTEMBER).await;
    assert_eq!((&september["total"], &september["withoutPayment"]), (&json!(811_200), &json!(811_200)));
    assert_eq!((&september["left"], &september["fine"]), (&json!(0), &json!(0)));
    let paid = scene.pay("A1", 811_200).await;
    assert_eq!(
        paid["payment"]["allocations"],
        json!([{"month": OCTOBER, "purpose": "CONTRIBUTION", "amount": 811_200}])
    );
    // A worker who is enrolled late owes the months that are open.
    scene.app.enrolled(&worker("BR-PLG", &scene.employer, 1_000_000)).await;
    assert_eq!(
        (&scene.bill(SEPTEMBER).await["left"], &scene.bill(OCTOBER).await["left"]),
        (&json!(62_400), &json!(62_400))
    );
    let rest = scene.pay("A2", 124_800).await;
    assert_eq!(
        (&rest["recorded"], &rest["bill"]["owedBefore"], &rest["bill"]["left"]),
        (&json!(2), &json!(0), &json!(0))
    );
}

#[tokio::test]
async fn a_corrected_wage_is_a_shortage_that_the_next_payment_clears_first() {
    let scene = Scene::new().await;
    scene.pay("A1", 1_622_400).await;
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { id } } } }";
    let data = scene.app.ask(query, json!({"id": scene.people[1]})).await;
    let change = "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code } } }";
    let input = json!({"enrollmentId": data["participant"]["enrollments"]["nodes"][0]["id"],
        "monthlyWage": 3_300_000, "effectiveOn": SEPTEMBER, "reason": "The payroll of September"});
    let changed = scene.app.ask(change, json!({"input": input})).await;
    assert_eq!(changed["changeWage"]["errors"], json!([]));
    assert_eq!(scene.bill(SEPTEMBER).await["left"], 18_720);
    let paid = scene.pay("A2", 37_440).await;
    assert_eq!(
        (&paid["recorded"], &paid["bill"]["left"], &paid["bill"]["owedBefore"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(scene.paid_through().await, vec![json!("2014-10-31"); 3]);
}

#[tokio::test]
async fn an_association_pays_for_its_members_within_the_month() {
    let app = App::new().await;
    let (channel, association) = (app.channel("BR-PLG").await, app.association("Nelayan Sungsang").await);
    for programmes in [json!(["WORK_ACCIDENT", "DEATH"]), json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"])] {
        let member = Person::new(&channel).with("associationId", json!(association));
        let member = member.with("programmes", programmes).with("monthlyWage", json!(1_000_000));
        app.enrolled(&member.with("startsOn", json!(OCTOBER))).await;
    }
    let outlet = app.outlet("OUT-1").await;
    let variables = json!({"payer": {"associationId": association}, "month": OCTOBER});
    let bill = app.ask_as(&outlet, BILL, variables).await["contributionBill"].take();
    assert_eq!(
        (&bill["total"], &bill["employer"], &bill["worker"]),
        (&json!(53_600), &json!(0), &json!(53_600))
    );
    assert_eq!((&bill["dueOn"], &bill["dueRule"]["code"]), (&json!("2014-10-15"), &json!("DUE-BPU")));
    let input = json!({"associationId": association, "month": OCTOBER, "payment": {"channelCode": "OUT-1",
        "reference": "A1", "paidOn": "2014-10-02", "amount": 53_600}});
    let paid = app.record_payment(&outlet, input).await;
    assert_eq!(
        (&paid["recorded"], &paid["newlyActive"], &paid["bill"]["left"]),
        (&json!(2), &json!(2), &json!(0))
    );
}

#[tokio::test]
async fn the_statement_of_a_day_has_the_payments_of_a_channel() {
    let scene = Scene::new().await;
    for (reference, amount) in [("A1", 1_000), ("A2", 2_000), ("A3", 3_000)] {
        scene.pay(reference, amount).await;
    }
    scene.app.reverse(&scene.outlet, "A2").await;
    let query = "query ($filter: PaymentFilter, $after: String) { payments(filterBy: $filter, first: 2, after: $after) {
        totalCount nodes { id reference amount channel { code } employer { name } reversal { reason } }
        pageInfo { hasNextPage endCursor } } }";
    let filter = json!({"channelCode": "OUT-1", "paidOn": "2014-10-02"});
    let page = scene.app.ask_as(&scene.outlet, query, json!({"filter": filter})).await["payments"].take();
    assert_eq!((&page["totalCount"], &page["nodes"][0]["reference"]), (&json!(3), &json!("A3")));
    assert_eq!(page["nodes"][1]["reversal"]["reason"], "The till failed");
    assert_eq!(page["nodes"][0]["employer"]["name"], "PT Karet");
    let after = json!({"filter": filter, "after": page["pageInfo"]["endCursor"]});
    let next = scene.app.ask_as(&scene.outlet, query, after).await["payments"].take();
    assert_eq!(
        (&next["nodes"][0]["reference"], &next["pageInfo"]["hasNextPage"]),
        (&json!("A1"), &json!(false))
    );
    let count = async |filter: Value| {
        scene.app.ask_as(&scene.outlet, query, json!({"filter": filter})).await["payments"]["totalCount"]
            .take()
    };
    assert_eq!(count(json!({"reversed": false})).await, 2);
    assert_eq!(count(json!({"paidFrom": "2014-10-03"})).await, 0);
    assert_eq!(count(json!({"paidUntil": "2014-10-01"})).await, 0);
    assert_eq!(count(json!({"employerId": scene.employer})).await, 3);
    // Each payment is a node.
    let node = "query ($id: ID!) { node(id: $id) { id ... on Payment { reference } } }";
    let found = scene.app.ask_as(&scene.outlet, node, json!({"id": page["nodes"][0]["id"]})).await;
    assert_eq!(found["node"]["reference"], "A3");
}

#[tokio::test]
async fn a_bill_takes_as_many_statements_for_one_worker_as_for_many() {
    let scene = Scene::new().await;
    let variables = json!({"payer": {"employerId": scene.employer}, "month": OCTOBER});
    let (_, of_three) = sent(scene.app.ask_as(&scene.outlet, BILL, variables.clone())).await;
    for wage in 1..20 {
        scene.app.enrolled(&worker("BR-PLG", &scene.employer, 1_000_000 + wage)).await;
    }
    let (data, of_many) = sent(scene.app.ask_as(&scene.outlet, BILL, variables)).await;
    assert_eq!(data["contributionBill"]["people"], 22);
    assert_eq!(of_many.len(), of_three.len(), "{of_many:#?}");
}

#[tokio::test]
async fn row_security_shows_payments_of_the_scope_alone() {
    let scene = Scene::new().await;
    scene.pay("A1", 1_000).await;
    let count = async |scope: Scope, role: Role| -> (i64, i64) {
        let session = scene.app.database.reading(&Actor { role, scope, ..Actor::command_line() });
        let rows = "select (select count(*) from payment), (select count(*) from payment_allocation)";
        sqlx::query_as(rows).fetch_one(&session).await.unwrap()
    };
    let employer = node_id::employer_id(&scene.employer).unwrap();
    let reference = scene.app.database.reference();
    let channel = |code: &str| vec![reference.channel_by_code(code).unwrap().id];
    let province = |code: &str| vec![reference.province_by_code(code).unwrap().id];
    let none = Scope::default;
    let seen = [
        Scope { employer: Some(employer), ..none() },
        Scope { channels: channel("OUT-1"), ..none() },
        Scope { provinces: province("16"), ..none() },
        Scope { provinces: province("16"), channels: channel("OUT-1"), ..none() },
    ];
    for scope in seen {
        assert_eq!(count(scope.clone(), Role::Officer).await, (1, 1), "{scope:?}");
    }
    let unseen = [
        Scope { employer: Some(employer + 1), ..none() },
        Scope { association: Some(employer), ..none() },
        Scope { channels: channel("BR-PLG"), ..none() },
        Scope { provinces: province("15"), channels: channel("OUT-1"), ..none() },
    ];
    for scope in unseen {
        assert_eq!(count(scope.clone(), Role::Officer).await, (0, 0), "{scope:?}");
    }
    assert_eq!(count(none(), Role::Auditor).await, (0, 0));
}
