//! A group's payment: an association pays for the members who gave it their money, for one month or several.

use super::*;

const PAY_GROUP: &str = "mutation ($input: RecordContributionsInput!) { recordContributions(input: $input) {
    recorded newlyActive
    payment { id month months members amount unallocated allocations { month purpose amount } }
    bill { month left openPeople open }
    errors { code path message } } }";
const QUOTE: &str =
    "query ($payer: PayerKey!, $month: Date!, $months: Int!, $paying: [ID!], $leavingOut: [ID!]) {
    contributionBill(payer: $payer, month: $month) { left openPeople open paid people
        quote(months: $months, enrollmentIds: $paying, leavingOut: $leavingOut) {
            members total months { month members amount } errors { code path } } } }";
const NOVEMBER: &str = "2014-11-01";
const DECEMBER: &str = "2014-12-01";

/// A group of informal workers, and a bank outlet. A member owes 16,800 a month, or 36,800 with old age.
struct Group {
    app: App,
    association: String,
    people: Vec<String>,
    /// The enrollments of these people.
    members: Vec<String>,
    outlet: String,
}

fn member(association: &str, programmes: Value) -> Person {
    let member = Person::new("BR-PLG").with("associationId", json!(association));
    let member = member.with("programmes", programmes).with("monthlyWage", json!(1_000_000));
    member.with("startsOn", json!(SEPTEMBER))
}

impl Group {
    async fn of(members: usize, with_old_age: usize) -> Self {
        let app = App::new().await;
        app.channel("BR-PLG").await;
        let association = app.association("Paguyuban Becak Ampera").await;
        let outlet = app.outlet("OUT-1").await;
        let mut group = Self { app, association, people: Vec::new(), members: Vec::new(), outlet };
        for at in 0..members {
            let programmes = match at < with_old_age {
                true => json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]),
                false => json!(["WORK_ACCIDENT", "DEATH"]),
            };
            let member = member(&group.association, programmes);
            group.enroll(&member).await;
        }
        group
    }

    async fn enroll(&mut self, member: &Person) {
        let (person, enrollment) = self.app.enrollment(member).await;
        self.people.push(person);
        self.members.push(enrollment);
    }

    /// A payment for a month, with these fields beside it.
    fn payment(&self, month: &str, reference: &str, amount: i64, terms: &Value) -> Value {
        let mut input = json!({"associationId": self.association, "month": month, "payment": {"channelCode": "OUT-1",
            "reference": reference, "paidOn": "2014-10-02", "amount": amount}});
        input.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        input
    }

    async fn pay(&self, month: &str, reference: &str, amount: i64, terms: Value) -> Value {
        self.record(self.payment(month, reference, amount, &terms)).await
    }

    async fn record(&self, input: Value) -> Value {
        self.app.ask_as(&self.outlet, PAY_GROUP, json!({"input": input})).await["recordContributions"].take()
    }

    /// The bill of a month, with a quote of what these members would have to bring.
    async fn quote(&self, month: &str, months: i32, members: Value) -> Value {
        let mut variables =
            json!({"payer": {"associationId": self.association}, "month": month, "months": months});
        variables.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.app.ask_as(&self.outlet, QUOTE, variables).await["contributionBill"].take()
    }

    async fn bill(&self, month: &str) -> Value {
        self.quote(month, 1, json!({})).await
    }

    /// Until when each member is paid.
    async fn paid_through(&self) -> Vec<String> {
        let people = self.people.iter().enumerate().map(|(at, person)| {
            format!(
                "p{at}: participant(by: {{id: \"{person}\"}}) {{ enrollments {{ nodes {{ paidThrough }} }} }}"
            )
        });
        let query = format!("{{ {} }}", people.collect::<Vec<_>>().join(" "));
        let data = self.app.ask(&query, json!({})).await;
        let through = |at: usize| &data[format!("p{at}")]["enrollments"]["nodes"][0]["paidThrough"];
        (0..self.people.len()).map(|at| through(at).as_str().unwrap_or("never").to_owned()).collect()
    }
}

async fn days_of_cover(app: &App, person: &str) -> Value {
    let query = "query ($id: ID!) { participant(by: {id: $id}) { enrollments { nodes { paidPeriods { from until } } } } }";
    let data = app.ask(query, json!({"id": person})).await;
    data["participant"]["enrollments"]["nodes"][0]["paidPeriods"].clone()
}

fn problems(answer: &Value) -> Vec<(String, String)> {
    let errors = answer["errors"].as_array().unwrap().iter();
    let key = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let path =
        |error: &Value| error["path"].as_array().unwrap().iter().map(key).collect::<Vec<_>>().join(".");
    errors.map(|error| (error["code"].as_str().unwrap().to_owned(), path(error))).collect()
}

fn problem(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

#[tokio::test]
async fn a_group_of_twelve_pays_a_quarter_in_one_receipt() {
    let group = Group::of(12, 5).await;
    let quoted = group.quote(OCTOBER, 3, json!({})).await;
    let month = |month: &str| json!({"month": month, "members": 12, "amount": 301_600});
    let quote = json!({"members": 12, "total": 904_800, "errors": [],
        "months": [month(OCTOBER), month(NOVEMBER), month(DECEMBER)]});
    assert_eq!(quoted["quote"], quote);

    let paid = group.pay(OCTOBER, "A1", 904_800, json!({"months": 3})).await;
    assert_eq!(
        (&paid["errors"], &paid["recorded"], &paid["newlyActive"]),
        (&json!([]), &json!(36), &json!(12))
    );
    let payment = &paid["payment"];
    assert_eq!(
        (&payment["months"], &payment["members"], &payment["unallocated"]),
        (&json!(3), &json!(12), &json!(0))
    );
    let allocation = |month: &str| json!({"month": month, "purpose": "MEMBERS", "amount": 301_600});
    assert_eq!(
        payment["allocations"],
        json!([allocation(OCTOBER), allocation(NOVEMBER), allocation(DECEMBER)]),
        "September is owed still"
    );
    assert_eq!(paid["bill"], json!({"month": OCTOBER, "left": 0, "openPeople": 0, "open": 0}));
    assert_eq!(group.paid_through().await, vec!["2014-12-31"; 12]);
    assert_eq!(group.app.differing_counters().await, 0);

    // The same again is the same, and advice and statement have it.
    assert_eq!(group.pay(OCTOBER, "A1", 904_800, json!({"months": 3})).await, paid);
    let query = "{ payment(channelCode: \"OUT-1\", reference: \"A1\") { amount months members }
        payments(filterBy: {channelCode: \"OUT-1\", paidOn: \"2014-10-02\"}) { totalCount nodes { members } } }";
    let found = group.app.ask_as(&group.outlet, query, json!({})).await;
    assert_eq!(found["payment"], json!({"amount": 904_800, "months": 3, "members": 12}));
    assert_eq!(found["payments"], json!({"totalCount": 1, "nodes": [{"members": 12}]}));

    // In November somebody joins, and owes the month alone.
    let ahead = group.bill(NOVEMBER).await;
    assert_eq!((&ahead["paid"], &ahead["left"]), (&json!(301_600), &json!(0)), "a bill of a month ahead");
    let mut later = Group { app: group.app.second_process_on("2014-11-20T03:00:00Z").await, ..group };
    let joiner =
        member(&later.association, json!(["WORK_ACCIDENT", "DEATH"])).with("startsOn", json!("2014-11-10"));
    later.enroll(&joiner).await;
    let bill = later.bill(NOVEMBER).await;
    assert_eq!(
        (&bill["people"], &bill["left"], &bill["openPeople"], &bill["open"]),
        (&json!(13), &json!(16_800), &json!(1), &json!(16_800))
    );
    assert_eq!(bill["quote"]["total"], 16_800);
}

#[tokio::test]
async fn a_member_who_is_left_out_is_unpaid_and_keeps_nobody_from_cover() {
    let group = Group::of(3, 0).await;
    let left_out = json!({"leavingOut": [group.members[2]]});
    for (month, reference) in [(SEPTEMBER, "A1"), (OCTOBER, "A2")] {
        let paid = group.pay(month, reference, 33_600, left_out.clone()).await;
        assert_eq!((&paid["errors"], &paid["recorded"]), (&json!([]), &json!(2)), "{month}");
        assert_eq!(paid["bill"], json!({"month": month, "left": 16_800, "openPeople": 1, "open": 16_800}));
    }
    assert_eq!(group.paid_through().await, ["2014-10-31", "2014-10-31", "never"]);
    // A payment of the whole bill clears what is owed, the oldest month first.
    let rest = group.pay(OCTOBER, "A3", 16_800, json!({})).await;
    assert_eq!(
        rest["payment"]["allocations"],
        json!([{"month": SEPTEMBER, "purpose": "CONTRIBUTION", "amount": 16_800}])
    );
    assert_eq!((&rest["payment"]["members"], &rest["recorded"]), (&json!(null), &json!(1)));
    assert_eq!(group.paid_through().await, ["2014-10-31", "2014-10-31", "2014-09-30"]);

    // Named members bring more than they owe: it goes the way of every payment.
    let named = json!({"enrollmentIds": [group.members[1]], "months": 1});
    let ahead = group.pay(NOVEMBER, "A4", 20_000, named).await;
    let allocation = |month: &str, purpose: &str, amount: i64| json!({"month": month, "purpose": purpose, "amount": amount});
    assert_eq!(
        ahead["payment"]["allocations"],
        json!([allocation(OCTOBER, "CONTRIBUTION", 3_200), allocation(NOVEMBER, "MEMBERS", 16_800)])
    );
    let last = group.pay(OCTOBER, "A5", 13_600, json!({})).await;
    assert_eq!((&last["recorded"], &last["bill"]["left"]), (&json!(1), &json!(0)));
    assert_eq!(group.paid_through().await, ["2014-10-31", "2014-11-30", "2014-10-31"]);
    assert_eq!(group.app.differing_counters().await, 0);
}

#[tokio::test]
async fn each_member_gets_the_months_that_its_enrollment_covers() {
    let mut group = Group::of(2, 0).await;
    let joiner =
        member(&group.association, json!(["WORK_ACCIDENT", "DEATH"])).with("startsOn", json!("2014-11-20"));
    group.enroll(&joiner).await;
    let ended = group.app.end(&group.members[1], "2014-10-02", "RESIGNED").await;
    assert_eq!(ended["errors"], json!([]));
    let quoted = group.quote(OCTOBER, 3, json!({})).await["quote"].take();
    let month = |month: &str, members: i64, amount: i64| json!({"month": month, "members": members, "amount": amount});
    assert_eq!(
        quoted["months"],
        json!([month(OCTOBER, 2, 33_600), month(NOVEMBER, 2, 33_600), month(DECEMBER, 2, 33_600)])
    );
    let paid = group.pay(OCTOBER, "A1", 100_800, json!({"months": 3})).await;
    assert_eq!(
        (&paid["errors"], &paid["recorded"], &paid["payment"]["members"]),
        (&json!([]), &json!(6), &json!(3))
    );
    assert_eq!(group.paid_through().await, ["2014-12-31", "2014-10-31", "2014-12-31"]);
    for (person, from, until) in
        [(0, "2014-10-01", "2014-12-31"), (1, "2014-10-01", "2014-10-01"), (2, "2014-11-20", "2014-12-31")]
    {
        let days = days_of_cover(&group.app, &group.people[person]).await;
        assert_eq!(days, json!([{"from": from, "until": until}]), "{person}");
    }
    let past = "query ($id: ID!) { participant(by: {id: $id}, asOf: \"2014-10-02\") {
        enrollments { nodes { paidThrough paidPeriods { from } } } } }";
    let data = group.app.ask(past, json!({"id": group.people[0]})).await;
    let then = json!([{"paidThrough": "2014-10-31", "paidPeriods": null}]);
    assert_eq!(
        data["participant"]["enrollments"]["nodes"], then,
        "months ahead are not paid through that day"
    );
    assert_eq!(group.app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_reference_has_one_amount_one_number_of_months_and_one_group() {
    let group = Group::of(2, 0).await;
    let both = json!({"enrollmentIds": [group.members[0], group.members[1]], "months": 2});
    let paid = group.pay(OCTOBER, "A1", 67_200, both.clone()).await;
    assert_eq!(paid["recorded"], 4);
    let turned = json!({"enrollmentIds": [group.members[1], group.members[0]], "months": 2});
    assert_eq!(group.pay(OCTOBER, "A1", 67_200, turned).await, paid);
    for (terms, amount, path) in [
        (both.clone(), 67_300, "payment.amount"),
        (json!({"enrollmentIds": both["enrollmentIds"], "months": 3}), 67_200, "months"),
        (json!({"enrollmentIds": [group.members[0]], "months": 2}), 67_200, "enrollmentIds"),
        (json!({"leavingOut": [group.members[0]], "months": 2}), 67_200, "leavingOut"),
    ] {
        let refused = group.pay(OCTOBER, "A1", amount, terms).await;
        assert_eq!(problems(&refused), problem("CONFLICT", path));
    }
    let whole = group.pay(OCTOBER, "A1", 67_200, json!({})).await;
    assert_eq!(
        problems(&whole),
        [problem("CONFLICT", "months"), problem("CONFLICT", "enrollmentIds")].concat()
    );
    assert_eq!(group.app.count("select count(*) from payment").await, 1);
}

#[tokio::test]
async fn a_group_payment_that_cannot_be_is_refused_at_its_path() {
    let mut group = Group::of(3, 0).await;
    let other = group.app.association("Nelayan Sungsang").await;
    let (_, stranger) = group.app.enrollment(&member(&other, json!(["WORK_ACCIDENT", "DEATH"]))).await;
    let joiner =
        member(&group.association, json!(["WORK_ACCIDENT", "DEATH"])).with("startsOn", json!("2014-12-10"));
    group.enroll(&joiner).await;
    let left = group.app.end(&group.members[2], "2014-09-30", "RESIGNED").await;
    assert_eq!(left["errors"], json!([]));
    let paid = group.pay(OCTOBER, "A0", 16_800, json!({"enrollmentIds": [group.members[0]]})).await;
    assert_eq!(paid["errors"], json!([]));
    let [first, second, ended, ahead] = [0, 1, 2, 3].map(|at| group.members[at].clone());
    let pay = |month: &str, amount, terms: Value| group.payment(month, "A1", amount, &terms);
    let named = |members: Value| pay(OCTOBER, 100_000, json!({"enrollmentIds": members}));
    let mut employer = pay(OCTOBER, 100_000, json!({"months": 2}));
    employer["employerId"] = json!(group.app.employer("PT Karet").await);
    employer.as_object_mut().unwrap().remove("associationId");
    let mut without_payment = pay(OCTOBER, 100_000, json!({"months": 2}));
    without_payment.as_object_mut().unwrap().remove("payment");
    let mut left_out_without_payment = pay(OCTOBER, 100_000, json!({"leavingOut": [first]}));
    left_out_without_payment.as_object_mut().unwrap().remove("payment");
    for (input, code, path) in [
        (named(json!([second, stranger])), "NOT_FOUND", "enrollmentIds.1"),
        (named(json!([second, group.people[0]])), "INVALID_FORMAT", "enrollmentIds.1"),
        (named(json!([ended])), "OUT_OF_RANGE", "enrollmentIds.0"),
        (named(json!([ahead])), "OUT_OF_RANGE", "enrollmentIds.0"),
        (named(json!([second, second])), "DUPLICATE_IN_REQUEST", "enrollmentIds.1"),
        (named(json!([second, first])), "CONFLICT", "enrollmentIds.1"),
        (named(json!([])), "REQUIRED", "enrollmentIds"),
        (pay(OCTOBER, 100_000, json!({"leavingOut": [stranger]})), "NOT_FOUND", "leavingOut.0"),
        (pay(OCTOBER, 100_000, json!({"leavingOut": [ended]})), "OUT_OF_RANGE", "leavingOut.0"),
        (pay(OCTOBER, 100_000, json!({"leavingOut": []})), "REQUIRED", "leavingOut"),
        (pay(OCTOBER, 100_000, json!({"leavingOut": [second]})), "CONFLICT", "month"),
        (
            pay(OCTOBER, 100_000, json!({"leavingOut": [second], "enrollmentIds": [second]})),
            "CONFLICT",
            "leavingOut",
        ),
        (pay("2014-08-01", 100_000, json!({"months": 1})), "OUT_OF_RANGE", "month"),
        (pay(NOVEMBER, 100_000, json!({"months": 1})), "OUT_OF_RANGE", "month"),
        (pay(NOVEMBER, 100_000, json!({"enrollmentIds": [second]})), "OUT_OF_RANGE", "enrollmentIds.0"),
        (pay("2015-11-01", 100_000, json!({"months": 1})), "OUT_OF_RANGE", "month"),
        (pay(OCTOBER, 1_000_000, json!({"months": 14})), "OUT_OF_RANGE", "months"),
        (pay(OCTOBER, 1_000_000, json!({"months": 0})), "OUT_OF_RANGE", "months"),
        (pay(OCTOBER, 1_000_000, json!({"months": 37})), "OUT_OF_RANGE", "months"),
        (pay("2014-10-02", 1_000_000, json!({"months": 1})), "INVALID_FORMAT", "month"),
        (pay(OCTOBER, 16_799, json!({"enrollmentIds": [second]})), "OUT_OF_RANGE", "payment.amount"),
        (employer, "CONFLICT", "months"),
        (without_payment, "CONFLICT", "months"),
        (left_out_without_payment, "CONFLICT", "leavingOut"),
    ] {
        let refused = group.record(input.clone()).await;
        assert_eq!(problems(&refused), problem(code, path), "{input}: {refused}");
        assert_eq!((&refused["payment"], &refused["recorded"]), (&json!(null), &json!(0)));
    }
    assert_eq!(group.app.count("select count(*) from payment").await, 1);
    // Up to a year ahead, and the quote says the same as the payment.
    let quoted = group.quote(OCTOBER, 13, json!({"paying": [second]})).await["quote"].take();
    assert_eq!((&quoted["total"], &quoted["errors"]), (&json!(13 * 16_800), &json!([])));
    let quoted = group.quote(OCTOBER, 14, json!({"paying": [second]})).await["quote"].take();
    assert_eq!((problems(&quoted), &quoted["total"]), (problem("OUT_OF_RANGE", "months"), &json!(0)));
    let token = group.app.administrator().await;
    let variables =
        json!({"payer": {"associationId": group.association}, "month": "2015-11-01", "months": 1});
    assert_eq!(group.app.refused(&token, QUOTE, variables.clone()).await, "BAD_FILTER");
    let both = json!({"payer": {"associationId": group.association}, "month": OCTOBER, "months": 1,
        "paying": [second], "leavingOut": [first]});
    assert_eq!(group.app.refused(&token, QUOTE, both).await, "BAD_FILTER");
}

#[tokio::test]
async fn a_reversal_takes_back_what_the_group_paid_and_nothing_else() {
    let group = Group::of(3, 0).await;
    group.pay(SEPTEMBER, "A1", 100_800, json!({"leavingOut": [group.members[2]], "months": 3})).await;
    group.pay(OCTOBER, "A2", 33_600, json!({})).await;
    let november = "2014-11-30";
    assert_eq!(group.paid_through().await, [november, november, "2014-10-31"]);
    // The payment of the whole bill is reversed: its member loses the months, the group keeps its own.
    assert_eq!(group.app.reverse(&group.outlet, "A2").await["unrecorded"], 2);
    assert_eq!(group.paid_through().await, [november, november, "never"]);
    assert_eq!(group.bill(SEPTEMBER).await["open"], 16_800);

    group.pay(OCTOBER, "A3", 33_600, json!({})).await;
    let reversed = group.app.reverse(&group.outlet, "A1").await;
    assert_eq!((&reversed["errors"], &reversed["unrecorded"]), (&json!([]), &json!(6)));
    assert_eq!(reversed["payment"]["allocations"], json!([]));
    assert_eq!(group.paid_through().await, ["never", "never", "2014-10-31"]);
    let bill = group.bill(OCTOBER).await;
    assert_eq!(
        (&bill["paid"], &bill["left"], &bill["openPeople"]),
        (&json!(16_800), &json!(33_600), &json!(2))
    );
    assert_eq!(group.bill(NOVEMBER).await["paid"], 0);
    assert_eq!(group.app.reverse(&group.outlet, "A1").await, reversed, "once more");
    assert_eq!(group.app.differing_counters().await, 0);
    // They can pay again.
    let again =
        group.pay(SEPTEMBER, "A4", 100_800, json!({"leavingOut": [group.members[2]], "months": 3})).await;
    assert_eq!((&again["recorded"], &again["payment"]["members"]), (&json!(6), &json!(2)));
    assert_eq!(group.app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_month_that_was_recorded_without_a_payment_is_paid_where_only_paid_ones_count() {
    let group = Group::of(2, 0).await;
    let token = group.app.administrator().await;
    let record = json!({"associationId": group.association, "month": OCTOBER});
    group.app.record_payment(&token, record).await;
    let all = json!({"months": 1});
    let refused = group.pay(OCTOBER, "A1", 33_600, all.clone()).await;
    assert_eq!(problems(&refused), problem("CONFLICT", "month"), "nothing is owed");
    let rule = "update unpaid_month_rule set valid_until = '2014-09-30';
        insert into unpaid_month_rule (code, counts, valid_from, title)
            values ('PAID-MONTHS', false, '2014-10-01', 'Agency, circular of September 2014')";
    sqlx::raw_sql(rule).execute(&group.app.sql).await.unwrap();
    group.app.database.refresh_reference().await.unwrap();
    assert_eq!(group.bill(OCTOBER).await["openPeople"], 2);
    let paid = group.pay(OCTOBER, "A1", 33_600, all).await;
    assert_eq!((&paid["errors"], &paid["recorded"]), (&json!([]), &json!(0)), "it was recorded before");
    assert_eq!(paid["bill"], json!({"month": OCTOBER, "left": 0, "openPeople": 0, "open": 0}));
}

#[tokio::test]
async fn the_statements_of_a_group_payment_do_not_depend_on_members_and_months() {
    let group = Group::of(9, 0).await;
    let one = json!({"enrollmentIds": [group.members[0]], "months": 1});
    let (paid, few) = sent(group.pay(SEPTEMBER, "A1", 16_800, one)).await;
    assert_eq!(paid["recorded"], 1);
    let rest = json!({"enrollmentIds": group.members[1..], "months": 12});
    let (paid, many) = sent(group.pay(SEPTEMBER, "A2", 8 * 12 * 16_800, rest)).await;
    assert_eq!(paid["recorded"], 96);
    assert_eq!(few, many);
    let (_, few) = sent(group.app.reverse(&group.outlet, "A1")).await;
    let (_, many) = sent(group.app.reverse(&group.outlet, "A2")).await;
    assert_eq!(few, many);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_payments_for_a_member_and_month_at_once_one_is_told() {
    let group = Group::of(2, 0).await;
    let named = json!({"enrollmentIds": [group.members[0]], "months": 2});
    let (one, two) = tokio::join!(
        group.pay(OCTOBER, "A1", 33_600, named.clone()),
        group.pay(OCTOBER, "A2", 33_600, named)
    );
    let mut told = [problems(&one), problems(&two)];
    told.sort();
    assert_eq!(told, [vec![], problem("CONFLICT", "enrollmentIds.0")]);
    assert_eq!(group.paid_through().await, ["2014-11-30", "never"]);
    assert_eq!(group.app.count("select count(*) from payment").await, 1);

    // A payment and a recording without one: the second adds nothing.
    let token = group.app.administrator().await;
    let record = json!({"month": OCTOBER, "enrollmentIds": [group.members[1]]});
    let second = json!({"enrollmentIds": [group.members[1]]});
    let (paid, recorded) =
        tokio::join!(group.pay(OCTOBER, "A3", 16_800, second), group.app.record_payment(&token, record));
    let is_told = problems(&paid) == problem("CONFLICT", "enrollmentIds.0") && recorded["recorded"] == 1;
    assert!(is_told || (paid["recorded"] == 1 && recorded["recorded"] == 0), "{paid} {recorded}");
    assert_eq!(group.app.differing_counters().await, 0);
}

#[tokio::test]
async fn what_a_member_owes_tells_something_of_the_member_and_is_on_record() {
    let group = Group::of(2, 0).await;
    let about = node_id::participant_id(&group.people[1]).unwrap();
    let entries = async || {
        let sql = format!("select count(*) from audit_entry where subjects = '{{{about}}}'");
        sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(&group.app.sql).await.unwrap()
    };
    let before = entries().await;
    let named = json!({"paying": [group.members[1]]});
    assert_eq!(group.quote(OCTOBER, 1, named).await["quote"]["members"], 1);
    assert_eq!(entries().await, before + 1);
    let refused = group.pay(OCTOBER, "A1", 1, json!({"enrollmentIds": [group.members[1]]})).await;
    assert_eq!(codes(&refused["errors"]), ["OUT_OF_RANGE"], "{refused}");
    assert_eq!(entries().await, before + 2);
}

#[tokio::test]
async fn a_member_who_comes_back_within_the_month_pays_for_it_once() {
    let mut group = Group::of(1, 0).await;
    let form = member(&group.association, json!(["WORK_ACCIDENT", "DEATH"]));
    group.enroll(&form).await;
    let before = group.quote(OCTOBER, 1, json!({})).await["quote"].take();
    assert_eq!((&before["members"], &before["total"]), (&json!(2), &json!(33_600)));
    assert_eq!(group.app.end(&group.members[1], "2014-10-02", "RESIGNED").await["errors"], json!([]));
    group.enroll(&form.with("startsOn", json!("2014-10-02"))).await;
    let quoted = group.quote(OCTOBER, 1, json!({})).await;
    assert_eq!((&quoted["quote"]["total"], &quoted["people"]), (&json!(33_600), &json!(2)));
    let paid = group.pay(OCTOBER, "A1", 33_600, json!({"months": 1})).await;
    assert_eq!((&paid["recorded"], &paid["bill"]["left"]), (&json!(2), &json!(0)), "{paid}");
    assert_eq!(group.app.differing_counters().await, 0);
}

#[tokio::test]
async fn money_for_a_member_who_left_covers_nobody_else_unasked() {
    let group = Group::of(2, 0).await;
    let paying = json!({"months": 2, "enrollmentIds": [group.members[0]]});
    assert_eq!(group.pay(SEPTEMBER, "A1", 2 * 16_800, paying).await["recorded"], 2);
    assert_eq!(group.app.end(&group.members[0], OCTOBER, "RESIGNED").await["errors"], json!([]));
    let bill = group.bill(OCTOBER).await;
    assert_eq!(
        (&bill["left"], &bill["openPeople"]),
        (&json!(16_800), &json!(1)),
        "the other one still owes it"
    );
    // The money of October is free, and clears the oldest month first.
    let paid = group.pay(SEPTEMBER, "A2", 1, json!({})).await;
    assert_eq!((&paid["recorded"], &paid["payment"]["unallocated"]), (&json!(1), &json!(0)));
    assert_eq!(group.paid_through().await, ["2014-10-31", "2014-09-30"]);
    assert_eq!(group.app.reverse(&group.outlet, "A1").await["unrecorded"], 3);
    assert_eq!(group.paid_through().await, ["never", "never"]);
    assert_eq!(group.app.differing_counters().await, 0);
}
