//! The playground: GraphiQL, embedded in the program, which works without internet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::bundle::{self, Caching};

/// The bundle, built from `playground/` (see its README).
#[derive(RustEmbed)]
#[folder = "playground/dist/"]
struct Bundle;

/// Forbids external resources, and scripts in the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// What the page starts with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Settings {
    /// Whether this is a demonstration, with tokens for everybody.
    pub demo: bool,
    /// A token for each role, in a demonstration only.
    pub tokens: Vec<DemoToken>,
    /// Examples.
    pub tabs: Vec<Tab>,
}

/// A token of a demonstration.
#[derive(Clone, Debug, Serialize)]
pub struct DemoToken {
    /// Its role.
    pub role: String,
    /// What the menu shows.
    pub label: String,
    /// The token itself.
    pub token: String,
}

/// An example.
#[derive(Clone, Debug, Serialize)]
pub struct Tab {
    /// Unique and stable: the page recognises an example by it.
    pub title: &'static str,
    /// The document; its operation has a name.
    pub query: String,
    /// Its variables, as JSON.
    pub variables: String,
}

/// Makes the settings anew for each visit, so that its tokens are fresh.
pub type MakeSettings = Arc<dyn Fn() -> Settings + Send + Sync>;

/// `/`: the page.
pub async fn page() -> Response {
    bundle::answer(Bundle::get("index.html"), Caching::Never, POLICY)
}

/// `/playground/assets/…`: scripts and styles; their names change with their content.
pub async fn asset(Path(path): Path<String>) -> Response {
    bundle::answer(Bundle::get(&format!("assets/{path}")), Caching::ForGood, POLICY)
}

/// `/playground/settings.json`
pub async fn settings(State(make): State<MakeSettings>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(make())).into_response()
}
