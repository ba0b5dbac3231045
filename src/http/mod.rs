//! The front door: who may come in, what is served where.
//!
//! Nothing is served without a token except health, whether a certificate of licence clearance is valid, the template of a
//! roster, the playground's files and the schema's text.

pub mod admission;
pub mod audited;
pub mod auth;
pub mod clearance;
pub mod code;
pub mod cost;
pub mod documents;
pub mod graphql;
pub mod guard;
pub mod health;
mod identify;
pub mod language;
pub mod media;
pub mod onboarding;
pub mod origin;
pub mod playground;
mod purpose;
pub mod server;
pub mod settings;
pub mod subscription;
pub mod template;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use self::audited::{Audited, about};
use self::auth::Authority;
use self::clearance::Verifier;
use self::graphql::{Endpoint, Writes};
use self::health::Health;
use self::playground::MakeSettings;
use self::settings::{Connections, Settings};
use self::subscription::Subscriptions;
use crate::clock::Clock;
use crate::graphql::caller::Caller;
use crate::graphql::context::RequestContext;
use crate::store::Database;
use domain::access::Purpose;
use domain::actor::Actor;

/// What is served, and how.
#[derive(Clone)]
pub struct Front {
    /// The database.
    pub database: Arc<Database>,
    /// Whose tokens hold.
    pub authority: Authority,
    /// The time.
    pub clock: Clock,
    /// Limits of the endpoint.
    pub settings: Settings,
    /// The playground; `None`: not served.
    pub playground: Option<MakeSettings>,
}

/// The routes, the writes under way and the switch of readiness.
pub struct Open {
    /// All routes.
    pub router: Router,
    /// Mutations outlive their connections; a server that stops waits for them.
    pub writes: Writes,
    /// Turned off before the doors close.
    pub health: Health,
    /// Limits of the server loop.
    pub connections: Connections,
}

/// Opens the front door.
pub fn open(front: Front) -> Open {
    let Front { database, authority, clock, settings, playground } = front;
    let of_request = Arc::clone(&database);
    let schema = Audited::new(crate::graphql::schema());
    let subscriptions =
        Subscriptions::new(schema.clone(), Arc::clone(&database), authority.clone(), clock, &settings);
    let (connections, origins) = (settings.connections, settings.origins.clone());
    let upload = settings.upload.clone();
    let introspection = settings.limits.introspection;
    let verifier = Verifier::new(Arc::clone(&database), clock, settings.verification);
    let endpoint = Endpoint::new(schema, settings, move |mut request, extensions| {
        let actor = extensions.get::<Arc<Actor>>().expect("the endpoint stands behind `authenticate`");
        let caller = Caller::new(Arc::clone(&of_request), Arc::clone(actor), clock);
        let purpose = extensions.get::<Purpose>();
        let about = about(&mut request, purpose);
        request.data(RequestContext::new(caller.for_purpose(purpose), about))
    });
    let writes = endpoint.writes().clone();
    let health = Health::new(Arc::clone(&database));
    let limiter = Arc::clone(endpoint.limiter());
    let desk = onboarding::FileEndpoints::new(
        Arc::clone(&database),
        clock,
        upload,
        (writes.clone(), endpoint.rate_limiter()),
    );
    let mut router = Router::new()
        .route("/graphql", endpoint.into_route())
        .merge(desk.routes())
        .route_layer(from_fn(purpose::read))
        .route_layer(from_fn_with_state((authority, Arc::clone(&database)), auth::authenticate))
        .route_layer(from_fn_with_state(limiter, admission::approach))
        .route_layer(from_fn(move |request: Request, next: Next| {
            let subscriptions = subscriptions.clone();
            async move {
                // A socket brings its token later, as its first message.
                match Subscriptions::wants(request.headers()) {
                    true => subscriptions.upgrade(request).await,
                    false => next.run(request).await,
                }
            }
        }))
        .route("/clearance/{number}", get(clearance::verify).with_state(verifier))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready).with_state(health.clone()))
        .merge(template::routes());
    if introspection {
        router = router.route("/schema.graphql", get(schema_text));
    }
    if let Some(make_settings) = playground {
        let pages = Router::new()
            .route("/", get(playground::page))
            .route("/playground/assets/{*path}", get(playground::asset))
            .route("/playground/settings.json", get(playground::settings).with_state(make_settings))
            .layer(CompressionLayer::new());
        router = router.merge(pages);
    }
    let router = router
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here; the API is at /graphql.\n") })
        .layer(from_fn_with_state(origins, origin::share))
        .layer(from_fn(identify::identify));
    Open { router, writes, health, connections }
}

async fn schema_text() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    static TEXT: LazyLock<String> = LazyLock::new(crate::graphql::sdl);
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], &TEXT)
}
