//! A Seaography server, as a base for comparison.

mod entities;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use entities::{channels, coverage, employers, participants, provinces};
use sea_orm::{ConnectOptions, Database};
use seaography::async_graphql::{self, Request, dynamic::Schema};
use seaography::{Builder, BuilderContext};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static CONTEXT: LazyLock<BuilderContext> = LazyLock::new(BuilderContext::default);

type Answer = ([(header::HeaderName, &'static str); 1], Vec<u8>);

async fn answer(State(schema): State<Schema>, body: Bytes) -> Answer {
    let request: Request = serde_json::from_slice(&body).expect("the load sends JSON");
    let response = serde_json::to_vec(&schema.execute(request).await).expect("a response is JSON");
    ([(header::CONTENT_TYPE, "application/json")], response)
}

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let port = std::env::var("PORT").expect("PORT").parse().expect("a port");
    let mut options = ConnectOptions::new(url);
    // As a plain pool: no test before each use, no log of each statement.
    options.max_connections(20).sqlx_logging(false).test_before_acquire(false);
    let database = Database::connect(options).await.expect("a connection to PostgreSQL");
    let mut builder = Builder::new(&CONTEXT, database.clone());
    seaography::register_entities!(builder, [channels, coverage, employers, participants, provinces]);
    let schema = builder.schema_builder().data(database).finish().expect("a schema");
    let app = Router::new().route("/graphql", post(answer)).with_state(schema);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, app).await.expect("a server");
}
