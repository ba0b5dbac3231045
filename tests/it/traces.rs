//! Traces: what a collector receives of requests, and that no request waits for it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::support::program::{Folder, Program, registry, send};
use crate::support::{App, Person, Value, json};

const STORED: &str = "query People { participants(first: 20) { totalCount nodes { fullName status province { name } \
     channel { name } enrollments(first: 5) { nodes { segment } } } } }";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A collector on this machine, which keeps what it gets.
struct Collector {
    endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    async fn start() -> Self {
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let receive = |State(spans): State<Arc<Mutex<Vec<Span>>>>, body: Bytes| async move {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        };
        let routes = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&spans));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { endpoint, spans }
    }

    /// The spans of a trace.
    fn trace(&self, id: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|span| hex::encode(&span.trace_id) == id).cloned().collect()
    }
}

/// An attribute that is a text.
fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    let value = found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    match value {
        Some(AnyValue::StringValue(text)) => text,
        other => panic!("{name} of {} is {other:?}", span.name),
    }
}

/// The registry over the database of an app, with a manifest of stored documents.
struct Traced {
    folder: Folder,
    token: String,
    url: String,
}

impl Traced {
    async fn new(app: &App, name: &str) -> Self {
        let folder = Folder::new(name);
        folder.write("key", &"07".repeat(32));
        folder.write("stored.json", &json!({hex::encode(Sha256::digest(STORED)): STORED}).to_string());
        Self { folder, token: app.administrator().await, url: app.database_url() }
    }

    async fn serve(&self, endpoint: &str) -> Arc<Program> {
        let file = |name: &str| self.folder.0.join(name).display().to_string();
        let settings = [
            ("DATABASE_URL", self.url.clone()),
            ("REGISTRY_KEY_FILE", file("key")),
            ("REGISTRY_STORED_DOCUMENTS", file("stored.json")),
            ("REGISTRY_LISTEN", "127.0.0.1:0".to_owned()),
            ("REGISTRY_METRICS_LISTEN", "127.0.0.1:0".to_owned()),
            ("REGISTRY_REQUEST_LOG", "true".to_owned()),
            ("REGISTRY_LOG_FORMAT", "json".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
        ];
        let serve = move || {
            let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
            Arc::new(Program::serve(&settings))
        };
        tokio::task::spawn_blocking(serve).await.unwrap()
    }

    /// Posts a query in the trace of a caller, and returns the id of the request and its data.
    async fn ask(
        &self,
        server: &Arc<Program>,
        traceparent: &str,
        query: &str,
        variables: Value,
    ) -> (String, Value) {
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\ntraceparent: {traceparent}\r\ntracestate: x=Zubaidah\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let server = Arc::clone(server);
        let answer = tokio::task::spawn_blocking(move || server.send(&request)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect(head).to_owned();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        assert_eq!(body.get("errors"), None, "{body}");
        (id, body["data"].clone())
    }
}

/// Stops a server, which sends the spans that wait, and returns its log.
async fn stop(server: Arc<Program>) -> String {
    let server = Arc::into_inner(server).expect("nobody else uses it");
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap()
}

#[tokio::test]
async fn a_trace_has_the_request_its_operation_and_its_statements_and_no_fields() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    for _ in 0..9 {
        app.enrolled(&Person::new(&channel)).await;
    }
    let collector = Collector::start().await;
    let traced = Traced::new(&app, "trace").await;
    let server = traced.serve(&collector.endpoint).await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let (id, data) = traced.ask(&server, &parent, STORED, json!({})).await;
    assert_eq!(data["participants"]["totalCount"], 9);
    let log = stop(server).await;

    let spans = collector.trace(TRACE);
    let of_kind = |kind: SpanKind| spans.iter().filter(move |span| span.kind == kind as i32);
    let request = of_kind(SpanKind::Server).next().expect("the span of the request");
    assert_eq!((&*request.name, hex::encode(&request.parent_span_id)), ("POST graphql", CALLER.to_owned()));
    assert_eq!(attribute(request, "registry.request_id"), id);
    let operation = of_kind(SpanKind::Internal).next().expect("the span of the operation");
    assert_eq!((&*operation.name, &operation.parent_span_id), ("query People", &request.span_id));
    assert_eq!(attribute(operation, "registry.request_id"), id);
    assert_eq!(attribute(operation, "registry.code"), "OK");
    let statements: Vec<_> = of_kind(SpanKind::Client).collect();
    // Nobody but statements, and no more of them for nine people than for one.
    assert_eq!(spans.len(), statements.len() + 2);
    assert!((3..15).contains(&statements.len()), "{}", statements.len());
    for statement in &statements {
        assert!([&request.span_id, &operation.span_id].contains(&&statement.parent_span_id), "{statement:?}");
        assert!(statement.start_time_unix_nano <= statement.end_time_unix_nano);
    }
    let read = |word: &str| statements.iter().any(|span| attribute(span, "db.query.text").contains(word));
    assert!(read("from participant p") && read("from enrollment e"), "{statements:?}");
    // The trace is found by the id of the request.
    let line = log.lines().find(|line| line.contains(&id)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{line}");
}

#[tokio::test]
async fn spans_have_no_personal_data_and_those_of_a_mutation_are_in_its_trace() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let collector = Collector::start().await;
    let traced = Traced::new(&app, "personal-trace").await;
    let server = traced.serve(&collector.endpoint).await;
    let person = Person::new(&channel)
        .with("fullName", json!("Zubaidah Wiryawan"))
        .with("monthlyWage", json!(7_654_321));
    let enroll = "mutation Zubaidah($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
        participant { id } errors { code } } }";
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let (_, data) = traced.ask(&server, &parent, enroll, json!({"input": person.0})).await;
    assert_eq!(data["enrollParticipant"]["errors"], json!([]));
    let number = person.0["nationalId"].as_str().unwrap();
    let query = format!("query Zubaidah {{ participant(by: {{nationalId: \"{number}\"}}) {{ fullName }} }}");
    // Neither a number nor a short id is a trace, so this one gets a trace of its own.
    let (id, data) = traced.ask(&server, &format!("00-{number}-{CALLER}-01"), &query, json!({})).await;
    assert_eq!(data["participant"]["fullName"], "Zubaidah Wiryawan");
    // What the caller does not want sampled is not sent.
    let unsampled = "00-11111111111111111111111111111111-b7ad6b7169203331-00";
    traced.ask(&server, unsampled, "{ viewer { role } }", json!({})).await;
    stop(server).await;

    let mutation = collector.trace(TRACE);
    let operation = mutation.iter().find(|span| span.name == "mutation other").expect("its span");
    let inserts = mutation.iter().filter(|span| span.parent_span_id == operation.span_id);
    assert!(inserts.count() > 0, "{mutation:?}");
    assert!(collector.trace("11111111111111111111111111111111").is_empty());
    let all = collector.spans.lock().unwrap();
    let own = all.iter().filter(|span| span.kind == SpanKind::Server as i32);
    assert!(own.clone().any(|span| attribute(span, "registry.request_id") == id), "{all:?}");
    let sent = format!("{all:?}");
    for secret in ["Zubaidah", number, "7654321", "1985-08-02", &traced.token] {
        assert!(!sent.contains(secret), "{secret} in {sent}");
    }
}

#[tokio::test]
async fn no_request_waits_for_a_collector_that_does_not_answer() {
    let app = App::new().await;
    // It accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let traced = Traced::new(&app, "silent-collector").await;
    let server = traced.serve(&format!("http://{}", silent.local_addr().unwrap())).await;
    for _ in 0..3 {
        let (_, data) = traced.ask(&server, "", "{ viewer { role } }", json!({})).await;
        assert_eq!(data["viewer"]["role"], "ADMINISTRATOR");
    }
    let metrics = tokio::task::spawn_blocking({
        let server = Arc::clone(&server);
        move || {
            send(
                &server.next_address(),
                "GET /metrics HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n",
            )
        }
    });
    let metrics = metrics.await.unwrap();
    assert!(metrics.contains("registry_spans_total{outcome=\"sent\"} 0"), "{metrics}");
    assert!(metrics.contains("registry_spans_total{outcome=\"dropped\"} 0"), "{metrics}");
    assert!(stop(server).await.contains("stopped"));
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused_by_name() {
    let folder = Folder::new("traces-protocol");
    let settings =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let refused = registry(&folder, &["serve"], &settings);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && text.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{text}");
    let examined = registry(&folder, &["doctor"], &settings);
    let text = String::from_utf8(examined.stdout).unwrap();
    assert!(text.contains("http/protobuf alone, not by grpc"), "{text}");
    let text = String::from_utf8(registry(&folder, &["doctor"], &[]).stdout).unwrap();
    assert!(text.contains("OTEL_EXPORTER_OTLP_ENDPOINT is not set"), "{text}");
}
