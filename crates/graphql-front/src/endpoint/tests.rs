//! The endpoint from outside: a router, requests in, responses out. Nothing sleeps: what has to wait waits for a
//! channel.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{
    Context, EmptySubscription, ErrorExtensions, InputObject, Object, Response as Executed, Schema,
};
use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode};
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt;

use super::*;
use crate::catalogue::{Catalogue, PageSizes, Rules};
use crate::code::{ErrorCode, Status};
use crate::guard::Limits;
use crate::language::Sentence;
use crate::request_id::REQUEST_ID;

mod long_work;
mod running;

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// What happens in the resolvers, reported to the test; and the test's signal to go on.
#[derive(Clone)]
struct Stage {
    reports: mpsc::UnboundedSender<&'static str>,
    go_on: Arc<Notify>,
}

/// Reports to the test that it was dropped.
struct Reported(mpsc::UnboundedSender<&'static str>);

impl Drop for Reported {
    fn drop(&mut self) {
        self.0.send("dropped").ok();
    }
}

#[derive(InputObject)]
struct Tree {
    children: Option<Vec<Tree>>,
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "hello"
    }
    async fn echo(&self, text: String) -> String {
        text
    }
    async fn born(&self, on: chrono::NaiveDate) -> String {
        on.to_string()
    }
    async fn depth(&self, tree: Tree) -> usize {
        let mut depth = 1;
        let mut tree = &tree;
        while let Some(child) = tree.children.as_ref().and_then(|children| children.first()) {
            (depth, tree) = (depth + 1, child);
        }
        depth
    }
    async fn actor(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<String>().clone()
    }
    async fn request(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<RequestId>().to_string()
    }
    async fn faulty(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err("Key (nik)=(3201010101010001)".into()))
    }
    async fn broken(&self) -> async_graphql::Result<i32> {
        Err("Key (nik)=(3201010101010001)".into())
    }
    async fn forbidden(&self) -> async_graphql::Result<i32> {
        Err(async_graphql::Error::new("Not yours.").extend_with(|_, e| e.set("code", "FORBIDDEN")))
    }
    async fn unavailable(&self) -> async_graphql::Result<i32> {
        Err(async_graphql::Error::new("Later.").extend_with(|_, e| e.set("code", "UNAVAILABLE")))
    }
    async fn panics(&self, #[graphql(default = 0)] divisor: i32) -> i32 {
        1 / divisor
    }
    async fn thread(&self) -> String {
        thread_name()
    }
    async fn thread_of_report(&self) -> String {
        thread_name()
    }
    async fn report_waits(&self, ctx: &Context<'_>) -> i32 {
        self.waits(ctx).await.unwrap_or_default()
    }
    async fn waits(&self, ctx: &Context<'_>) -> i32 {
        let stage = ctx.data_unchecked::<Stage>();
        let _reported = Reported(stage.reports.clone());
        stage.reports.send("started").ok();
        pending().await
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn enroll(&self, ctx: &Context<'_>) -> i32 {
        let stage = ctx.data_unchecked::<Stage>();
        stage.reports.send("started").ok();
        stage.go_on.notified().await;
        stage.reports.send("committed").ok();
        1
    }
    async fn thread(&self) -> String {
        thread_name()
    }
    async fn thread_of_bulk(&self) -> String {
        thread_name()
    }
    async fn panics(&self, #[graphql(default = 0)] divisor: i32) -> i32 {
        1 / divisor
    }
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

struct Server {
    router: Router,
    writes: Writes,
    events: mpsc::UnboundedReceiver<&'static str>,
    go_on: Arc<Notify>,
}

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Got {
    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }
    fn header(&self, name: impl axum::http::header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The application of the tests. The actor of a request is a text in its extensions.
struct App {
    schema: Schema<Query, Mutation, EmptySubscription>,
    catalogue: Catalogue,
}

const FORBIDDEN: ErrorCode = ErrorCode {
    name: "FORBIDDEN",
    status: Status::Result,
    retryable: false,
    sentence: Sentence { english: "This is not allowed.", indonesian: "Ini tidak diizinkan." },
};

impl Application for App {
    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    fn code(&self, name: &str) -> Option<ErrorCode> {
        (name == FORBIDDEN.name).then_some(FORBIDDEN)
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Executed> {
        let request = match call.extensions.get::<String>() {
            Some(actor) => call.request.data(actor.clone()),
            None => call.request,
        };
        async move { self.schema.execute(request).await }.boxed()
    }

    fn subscribe(self: Arc<Self>, call: Call) -> BoxStream<'static, Executed> {
        Box::pin(self.schema.execute_stream(call.request))
    }
}

const RULES: Rules = Rules {
    bulk: &["Mutation.threadOfBulk"],
    prices: &[("Query.threadOfReport", 10_000), ("Query.reportWaits", 10_000)],
    ..Rules::NONE
};

fn server_with(settings: Settings) -> Server {
    let (reports, events) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let stage = Stage { reports, go_on: Arc::clone(&go_on) };
    let schema = Schema::build(Query, Mutation, EmptySubscription).data(stage).finish();
    let pages = PageSizes { default: 20, maximum: 100 };
    let catalogue = Catalogue::new(&schema.sdl(), pages, &[RULES]).unwrap();
    let endpoint = Endpoint::new(Arc::new(App { schema, catalogue }), settings);
    let writes = endpoint.writes().clone();
    Server { router: Router::new().route("/graphql", endpoint.into_route()), writes, events, go_on }
}

fn server() -> Server {
    server_with(Settings::default())
}

fn post(body: impl Into<Body>) -> HttpRequest<Body> {
    HttpRequest::post("/graphql")
        .header(CONTENT_TYPE, JSON)
        .header(ACCEPT, GRAPHQL)
        .body(body.into())
        .unwrap()
}

fn query(query: &str) -> HttpRequest<Body> {
    post(json!({ "query": query }).to_string())
}

fn accepting(accept: &'static str, mut request: HttpRequest<Body>) -> HttpRequest<Body> {
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
    request
}

fn get(parameters: &str) -> HttpRequest<Body> {
    HttpRequest::get(format!("/graphql?{parameters}")).header(ACCEPT, GRAPHQL).body(Body::empty()).unwrap()
}

impl Server {
    /// Sends a request, and hangs up once its resolver has started.
    async fn hang_up(&mut self, request: HttpRequest<Body>) {
        let answer = tokio::spawn(self.router.clone().oneshot(request));
        assert_eq!(self.events.recv().await, Some("started"));
        answer.abort();
        assert!(answer.await.unwrap_err().is_cancelled());
    }

    async fn send(&self, request: HttpRequest<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Got { status: parts.status, headers: parts.headers, body }
    }
}

/// The code and status of one request.
async fn outcome(request: HttpRequest<Body>) -> (u16, String) {
    let got = server().send(request).await;
    (got.status.as_u16(), got.code().to_owned())
}

#[track_caller]
fn refused(got: (u16, String), status: u16, code: &str) {
    assert_eq!((got.0, got.1.as_str()), (status, code));
}

#[tokio::test]
async fn a_query_is_answered_with_its_data_and_the_headers_of_the_specification() {
    let got = server().send(query("{hello}")).await;
    assert_eq!((got.status, got.body), (StatusCode::OK, json!({"data": {"hello": "hello"}})));
    assert_eq!(got.headers[CONTENT_TYPE], format!("{GRAPHQL}; charset=utf-8"));
    assert_eq!(
        (&got.headers[VARY], &got.headers[CACHE_CONTROL]),
        (&"accept, accept-language".parse().unwrap(), &"no-store".parse().unwrap())
    );
    let legacy = server().send(accepting(JSON, query("{hello}"))).await;
    assert_eq!(legacy.headers[CONTENT_TYPE], format!("{JSON}; charset=utf-8"));
}

#[tokio::test]
async fn a_query_by_get_takes_its_parameters_from_the_url() {
    let parameters = "query=query+A($t:String!){echo(text:$t)}query+B{hello}\
        &operationName=A&variables={\"t\":\"x%26y\"}&extensions={}";
    let got =
        server().send(get(&parameters.replace('"', "%22").replace('{', "%7B").replace('}', "%7D"))).await;
    assert_eq!(got.body, json!({"data": {"echo": "x&y"}}));
    let empty = server().send(get("query=%7Bhello%7D&operationName=&variables=&extensions=")).await;
    assert_eq!(empty.body, json!({"data": {"hello": "hello"}}));
}

#[tokio::test]
async fn a_mutation_by_get_is_not_run_even_when_the_document_also_has_a_query() {
    let mut server = server();
    for parameters in
        ["query=mutation%7Benroll%7D", "query=query+Q%7Bhello%7Dmutation+M%7Benroll%7D&operationName=M"]
    {
        let got = server.send(get(parameters)).await;
        assert_eq!((got.status.as_u16(), got.code(), got.header(ALLOW)), (405, "MUTATION_BY_GET", "POST"));
    }
    assert!(server.events.try_recv().is_err());
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    let got = server().send(HttpRequest::put("/graphql").body(Body::empty()).unwrap()).await;
    assert_eq!((got.status.as_u16(), got.code()), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(got.header(ALLOW), "GET, HEAD, POST");
}

#[tokio::test]
async fn a_form_that_a_foreign_page_can_post_is_refused() {
    let mut server = server();
    for content_type in
        ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
    {
        let mut request = query("mutation{enroll}");
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let got = server.send(request).await;
        assert_eq!((got.status.as_u16(), got.code()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{content_type}");
    }
    let mut request = query("mutation{enroll}");
    request.headers_mut().remove(CONTENT_TYPE);
    refused(outcome(request).await, 415, "UNSUPPORTED_MEDIA_TYPE");
    assert!(server.events.try_recv().is_err());
}

#[tokio::test]
async fn a_media_type_that_we_do_not_have_is_refused() {
    refused(outcome(accepting("text/html", query("{hello}"))).await, 406, "NOT_ACCEPTABLE");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let settings = || Settings { max_body_bytes: 100, ..Settings::default() };
    let mut announced = post(Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>()));
    announced.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(101));
    let got = server_with(settings()).send(announced).await;
    assert_eq!((got.status.as_u16(), got.code()), (413, "BODY_TOO_LARGE"));
    let endless = post(Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 40]))));
    let got = server_with(settings()).send(endless).await;
    assert_eq!((got.status.as_u16(), got.code()), (413, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let settings = Settings { body_deadline: Duration::ZERO, ..Settings::default() };
    let body = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let got = server_with(settings).send(post(body)).await;
    assert_eq!((got.status.as_u16(), got.code()), (408, "REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn malformed_requests_are_400_in_both_forms() {
    for accept in [GRAPHQL, JSON] {
        for (body, code) in [
            ("NONSENSE", "BAD_JSON"),
            (r#"{"query":"#, "BAD_JSON"),
            ("{}", "BAD_REQUEST"),
            (r#"{"qeury":"{hello}"}"#, "BAD_REQUEST"),
            (r#"{"query":""}"#, "BAD_REQUEST"),
            (r#"{"query":null}"#, "BAD_REQUEST"),
            (r#"{"query":7}"#, "BAD_REQUEST"),
            (r#""{hello}""#, "BAD_REQUEST"),
            (r#"{"query":"{hello}","variables":[7]}"#, "BAD_REQUEST"),
            (r#"{"query":"{hello}","variables":"{}"}"#, "BAD_REQUEST"),
            (r#"{"query":"{hello}","extensions":[]}"#, "BAD_REQUEST"),
            (r#"{"query":"{hello}","operationName":1}"#, "BAD_REQUEST"),
            (r#" [{"query":"{hello}"}]"#, "BATCH_NOT_SUPPORTED"),
        ] {
            refused(outcome(accepting(accept, post(body))).await, 400, code);
        }
    }
    refused(outcome(get("query=%7Bhello%7D&variables=7")).await, 400, "BAD_REQUEST");
    refused(outcome(get("query=%7Bhello%7D&variables=%7B")).await, 400, "BAD_JSON");
    refused(outcome(get("")).await, 400, "BAD_REQUEST");
}

#[tokio::test]
async fn what_a_client_sent_is_not_repeated_when_its_shape_is_wrong() {
    let got = server().send(post(r#"{"query":"{hello}","variables":"3201010101010001"}"#)).await;
    assert!(!got.body.to_string().contains("3201"), "{}", got.body);
    let got = server().send(query("{echo(text: \"3201010101010001\" }")).await;
    assert_eq!(got.code(), "GRAPHQL_PARSE_FAILED");
    assert!(!got.body.to_string().contains("3201"), "{}", got.body);
    assert_eq!(got.body["errors"][0]["locations"], json!([{"line": 1, "column": 32}]));
}

#[tokio::test]
async fn nulls_and_unknown_members_are_as_if_they_were_not_there() {
    let body = r#"{"query":"{hello}","operationName":null,"variables":null,"extensions":null,"more":[{}]}"#;
    assert_eq!(server().send(post(body)).await.body, json!({"data": {"hello": "hello"}}));
}

#[tokio::test]
async fn a_query_that_is_not_one_is_400_or_for_older_clients_200_and_has_no_data() {
    let two = "query A{hello} query B{hello}";
    let null_for_required =
        json!({"query": "query($t:String!=\"a\"){echo(text:$t)}", "variables": {"t": null}}).to_string();
    let named = |name: &str| json!({"query": two, "operationName": name}).to_string();
    for (body, code) in [
        (json!({"query": "{"}).to_string(), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": "{nothing}"}).to_string(), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "{...F}"}).to_string(), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "query($t:String!){echo(text:$t)}"}).to_string(), "BAD_USER_INPUT"),
        (null_for_required, "BAD_USER_INPUT"),
        (json!({"query": "{echo(text:7)}"}).to_string(), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": two}).to_string(), "OPERATION_NAME_REQUIRED"),
        (named("C"), "OPERATION_NOT_FOUND"),
        (json!({"query": "{hello}", "operationName": "A"}).to_string(), "OPERATION_NOT_FOUND"),
        (json!({"query": "mutation{enroll enroll}"}).to_string(), "GRAPHQL_VALIDATION_FAILED"),
    ] {
        for (accept, status) in [(GRAPHQL, 400), (JSON, 200)] {
            let got = server().send(accepting(accept, post(body.clone()))).await;
            assert_eq!((got.status.as_u16(), got.code()), (status, code), "{body}");
            assert!(got.body.get("data").is_none(), "{}", got.body);
        }
    }
    assert_eq!(server().send(post(named("B"))).await.body, json!({"data": {"hello": "hello"}}));
}

#[tokio::test]
async fn a_subscription_by_post_or_get_is_refused() {
    refused(outcome(query("subscription{x}")).await, 400, "SUBSCRIPTION_OVER_HTTP");
    refused(outcome(get("query=subscription%7Bx%7D")).await, 400, "SUBSCRIPTION_OVER_HTTP");
}

#[tokio::test]
async fn a_client_that_names_no_media_type_gets_json() {
    for accept in [None, Some("*/*")] {
        let mut request = query("{nothing}");
        request.headers_mut().remove(ACCEPT);
        if let Some(accept) = accept {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let got = server().send(request).await;
        assert_eq!((got.status.as_u16(), got.code()), (200, "GRAPHQL_VALIDATION_FAILED"));
        assert_eq!(got.headers[CONTENT_TYPE], format!("{JSON}; charset=utf-8"));
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_ignored() {
    let got = server().send(post("\u{feff}{\"query\":\"{hello}\"}")).await;
    assert_eq!(got.body, json!({"data": {"hello": "hello"}}));
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_the_coding_that_is_read() {
    for (coding, status) in [("gzip", 415), ("br", 415), ("identity", 200)] {
        let mut request = query("{hello}");
        request.headers_mut().insert("content-encoding", HeaderValue::from_static(coding));
        let got = server().send(request).await;
        assert_eq!(got.status.as_u16(), status, "{coding}");
        if status == 415 {
            assert_eq!((got.code(), got.header("accept-encoding")), ("UNSUPPORTED_MEDIA_TYPE", "identity"));
        }
    }
}

#[tokio::test]
async fn a_variable_that_only_a_directive_of_typename_uses_is_used() {
    let asked = |query: &str, on: bool| post(json!({"query": query, "variables": {"v": on}}).to_string());
    let text = "query Q($v: Boolean!) { a: __typename @include(if: $v) hello }";
    assert_eq!(server().send(asked(text, true)).await.body["data"], json!({"a": "Query", "hello": "hello"}));
    assert_eq!(server().send(asked(text, false)).await.body["data"], json!({"hello": "hello"}));
    let in_fragment = "query Q($v: Boolean!) { ...F } fragment F on Query { __typename @skip(if: $v) hello }";
    assert_eq!(server().send(asked(in_fragment, true)).await.body["data"], json!({"hello": "hello"}));
    // What was passed over before is looked at now.
    let unknown = server().send(query("{ __typename @nothing }")).await;
    assert_eq!(unknown.code(), "GRAPHQL_VALIDATION_FAILED");
    let unused = server().send(query("query Q($v: Boolean) { hello }")).await;
    assert_eq!(unused.code(), "GRAPHQL_VALIDATION_FAILED");
}
