//! Coverage: counts, targets, commitments and trends, for each scope.

use std::time::Duration;

use domain::actor::{Actor, Role, Scope};
use domain::vocabulary::WorkerGroup;
use participant_registry::store::coverage::{self, Figures, Part};
use strum::VariantArray as _;

use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, Value, json, row};

/// A tree of channels, and people of two provinces, three segments and several days. One person has two enrollments.
async fn populated() -> App {
    let app = App::new().await;
    let open = "mutation ($input: OpenChannelInput!) { openChannel(input: $input) { errors { code } } }";
    for (code, kind, parent) in [
        ("KW-1", "REGIONAL_OFFICE", Value::Null),
        ("BR-1", "BRANCH", json!("KW-1")),
        ("BO-1", "BANK_OUTLET", json!("BR-1")),
        ("BR-2", "BRANCH", Value::Null),
    ] {
        let input = json!({"code": code, "name": code, "kind": kind, "parentCode": parent,
            "provinceCodes": ["16", "15"], "openedOn": "2010-01-01"});
        app.ask(open, json!({"input": input})).await;
    }
    let employer = app.employer("Satu").await;
    let paid = |person: Person| person.with("firstContributionPaid", json!(true));
    let since = |person: Person, day: &str| person.with("startsOn", json!(day));
    let jambi = |person: Person| person.with("provinceCode", json!("15"));
    for (n, channel) in ["BO-1", "BR-1", "BR-2", "BO-1"].into_iter().enumerate() {
        let day = ["2014-08-15", "2014-09-01", "2014-09-30", "2014-10-01"][n];
        app.enrolled(&paid(since(Person::new(channel), day))).await;
        app.enrolled(&since(Person::new(channel), day).at(&employer)).await;
    }
    app.enrolled(&jambi(paid(Person::new("BO-1")))).await;
    let builder = jambi(paid(since(Person::new("BR-2"), "2014-09-15"))).at(&employer);
    app.enrolled(&builder.with("segment", json!("CONSTRUCTION"))).await;
    // Registered as a wage earner since August, active as self-employed since September.
    let both = since(Person::new("BR-1"), "2014-08-20").at(&employer);
    app.enrolled(&both).await;
    let mut second = paid(since(both, "2014-09-10")).with("segment", json!("SELF_EMPLOYED"));
    second.0.as_object_mut().unwrap().remove("employerId");
    app.enrolled(&second).await;
    app
}

const COUNTS: &str = "query ($filter: CoverageFilter) { coverage(filterBy: $filter) {
    counts { total registered active inactive ended } } }";

/// Returns the total and active people of a filter.
async fn people(app: &App, token: &str, filter: Value) -> (i64, i64) {
    let data = app.ask_as(token, COUNTS, json!({"filter": filter})).await;
    let counts = &data["coverage"]["counts"];
    (counts["total"].as_i64().unwrap(), counts["active"].as_i64().unwrap())
}

#[tokio::test]
async fn each_person_is_counted_once_under_every_filter() {
    let app = populated().await;
    let token = app.administrator().await;
    // Counts add the folded counters and the pending deltas.
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        for (filter, expected) in [
            (json!({}), (11, 7)),
            (json!({"provinceCode": "16"}), (9, 5)),
            (json!({"provinceCode": "15"}), (2, 2)),
            (json!({"provinceCode": "31"}), (0, 0)),
            (json!({"channelCode": "KW-1"}), (8, 5)),
            (json!({"channelCode": "BR-1"}), (8, 5)),
            (json!({"channelCode": "BO-1"}), (5, 3)),
            (json!({"channelCode": "KW-1", "provinceCode": "15"}), (1, 1)),
            (json!({"channelKind": ["BANK_OUTLET"]}), (5, 3)),
            (json!({"channelKind": ["BRANCH", "BANK_OUTLET"]}), (11, 7)),
            (json!({"channelCode": "KW-1", "channelKind": ["BRANCH"]}), (3, 2)),
            (json!({"segment": ["WAGE_EARNER"]}), (5, 0)),
            (json!({"segment": ["SELF_EMPLOYED"]}), (6, 6)),
            // The person with two segments counts once, as active.
            (json!({"segment": ["SELF_EMPLOYED", "WAGE_EARNER"]}), (10, 6)),
            (json!({"segment": ["CONSTRUCTION"]}), (1, 1)),
        ] {
            assert_eq!(people(&app, &token, filter.clone()).await, expected, "{filter}, folded: {folded}");
        }
    }
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn the_breakdowns_list_every_province_segment_and_channel_kind() {
    let app = populated().await;
    let query = "query ($filter: CoverageFilter) { coverage(filterBy: $filter) {
        byProvince { province { code } counts { total } } bySegment { segment counts { total active } }
        byChannelKind { kind channels counts { total } } provincesInForce provincesInAll } }";
    let data = app.ask(query, json!({})).await["coverage"].take();
    let provinces = data["byProvince"].as_array().unwrap();
    assert_eq!(
        (provinces.len(), &data["provincesInAll"], &data["provincesInForce"]),
        (34, &json!(34), &json!(0))
    );
    let inhabited: Vec<&Value> =
        provinces.iter().filter(|province| province["counts"]["total"] != 0).collect();
    assert_eq!(
        json!(inhabited),
        json!([{"province": {"code": "15"}, "counts": {"total": 2}}, {"province": {"code": "16"}, "counts": {"total": 9}}])
    );
    let segment = |name: &str, total: i32, active: i32| json!({"segment": name, "counts": {"total": total, "active": active}});
    assert_eq!(
        data["bySegment"],
        json!([
            segment("WAGE_EARNER", 5, 0),
            segment("SELF_EMPLOYED", 6, 6),
            segment("CONSTRUCTION", 1, 1),
            segment("MIGRANT_WORKER", 0, 0)
        ])
    );
    let kind = |name: &str, channels: i32, total: i32| json!({"kind": name, "channels": channels, "counts": {"total": total}});
    let kinds = data["byChannelKind"].as_array().unwrap();
    assert_eq!(kinds.len(), 10);
    assert_eq!(
        json!(kinds[..3]),
        json!([kind("REGIONAL_OFFICE", 1, 0), kind("BRANCH", 2, 6), kind("BANK_OUTLET", 1, 5)])
    );
    let filter = json!({"provinceCode": "15", "channelKind": ["BRANCH"], "segment": ["CONSTRUCTION"]});
    let data = app.ask(query, json!({"filter": filter})).await["coverage"].take();
    let expected = json!({"byProvince": [{"province": {"code": "15"}, "counts": {"total": 1}}],
        "bySegment": [segment("CONSTRUCTION", 1, 1)], "byChannelKind": [kind("BRANCH", 2, 1)],
        "provincesInForce": 0, "provincesInAll": 1});
    assert_eq!(data, expected);
}

#[tokio::test]
async fn counts_of_a_past_day_agree_with_the_trend() {
    let app = populated().await;
    let token = app.administrator().await;
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        for (day, expected) in [
            ("2014-08-14", (0, 0)),
            ("2014-08-15", (2, 1)),
            ("2014-08-31", (3, 1)),
            ("2014-09-09", (5, 2)),
            ("2014-09-10", (5, 3)),
            ("2014-09-30", (8, 5)),
            ("2014-10-01", (10, 6)),
            ("2014-10-02", (11, 7)),
        ] {
            assert_eq!(people(&app, &token, json!({"asOf": day})).await, expected, "{day}, folded: {folded}");
        }
        let trend =
            "query ($filter: CoverageFilter, $from: Date!, $until: Date!) { coverage(filterBy: $filter) {
            trend(from: $from, until: $until) { on active } } }";
        for filter in [
            json!({}),
            json!({"channelCode": "BR-1"}),
            json!({"segment": ["SELF_EMPLOYED"]}),
            json!({"provinceCode": "16", "channelKind": ["BRANCH"]}),
        ] {
            for (from, until, points) in [
                ("2014-06-15", "2014-10-02", 5),
                ("2014-06-15", "2014-12-31", 5),
                ("2014-08-10", "2014-09-15", 2),
                ("2014-09-15", "2014-09-20", 1),
                ("2014-10-03", "2014-12-31", 0),
            ] {
                let variables = json!({"filter": filter, "from": from, "until": until});
                let data = app.ask(trend, variables).await["coverage"]["trend"].take();
                assert_eq!(data.as_array().unwrap().len(), points, "{from} to {until}");
                for point in data.as_array().unwrap() {
                    let mut filter = filter.clone();
                    filter["asOf"] = point["on"].clone();
                    let (_, active) = people(&app, &token, filter.clone()).await;
                    assert_eq!(point["active"], active, "{filter}, folded: {folded}");
                }
            }
        }
        let data = app.ask(trend, json!({"from": "2014-07-01", "until": "2014-10-02"})).await;
        let point = |on: &str, active: i32| json!({"on": on, "active": active});
        assert_eq!(
            data["coverage"]["trend"],
            json!([
                point("2014-07-31", 0),
                point("2014-08-31", 1),
                point("2014-09-30", 5),
                point("2014-10-02", 7)
            ])
        );
    }
}

#[tokio::test]
async fn coverage_returns_the_target_of_the_year_and_the_progress() {
    let app = populated().await;
    let query =
        "query ($filter: CoverageFilter) { coverage(filterBy: $filter) { target { year active } progress
        byProvince { province { code } target { active } } } }";
    let ask = async |filter: Value| {
        let mut data = app.ask(query, json!({"filter": filter})).await["coverage"].take();
        let provinces = data["byProvince"].take();
        let targets: Vec<Value> =
            provinces.as_array().unwrap().iter().filter(|p| p["target"] != Value::Null).cloned().collect();
        (data["target"].take(), data["progress"].take(), targets)
    };
    assert_eq!(ask(json!({})).await, (Value::Null, Value::Null, vec![]));
    let set = "mutation ($input: SetTargetInput!) { setTarget(input: $input) { errors { code } } }";
    app.ask(set, json!({"input": {"year": 2015, "active": 28}})).await;
    app.ask(set, json!({"input": {"year": 2015, "active": 4, "provinceCode": "15"}})).await;
    let of_jambi = json!({"province": {"code": "15"}, "target": {"active": 4}});
    let target = |active: i32| json!({"year": 2015, "active": active});
    assert_eq!(ask(json!({})).await, (target(28), json!(0.25), vec![of_jambi.clone()]));
    assert_eq!(ask(json!({"provinceCode": "15"})).await, (target(4), json!(0.5), vec![of_jambi]));
    for part in [
        json!({"segment": ["SELF_EMPLOYED"]}),
        json!({"channelKind": ["BRANCH"]}),
        json!({"channelCode": "KW-1"}),
        json!({"provinceCode": "16"}),
    ] {
        assert_eq!(ask(part.clone()).await, (Value::Null, Value::Null, vec![]), "{part}");
    }
}

#[tokio::test]
async fn provinces_in_force_are_counted_and_published_figures_are_not_mixed_in() {
    let app = App::new().await;
    let record =
        "mutation ($input: RecordAgreementInput!) { recordAgreement(input: $input) { errors { code } } }";
    for (number, province, status, from) in [
        ("1", "16", "IN_FORCE", "2014-03-01"),
        ("2", "16", "IN_FORCE", "2014-03-01"),
        ("3", "15", "IN_FORCE", "2014-09-01"),
        ("4", "17", "SUSPENDED", "2014-03-01"),
    ] {
        let input = json!({"number": number, "provinceCode": province, "status": status, "validFrom": from,
            "scopes": ["FORMAL_WORKERS"], "commitments": [], "source": "a test"});
        assert_eq!(app.ask(record, json!({"input": input})).await["recordAgreement"]["errors"], json!([]));
    }
    let query =
        "query ($filter: CoverageFilter) { coverage(filterBy: $filter) { provincesInForce provincesInAll
        reported { metric value on source province { code } } counts { total } } }";
    let ask = async |filter: Value| app.ask(query, json!({"filter": filter})).await["coverage"].take();
    let in_force =
        |data: &Value| (data["provincesInForce"].as_i64().unwrap(), data["provincesInAll"].as_i64().unwrap());
    let country = ask(json!({})).await;
    assert_eq!((in_force(&country), in_force(&ask(json!({"asOf": "2014-08-31"})).await)), ((2, 34), (1, 34)));
    assert_eq!(in_force(&ask(json!({"provinceCode": "17"})).await), (0, 1));
    let metrics = |data: &Value| -> Vec<(String, i64)> {
        let figure = |figure: &Value| {
            assert!(
                !figure["source"].as_str().unwrap().is_empty()
                    && figure["on"].as_str().unwrap() <= "2014-10-02"
            );
            (figure["metric"].as_str().unwrap().to_owned(), figure["value"].as_i64().unwrap())
        };
        data["reported"].as_array().unwrap().iter().map(figure).collect()
    };
    let expected = [
        ("PROVINCES_TO_BE_UNDER_AGREEMENT", 34),
        ("PROVINCES_UNDER_AGREEMENT", 20),
        ("TARGET_ACTIVE_PARTICIPANTS_2015", 20_000_000),
    ];
    assert_eq!(metrics(&country), expected.map(|(metric, value)| (metric.to_owned(), value)));
    assert_eq!(country["counts"]["total"], 0);
    let south_sumatra = metrics(&ask(json!({"provinceCode": "16"})).await);
    assert_eq!(south_sumatra, [("CIVIL_SERVANTS_PLANNED".to_owned(), 8_000)]);
    assert_eq!(metrics(&ask(json!({"segment": ["WAGE_EARNER"]})).await), []);
}

#[tokio::test]
async fn commitments_show_how_many_people_are_enrolled_and_active() {
    let app = populated().await;
    let record = "mutation { recordAgreement(input: {number: \"KS 1\", provinceCode: \"16\", status: PLANNED,
        scopes: [CIVIL_SERVANTS, INFORMAL_WORKERS, FORMAL_WORKERS], source: \"a test\", commitments: [
            {scope: CIVIL_SERVANTS, headcount: 8000}, {scope: FORMAL_WORKERS, headcount: 10},
            {scope: INFORMAL_WORKERS, headcount: 10}]}) { errors { code } } }";
    assert_eq!(app.ask(record, json!({})).await["recordAgreement"]["errors"], json!([]));
    let query =
        "{ province(code: \"16\") { agreement { commitments { scope headcount enrolled active } } } }";
    let bar = |scope: &str, headcount: i32, enrolled: i32, active: i32| json!({"scope": scope, "headcount": headcount, "enrolled": enrolled, "active": active});
    let rest = [bar("FORMAL_WORKERS", 10, 5, 0), bar("INFORMAL_WORKERS", 10, 5, 5)];
    let bars = async || app.ask(query, json!({})).await["province"]["agreement"]["commitments"].take();
    assert_eq!(bars().await, json!([bar("CIVIL_SERVANTS", 8_000, 0, 0), rest[0], rest[1]]));
    let government = app.government("Pemerintah").await;
    for (paid, rows) in [(true, [row(1), row(2)]), (false, [row(3), row(4)])] {
        let input = json!({"employerId": government, "channelCode": "BR-1", "provinceCode": "16",
            "startsOn": "2014-10-01", "firstContributionPaid": paid, "rows": rows});
        let onboard = "mutation ($v: OnboardCivilServantsInput!) { onboardCivilServants(input: $v) { errors { code } } }";
        app.ask(onboard, json!({"v": input})).await;
    }
    assert_eq!(bars().await, json!([bar("CIVIL_SERVANTS", 8_000, 4, 2), rest[0], rest[1]]));
    // A role that may not read coverage sees what was promised, and which right the rest needs.
    let auditor = app.token(Role::Auditor, TokenScope::default()).await;
    let reply = app.post(&auditor, query, json!({})).await;
    let promised = json!({"scope": "CIVIL_SERVANTS", "headcount": 8_000, "enrolled": null, "active": null});
    assert_eq!(reply.body["data"]["province"]["agreement"]["commitments"][0], promised);
    let errors = reply.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 6, "two fields of three commitments");
    let enrolled = errors.iter().find(|error| error["path"][4] == "enrolled").unwrap();
    assert_eq!(enrolled["extensions"]["code"], "FORBIDDEN");
    assert_eq!(enrolled["message"], "AUDITOR may not read `Commitment.enrolled` (needs \"read coverage\").");
}

#[tokio::test]
async fn invalid_filters_and_periods_are_refused() {
    let app = populated().await;
    let token = app.administrator().await;
    for (filter, code) in [
        (json!({"provinceCode": "99"}), "UNKNOWN_CODE"),
        (json!({"channelCode": "BR-9"}), "UNKNOWN_CODE"),
        (json!({"channelKind": []}), "BAD_FILTER"),
        (json!({"segment": []}), "BAD_FILTER"),
        (json!({"asOf": "2014-10-03"}), "BAD_FILTER"),
    ] {
        assert_eq!(app.refused(&token, COUNTS, json!({"filter": filter})).await, code, "{filter}");
    }
    let trend =
        "query ($from: Date!, $until: Date!) { coverage { trend(from: $from, until: $until) { on } } }";
    for (from, until) in [("2014-10-02", "2014-10-01"), ("1990-01-01", "2010-01-02")] {
        let variables = json!({"from": from, "until": until});
        assert_eq!(app.refused(&token, trend, variables).await, "BAD_FILTER", "{from} to {until}");
    }
}

#[tokio::test]
async fn coverage_is_limited_to_the_scope_of_the_client() {
    let app = populated().await;
    let officer = app.officer(&["15"]).await;
    let whole = json!({});
    assert_eq!(people(&app, &officer, whole.clone()).await, (2, 2));
    assert_eq!(people(&app, &officer, json!({"provinceCode": "16"})).await, (0, 0));
    let query = "{ coverage { byProvince { province { code } } provincesInAll } }";
    let data = app.ask_as(&officer, query, json!({})).await;
    assert_eq!(data["coverage"], json!({"byProvince": [{"province": {"code": "15"}}], "provincesInAll": 1}));
    let scope = TokenScope { channel: Some("BR-1".to_owned()), ..TokenScope::default() };
    let of_channel = app.token(Role::Officer, scope.clone()).await;
    assert_eq!(people(&app, &of_channel, whole.clone()).await, (8, 5));
    assert_eq!(people(&app, &of_channel, json!({"channelCode": "BR-2"})).await, (0, 0));
    let both = TokenScope { provinces: vec!["15".to_owned()], ..scope.clone() };
    let of_both = app.token(Role::Approver, both).await;
    assert_eq!(people(&app, &of_both, whole.clone()).await, (1, 1));
    assert_eq!(people(&app, &of_both, json!({"asOf": "2014-10-01"})).await, (0, 0));
    let analyst = app.token(Role::Analyst, TokenScope::default()).await;
    assert_eq!(people(&app, &analyst, whole.clone()).await, (10, 5));
    for (role, scope) in [
        (Role::Partner, scope),
        (Role::LicensingDesk, TokenScope::default()),
        (Role::Auditor, TokenScope::default()),
    ] {
        let token = app.token(role, scope).await;
        assert_eq!(app.refused(&token, COUNTS, json!({})).await, "FORBIDDEN", "{role}");
    }
}

#[tokio::test]
async fn sql_conditions_and_row_security_alone_return_the_same_counts() {
    let app = populated().await;
    let administrator = Actor::command_line();
    let reference = app.database.reference();
    let province = |code: &str| vec![reference.province_by_code(code).unwrap().id];
    let channels = reference.with_descendants(reference.channel_by_code("BR-1").unwrap().id);
    let day = Some("2014-09-30".parse().unwrap());
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        for (name, scope) in [
            ("province", Scope { provinces: province("15"), ..Scope::default() }),
            ("channels", Scope { channels: channels.clone(), ..Scope::default() }),
            ("both", Scope { provinces: province("16"), channels: channels.clone(), ..Scope::default() }),
        ] {
            let scoped = Actor { role: Role::Officer, scope, ..Actor::command_line() };
            for as_of in [None, day] {
                let part = Part::default();
                let source = (&app.database.country, &*reference);
                let first = app.database.reading(&administrator);
                let first = coverage::figures(source, (&first, &scoped), &part, as_of).await.unwrap();
                // Runs an administrator's statements in a scoped session, so that row security alone applies.
                let through = app.database.reading(&scoped);
                let everything = if name == "province" { None } else { Some(all_channels(&app)) };
                let part = Part { channels: everything, ..part };
                let second =
                    coverage::figures(source, (&through, &administrator), &part, as_of).await.unwrap();
                let shown = |figures: &Figures| {
                    (figures.by_province(WorkerGroup::VARIANTS), figures.by_kind(WorkerGroup::VARIANTS))
                };
                assert_eq!(shown(&first), shown(&second), "{name} as of {as_of:?}, folded: {folded}");
                assert!(first.all(WorkerGroup::VARIANTS).total > 0, "{name} sees people");
            }
        }
    }
}

#[tokio::test]
async fn subscribers_with_the_same_scope_share_one_query() {
    let app = populated().await;
    let administrator = Actor::command_line();
    let province = app.database.reference().province_by_code("15").unwrap().id;
    let officer = Actor {
        role: Role::Officer,
        scope: Scope { provinces: vec![province], ..Scope::default() },
        ..Actor::command_line()
    };
    let followers: Vec<_> = [&administrator, &officer].into_iter().cycle().take(32).collect();
    let part = Part::default();
    // Kept alive, as a subscriber keeps it.
    let watches: Vec<_> = followers.iter().map(|actor| app.database.watched.of(actor, &part, None)).collect();
    let reference = app.database.reference();
    let read = followers.iter().zip(&watches).map(|(actor, watch)| {
        let session = app.database.reading(actor);
        let (source, part) = ((&app.database.country, &*reference), &part);
        async move {
            let figures =
                watch.figures(source, (&session, actor), (part, None), Duration::from_secs(3_600)).await;
            figures.unwrap().all(WorkerGroup::VARIANTS).total
        }
    });
    let (totals, statements) = sent(futures_util::future::join_all(read)).await;
    assert_eq!(totals, [11, 2].repeat(16));
    assert_eq!(statements.len(), 2, "{statements:#?}");
}

fn all_channels(app: &App) -> Vec<i64> {
    app.database.reference().channels().map(|channel| channel.id).collect()
}

#[tokio::test]
async fn coverage_costs_one_statement_and_a_trend_one_more() {
    let app = populated().await;
    let token = app.administrator().await;
    let everything = "counts { total } target { year } progress byProvince { province { name } counts { active } target { active } }
        bySegment { segment counts { active } } byChannelKind { kind channels counts { active } } provincesInForce provincesInAll
        reported { value }";
    let trend = "trend(from: \"2012-01-01\", until: \"2014-10-02\") { on active }";
    for (selected, expected) in
        [("counts { total }".to_owned(), 1), (everything.to_owned(), 1), (format!("{everything} {trend}"), 2)]
    {
        for filter in ["{}", "{asOf: \"2014-09-15\"}", "{channelCode: \"KW-1\", segment: [WAGE_EARNER]}"] {
            let query = format!("{{ coverage(filterBy: {filter}) {{ {selected} }} }}");
            let (_, statements) = sent(app.ask_as(&token, &query, json!({}))).await;
            assert_eq!(statements.len(), expected, "{query}: {statements:#?}");
        }
    }
}

#[tokio::test]
async fn commitments_of_all_provinces_cost_as_many_statements_as_of_one() {
    let app = populated().await;
    let token = app.administrator().await;
    let record = "mutation ($n: String!, $province: String!) { recordAgreement(input: {number: $n, provinceCode: $province,
        status: PLANNED, scopes: [CIVIL_SERVANTS, FORMAL_WORKERS], source: \"a test\",
        commitments: [{scope: CIVIL_SERVANTS, headcount: 8}, {scope: FORMAL_WORKERS, headcount: 9}]}) { errors { code } } }";
    let query = "{ provinces { agreement { commitments { enrolled active } } agreements { commitments { active } } } }";
    for provinces in [["16"].as_slice(), &["15", "17", "31", "32", "91"]] {
        for code in provinces {
            app.ask(record, json!({"n": format!("KS {code}"), "province": code})).await;
        }
        let (_, statements) = sent(app.ask_as(&token, query, json!({}))).await;
        assert_eq!(statements.len(), 1, "{statements:#?}");
    }
}

#[tokio::test]
async fn figures_in_memory_are_exact_at_every_commit_of_another_process() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let other = app.second_process().await;
    let token = other.administrator().await;
    for n in 1..=6 {
        app.enrolled(&Person::new(&channel)).await;
        assert_eq!(people(&other, &token, json!({})).await.0, n, "deltas");
        if n % 2 == 0 {
            app.fold().await;
            assert_eq!(people(&other, &token, json!({})).await.0, n, "another base");
            assert_eq!(people(&other, &token, json!({"provinceCode": "16"})).await.0, n);
            assert_eq!(people(&other, &token, json!({"provinceCode": "31"})).await.0, 0);
        }
    }
    let (_, statements) = sent(other.ask_as(&token, COUNTS, json!({"filter": {}}))).await;
    assert_eq!(statements.len(), 1, "{statements:#?}");
}
