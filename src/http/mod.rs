//! The HTTP server: routes, authentication, and what surrounds the GraphQL endpoint.
//!
//! Every route needs a token except health, the verification of certificates of licence clearance, the template of a roster,
//! the files of the playground and of the web pages, the schema's text, and public figures where the operator publishes them.

mod application;
pub mod auth;
mod bundle;
pub mod clearance;
mod export;
mod file_body;
pub mod health;
mod identify;
pub mod language;
mod message;
pub mod metrics;
mod middleware;
pub mod onboarding;
mod own_wakes;
pub mod pages;
pub mod peer;
pub mod playground;
mod position;
mod public_figures;
mod purpose;
mod route;
pub mod server;
pub mod settings;
pub mod shared_limits;
mod socket_authenticator;
pub mod template;
pub mod tls;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use domain::language::Language;
use graphql_front::Endpoint;
use graphql_front::streams::Streams;
use graphql_front::websocket::WebSockets;
use graphql_front::writes::Writes;

use self::application::{Observers, RegistryApplication};
use self::auth::Authority;
use self::clearance::Verifier;
use self::health::Health;
use self::identify::Observed;
use self::metrics::{Metrics, Sources};
use self::middleware::{ForAll, ForClients};
use self::pages::Pages;
use self::playground::MakeSettings;
use self::public_figures::PublicFigures;
use self::route::OperationNames;
use self::settings::{Connections, Settings};
use self::shared_limits::SharedLimits;
use self::socket_authenticator::SocketAuthenticator;
use crate::clock::Clock;
use crate::store::Database;

/// What the server needs to serve the registry.
#[derive(Clone)]
pub struct ServerParts {
    /// The database.
    pub database: Arc<Database>,
    /// Verifies tokens.
    pub authority: Authority,
    /// The time.
    pub clock: Clock,
    /// Its limits.
    pub settings: Settings,
    /// Makes the settings of the playground; `None` where it is not served.
    pub playground: Option<MakeSettings>,
    /// The web pages; `None` where they are not served.
    pub pages: Option<Pages>,
}

/// The routes of the server, and what its loop needs to stop it.
pub struct BuiltServer {
    /// All routes.
    pub router: Router,
    /// The running mutations: they outlive their connections, and a server that stops waits for them.
    pub writes: Writes,
    /// The open WebSockets and event streams, which a server that stops ends.
    pub streams: Streams,
    /// Readiness, turned off before the server stops.
    pub health: Health,
    /// Limits of clients that hold across all processes that serve the database.
    pub shared_limits: Arc<SharedLimits>,
    /// Limits of the server loop.
    pub connections: Connections,
    /// TLS of the server's own, if it has any.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Where metrics are read from; `None` if none are recorded.
    pub metrics: Option<Sources>,
}

/// Headers of the registry that pages of other origins may send.
const SENT_BY_PAGES: [&str; 2] = ["x-purpose", "x-registry-position"];
/// Headers of the registry, and of its files, that pages of other origins may read.
const READ_BY_PAGES: [&str; 4] = ["x-registry-position", "content-disposition", "repr-digest", "export-rows"];

/// Builds the routes of the server.
pub fn build(parts: ServerParts) -> BuiltServer {
    let ServerParts { database, authority, clock, settings, playground, pages } = parts;
    let Settings {
        connections,
        graphql,
        verification,
        upload,
        export,
        proxies,
        public_figures,
        logs_requests,
        metrics,
        traces,
        tls,
    } = settings;
    let stored = graphql.documents.stored.as_ref();
    let names = OperationNames::new(stored.map(|stored| stored.operations()).unwrap_or_default());
    let metrics = metrics.then(Metrics::new);
    let origins = graphql.origins.clone().with_headers(&SENT_BY_PAGES, &READ_BY_PAGES);
    let introspection = graphql.limits.introspection;
    let verifier = Verifier::new(Arc::clone(&database), clock, verification);
    let observers = Observers { names, metrics: metrics.clone(), traces: traces.clone() };
    let application = RegistryApplication::new(Arc::clone(&database), clock, introspection, observers);
    let endpoint = Endpoint::new(Arc::new(application), graphql);
    let authenticator = SocketAuthenticator::new(authority.clone(), Arc::clone(&database));
    let sockets = WebSockets::new(endpoint.clone(), Arc::new(authenticator));
    let streams = endpoint.streams().clone();
    let writes = endpoint.writes().clone();
    let shared_limits = Arc::new(SharedLimits::new(endpoint.rate_limiter(), streams.clone()));
    let health = Health::new(Arc::clone(&database));
    let exports = export::ExportEndpoint::new(
        Arc::clone(&database),
        clock,
        (export, upload.spool.clone()),
        endpoint.rate_limiter(),
    );
    let files = onboarding::FileEndpoints::new(
        Arc::clone(&database),
        clock,
        upload,
        (writes.clone(), endpoint.rate_limiter()),
    );
    let sources = metrics.map(|metrics| Sources {
        metrics,
        endpoint: endpoint.clone(),
        database: Arc::clone(&database),
        shared_limits: Arc::clone(&shared_limits),
        spans: traces.as_ref().map(|traces| traces.counts().clone()),
    });
    let clients =
        ForClients { sockets, endpoint: endpoint.clone(), authority, database: Arc::clone(&database) };
    let mut router = Router::new()
        .route("/graphql", endpoint.into_route())
        .merge(files.routes())
        .merge(exports.routes())
        .route_layer(from_fn_with_state(Arc::new(clients), middleware::for_clients))
        .route("/clearance/{number}", get(clearance::verify).with_state(verifier))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready).with_state(health.clone()))
        .merge(template::routes());
    if introspection {
        router = router.route("/schema.graphql", get(schema_text));
    }
    if public_figures {
        let figures = PublicFigures::new(Arc::clone(&database), clock);
        let route = get(public_figures::figures).with_state(figures);
        router = router.merge(Router::new().route("/public/figures", route).layer(CompressionLayer::new()));
    }
    if let Some(make_settings) = playground {
        let playground = Router::new()
            .route("/", get(playground::page))
            .route("/playground/assets/{*path}", get(playground::asset))
            .route("/playground/settings.json", get(playground::settings).with_state(make_settings))
            .layer(CompressionLayer::new());
        router = router.merge(playground);
    }
    let pages = pages.map_or_else(Router::new, Pages::routes).merge(pages::assets());
    let router = router.merge(pages.layer(CompressionLayer::new()));
    let all = ForAll {
        proxies,
        observed: Observed { logs: logs_requests, traces },
        metrics: sources.as_ref().map(|sources| sources.metrics.clone()),
        origins,
    };
    let router = router.fallback(not_found).layer(from_fn_with_state(Arc::new(all), middleware::for_all));
    BuiltServer { router, writes, streams, health, shared_limits, connections, tls, metrics: sources }
}

/// Checks that files can be made in the folder for rosters and workbooks. Leaves nothing there.
///
/// # Errors
/// None can be made.
pub fn can_spool(folder: &std::path::Path) -> std::io::Result<()> {
    onboarding::spool::unnamed_file(folder).map(|_| ())
}

async fn not_found(headers: HeaderMap) -> (StatusCode, &'static str) {
    let text = match language::accepted(&headers) {
        Language::English => "There is nothing here; the API is at /graphql.\n",
        Language::Indonesian => "Halaman tidak ditemukan. API ada di /graphql.\n",
    };
    (StatusCode::NOT_FOUND, text)
}

async fn schema_text() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    static TEXT: LazyLock<String> = LazyLock::new(crate::graphql::sdl);
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], &TEXT)
}
