//! The web pages: coverage and onboarding, embedded in the program, which work without internet. They use the public API
//! alone, with the token of the person who looks at them.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::bundle::{self, Caching};
use super::playground::DemoToken;

/// The bundle, built from `pages/` (see its README).
#[derive(RustEmbed)]
#[folder = "pages/dist/"]
struct Bundle;

/// Forbids everything that is not a file of this server.
const ASSET_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The page of a certificate, with `{{language}}`, `{{title}}` and `{{body}}` to fill in.
pub(super) static CERTIFICATE: LazyLock<String> = LazyLock::new(|| {
    let file = Bundle::get("clearance.html").expect("the bundle has a page for certificates");
    String::from_utf8(file.data.into_owned()).expect("the page is UTF-8")
});

/// What the pages start with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Settings {
    /// A token for each role, in a demonstration only.
    pub tokens: Vec<DemoToken>,
    /// Where people sign in.
    pub provider: Option<SignIn>,
    /// Whether there is a playground to link to.
    pub playground: bool,
    /// Whether figures are published that the pages show before the sign-in.
    #[serde(rename = "publicFigures")]
    pub public_figures: bool,
}

/// Where and how people sign in: at an OpenID provider, as a public client (authorization code with PKCE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// The provider.
    pub issuer: String,
    /// The client that the pages are at the provider.
    pub client_id: String,
    /// The scopes that they ask for, separated by spaces.
    pub scopes: String,
    /// The audience of the tokens.
    pub audience: String,
}

/// Makes the settings anew for each visit, so that the tokens of a demonstration are fresh.
pub type MakeSettings = Arc<dyn Fn() -> Settings + Send + Sync>;

/// Returns the address of the provider that issues tokens, once it is known.
pub type TokenEndpoint = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The pages.
#[derive(Clone)]
pub struct Pages {
    make_settings: MakeSettings,
    /// Origin of the provider; `None` if nobody signs in there.
    issuer: Option<String>,
    token_endpoint: Option<TokenEndpoint>,
}

impl Pages {
    /// Creates the pages. They may connect to this server, and to the provider if people sign in there.
    pub fn new(sign_in: Option<&SignIn>, make_settings: MakeSettings) -> Self {
        let issuer = sign_in.and_then(|sign_in| origin(&sign_in.issuer));
        Self { make_settings, issuer, token_endpoint: None }
    }

    /// Lets the pages fetch tokens at the address that the provider's discovery document names, which may have another
    /// origin than the issuer. It is asked at each visit, because a provider may answer later than this server starts.
    pub fn with_token_endpoint(self, token_endpoint: TokenEndpoint) -> Self {
        Self { token_endpoint: Some(token_endpoint), ..self }
    }

    /// The content security policy. Signing in leaves the page by its address and posts no form.
    fn policy(&self) -> HeaderValue {
        let endpoint = self.token_endpoint.as_ref().and_then(|endpoint| origin(&endpoint()?));
        let endpoint = endpoint.filter(|_| self.issuer.is_some());
        let mut origins: Vec<String> = self.issuer.iter().cloned().chain(endpoint).collect();
        origins.dedup();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {}; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            std::iter::once("'self'").chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        );
        HeaderValue::try_from(policy).expect("origins of addresses are header values")
    }

    /// The routes of the pages. All of them are one document, which shows the page of the address.
    pub(super) fn routes(self) -> Router {
        let addresses = ["/coverage", "/coverage/{*path}", "/onboarding", "/onboarding/{id}", "/signed-in"];
        let router =
            addresses.into_iter().fold(Router::new(), |router, address| router.route(address, get(page)));
        router.route("/pages/settings.json", get(settings)).with_state(self)
    }
}

/// The scripts and styles of the pages and of certificates; their names change with their content.
pub(super) fn assets() -> Router {
    let asset = |Path(path): Path<String>| async move {
        bundle::answer(Bundle::get(&format!("assets/{path}")), Caching::ForGood, ASSET_POLICY)
    };
    Router::new().route("/pages/assets/{*path}", get(asset))
}

async fn page(State(pages): State<Pages>) -> Response {
    bundle::answer(Bundle::get("index.html"), Caching::Never, pages.policy())
}

async fn settings(State(pages): State<Pages>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json((pages.make_settings)())).into_response()
}

/// Returns the origin of an address, as `https://login.example:8443`.
fn origin(address: &str) -> Option<String> {
    let uri: axum::http::Uri = address.parse().ok()?;
    let authority = uri.authority()?.as_str();
    // An authority may contain characters that end a directive of a policy.
    let is_plain = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    is_plain.then(|| Some(format!("{}://{authority}", uri.scheme_str()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(issuer: Option<&str>, token_endpoint: Option<&'static str>) -> String {
        let sign_in = issuer.map(|issuer| SignIn {
            issuer: issuer.to_owned(),
            client_id: String::new(),
            scopes: String::new(),
            audience: String::new(),
        });
        let pages = Pages::new(sign_in.as_ref(), Arc::new(Settings::default));
        let pages = pages.with_token_endpoint(Arc::new(move || token_endpoint.map(str::to_owned)));
        pages.policy().to_str().unwrap().to_owned()
    }

    #[test]
    fn pages_connect_to_the_provider_only_where_people_sign_in_there() {
        let without = policy(None, Some("https://tokens.example/token"));
        assert!(without.contains("connect-src 'self';"), "{without}");
        let issuer = Some("https://login.example:8443/realms/agency");
        // The provider has not answered yet, or has one origin.
        let same = "https://login.example:8443/realms/agency/token";
        for endpoint in [None, Some(same), Some("no address"), Some("https://tokens.example;img-src/token")] {
            let with = policy(issuer, endpoint);
            assert!(with.contains("connect-src 'self' https://login.example:8443;"), "{with}");
        }
        let with = policy(issuer, Some("https://tokens.example/oauth2/token?a=;script-src"));
        assert!(
            with.contains("connect-src 'self' https://login.example:8443 https://tokens.example;"),
            "{with}"
        );
    }
}
