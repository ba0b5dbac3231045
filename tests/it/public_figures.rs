//! Public figures: who wants them gets them without a login, and nobody finds a small group in them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::Days;
use participant_registry::http::settings::Settings;

use crate::support::app::Reply;
use crate::support::{App, Person, Value, json};

async fn published() -> App {
    publish(App::new().await)
}

fn publish(app: App) -> App {
    app.with_settings(Settings { public_figures: true, ..Settings::default() })
}

async fn get(app: &App, tag: Option<&str>) -> Reply {
    let request = Request::get("/public/figures");
    let request = match tag {
        Some(tag) => request.header(header::IF_NONE_MATCH, tag),
        None => request,
    };
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn figures(app: &App) -> Value {
    let reply = get(app, None).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.body
}

fn of_province(figures: &Value, code: &str) -> (i64, i64) {
    let provinces = figures["provinces"].as_array().unwrap();
    let province = provinces.iter().find(|province| province["code"] == code).expect("the province");
    (province["total"].as_i64().unwrap(), province["active"].as_i64().unwrap())
}

/// Enrolls people who live in a province since some days. Some of them have paid, and are active.
async fn enroll(app: &App, channel: &str, province: &str, (count, paid): (u32, u32), days_ago: u64) {
    let first = app.today.checked_sub_days(Days::new(days_ago)).unwrap();
    for n in 0..count {
        let person =
            Person::new(channel).with("provinceCode", json!(province)).with("startsOn", json!(first));
        app.enrolled(&person.with("firstContributionPaid", json!(n < paid))).await;
    }
}

#[tokio::test]
async fn figures_are_public_only_where_the_operator_says_so() {
    let app = App::new().await;
    assert_eq!(get(&app, None).await.status, StatusCode::NOT_FOUND);
    let app = publish(app);
    let figures = figures(&app).await;
    assert_eq!(figures["asOf"], json!(app.today.pred_opt().unwrap()));
    assert_eq!((&figures["step"], &figures["country"]["total"]), (&json!(5), &json!(0)));
    assert_eq!(figures["provinces"].as_array().unwrap().len(), 34, "{figures}");
}

#[tokio::test]
async fn each_number_is_rounded_down_by_itself_so_that_no_difference_shows_a_small_group() {
    let app = published().await;
    let channel = app.channel("BR-PLG").await;
    let set = "mutation { setTarget(input: {year: 2014, active: 20000000}) { errors { code } } }";
    assert_eq!(app.ask(set, json!({})).await["setTarget"]["errors"], json!([]));
    enroll(&app, &channel, "16", (9, 7), 3).await;
    enroll(&app, &channel, "17", (4, 4), 3).await;
    // They are not public before tomorrow.
    enroll(&app, &channel, "18", (6, 6), 0).await;
    let figures = figures(&app).await;
    assert_eq!(of_province(&figures, "16"), (5, 5));
    assert_eq!(of_province(&figures, "17"), (0, 0));
    assert_eq!(of_province(&figures, "18"), (0, 0));
    // 13, which is not the sum of the provinces: the rest is not a province of four.
    assert_eq!((&figures["country"]["total"], &figures["country"]["active"]), (&json!(10), &json!(10)));
    assert_eq!(figures["country"]["target"], json!({"year": 2014, "active": 20_000_000}));
    let numbers = figures.to_string();
    for exact in [":9", ":4", ":13", ":19"] {
        assert!(!numbers.contains(&format!("{exact},")), "{exact} in {numbers}");
    }
}

#[tokio::test]
async fn an_answer_stays_until_the_next_day_and_is_cached_by_its_tag() {
    let app = published().await;
    let channel = app.channel("BR-PLG").await;
    enroll(&app, &channel, "16", (10, 10), 3).await;
    let first = get(&app, None).await;
    assert_eq!(of_province(&first.body, "16"), (10, 10));
    let tag = first.headers[header::ETAG].to_str().unwrap();
    let age = first.headers[header::CACHE_CONTROL].to_str().unwrap();
    assert_eq!(age, "public, max-age=3600");
    // A fact of an earlier day that is recorded now: nobody sees that it was now.
    enroll(&app, &channel, "16", (5, 5), 3).await;
    let again = get(&app, Some(&format!("\"other\", W/{tag}"))).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!((again.body, &again.headers[header::ETAG]), (json!(""), &first.headers[header::ETAG]));
    assert_eq!(get(&app, Some("\"other\"")).await.body, first.body);
    // Another process that starts later in the day reads anew, in the same steps.
    let restarted = publish(app);
    let later = get(&restarted, Some(tag)).await;
    assert_eq!(later.status, StatusCode::OK);
    assert_eq!(of_province(&later.body, "16"), (15, 15));
}

#[tokio::test]
async fn many_visitors_cost_the_database_one_statement() {
    let app = published().await;
    let before = app.database.pools();
    let visits = (0..20).map(|_| get(&app, None));
    let answers = futures_util::future::join_all(visits).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK && answer.body == answers[0].body));
    let statements = |pools: &[(&'static str, participant_registry::store::session::PoolUse)]| {
        pools.iter().map(|(_, used)| used.statements).sum::<u64>()
    };
    assert_eq!(statements(&app.database.pools()) - statements(&before), 1);
}

#[tokio::test]
async fn without_its_database_the_figures_are_unavailable() {
    let app = published().await;
    app.database.close().await;
    let reply = get(&app, None).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.body["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}
