//! Long work runs beside the other requests.

use tokio::runtime::{Builder, Runtime};

use super::*;

/// Runs a test with a server that has threads for long work, named `long`.
fn with_long_work(test: impl AsyncFnOnce(Server)) {
    let long =
        Builder::new_multi_thread().worker_threads(1).thread_name("long").enable_all().build().unwrap();
    let settings = Settings { long_work: Some(long.handle().clone()), ..Settings::default() };
    Runtime::new().unwrap().block_on(test(server_with(settings)));
}

/// A request with this many blanks behind its query.
fn sized(query: &str, blanks: usize) -> HttpRequest<Body> {
    post(json!({ "query": query }).to_string() + &" ".repeat(blanks))
}

/// Is it answered on a thread for long work?
async fn is_long(server: &Server, request: HttpRequest<Body>) -> bool {
    let got = server.send(request).await;
    let data = got.body["data"].as_object().unwrap_or_else(|| panic!("{}", got.body));
    data.values().all(|thread| thread == "long")
}

#[test]
fn bulk_mutations_large_queries_and_large_bodies_run_on_threads_of_their_own() {
    with_long_work(async |server| {
        for (query, is_large) in [
            ("{thread}", false),
            ("{threadOfReport}", true),
            ("mutation{thread}", false),
            ("mutation{threadOfBulk}", true),
        ] {
            assert_eq!(is_long(&server, sized(query, 0)).await, is_large, "{query}");
            assert!(is_long(&server, sized(query, 100_000)).await, "{query} with a large body");
        }
        assert!(!is_long(&server, get("query=%7Bthread%7D")).await);
    });
}

#[test]
fn a_client_that_hangs_up_ends_its_large_query() {
    with_long_work(async |mut server| {
        for request in [sized("{waits}", 100_000), sized("{reportWaits}", 0)] {
            server.hang_up(request).await;
            assert_eq!(server.events.recv().await, Some("dropped"));
        }
    });
}

#[test]
fn a_client_that_hangs_up_does_not_undo_its_large_mutation() {
    with_long_work(async |mut server| {
        server.hang_up(sized("mutation{enroll}", 100_000)).await;
        server.go_on.notify_one();
        assert_eq!(server.events.recv().await, Some("committed"));
        server.writes.finished().await;
    });
}

#[test]
fn a_large_query_ends_at_its_deadline() {
    let long = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = Settings {
        query_deadline: Duration::ZERO,
        long_work: Some(long.handle().clone()),
        ..Settings::default()
    };
    Runtime::new().unwrap().block_on(async {
        let got = server_with(settings).send(sized("{reportWaits}", 0)).await;
        assert_eq!((got.status.as_u16(), got.code()), (503, "DEADLINE_EXCEEDED"));
    });
}

#[test]
fn large_requests_are_refused_and_panic_as_small_ones_do() {
    with_long_work(async |server| {
        for (query, status, code) in
            [("{none}", 400, "GRAPHQL_VALIDATION_FAILED"), ("{hello panics}", 500, "INTERNAL")]
        {
            let (small, large) =
                (server.send(sized(query, 0)).await, server.send(sized(query, 100_000)).await);
            assert_eq!((small.status.as_u16(), small.code()), (status, code));
            assert_eq!((large.status.as_u16(), large.code()), (status, code));
        }
        let report = server.send(sized("{threadOfReport panics}", 0)).await;
        assert_eq!((report.status.as_u16(), report.code()), (500, "INTERNAL"));
    });
}
