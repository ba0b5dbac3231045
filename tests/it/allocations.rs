//! The allocations of a request: a measure of its work that is the same on every machine.
//!
//! What a request costs is mostly what it allocates. Each query here has a budget of allocations and of KiB: a future that
//! has grown is one allocation as before, and is copied in full. A change that needs more fails; one that needs much less
//! lowers the budget, so that it stays a guard.

use allocation_counter::measure;
use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::support::{App, Person, Value, json};

/// Requests of which the cheapest counts: the first ones parse, prepare statements and fill caches, and now and then the
/// registry works in the background.
const REQUESTS: usize = 40;

/// Sends a request, and returns its body.
async fn send(app: &App, token: &str, body: &str) -> Bytes {
    let request = Request::post("/graphql")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn populated() -> (App, String) {
    let app = App::new().await;
    let channels = [app.channel("BR-A").await, app.channel("BR-B").await];
    let employers = [app.employer("Satu").await, app.employer("Dua").await];
    for n in 0..50 {
        app.enrolled(&Person::new(&channels[n % 2]).at(&employers[n % 2])).await;
    }
    let token = app.administrator().await;
    (app, token)
}

#[test]
fn the_fixed_queries_allocate_no_more_than_their_budgets() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (app, token) = runtime.block_on(populated());
    let first = "{ participants(first: 1) { nodes { id cardNumber } } }";
    let first = runtime.block_on(app.ask_as(&token, first, json!({})));
    let person = &first["participants"]["nodes"][0];
    let fields =
        "id cardNumber fullName employer { name province { name } } channel { name provinces { name } }";
    let mut wrong = Vec::new();
    for (what, query, variables, budgets) in [
        ("nothing", "{ viewer { __typename } }".to_owned(), json!({}), [128, 44]),
        (
            "a person by card number",
            "query ($n: String!) { participant(by: {cardNumber: $n}) { id fullName status } }".to_owned(),
            json!({ "n": person["cardNumber"] }),
            [210, 64],
        ),
        (
            "a person with relations",
            format!("query ($id: ID!) {{ node(id: $id) {{ ... on Participant {{ {fields} }} }} }}"),
            json!({ "id": person["id"] }),
            [264, 80],
        ),
        (
            "a page of fifty",
            format!("query ($n: Int) {{ participants(first: $n) {{ nodes {{ {fields} }} }} }}"),
            json!({ "n": 50 }),
            [1_420, 312],
        ),
        (
            "the people of two employers and their counts",
            "query ($n: Int) { employers(first: 2) { nodes { id participants(first: $n) { totalCount nodes { id fullName } } } } }"
                .to_owned(),
            json!({ "n": 25 }),
            [592, 170],
        ),
    ] {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = || runtime.block_on(send(&app, &token, &body));
        let answer: Value = serde_json::from_slice(&request()).unwrap();
        assert!(answer["data"].is_object() && answer.get("errors").is_none(), "{what}: {answer}");
        let taken: Vec<_> = (0..REQUESTS).map(|_| measure(|| drop(request()))).collect();
        let allocations = taken.iter().map(|taken| taken.count_total).min().unwrap();
        let kibibytes = taken.iter().map(|taken| taken.bytes_total.div_ceil(1024)).min().unwrap();
        for ((unit, least), budget) in [("allocations", allocations), ("KiB", kibibytes)].into_iter().zip(budgets) {
            // Below nine tenths, the budget guards nothing any more.
            if !(budget * 9 / 10..=budget).contains(&least) {
                wrong.push(format!("{what} takes {least} {unit}, its budget is {budget}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
