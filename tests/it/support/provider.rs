//! An identity provider on this machine, which counts requests for its keys, and keys to sign tokens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use participant_registry::http::auth::provider::{
    Fetcher, KeySource, Provider, ProviderError, ProviderSettings, Timing,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::tls::TlsListener;

/// Where it issues tokens, as its discovery document says: at another origin, as some providers do.
pub const TOKEN_ENDPOINT: &str = "https://tokens.example.org/oauth2/token";
/// The `aud` of its tokens for the registry.
pub const AUDIENCE: &str = "registry-of-the-test";

/// A key with a `kid`.
#[derive(Clone)]
pub struct Signer {
    pub kid: String,
    pub algorithm: Algorithm,
    pub key: EncodingKey,
}

impl Signer {
    pub fn rsa(kid: &str) -> Self {
        Self::of(kid, include_str!("../keys/rsa_one.pem"))
    }

    pub fn other_rsa(kid: &str) -> Self {
        Self::of(kid, include_str!("../keys/rsa_two.pem"))
    }

    /// A key of 1024 bits, which is too short.
    pub fn weak(kid: &str) -> Self {
        Self::of(kid, include_str!("../keys/rsa_weak.pem"))
    }

    pub fn ec(kid: &str) -> Self {
        let key = EncodingKey::from_ec_der(&der(include_str!("../keys/ec_one.pem")));
        Self { kid: kid.to_owned(), algorithm: Algorithm::ES256, key }
    }

    fn of(kid: &str, pem: &str) -> Self {
        let key = EncodingKey::from_rsa_der(&der(pem));
        Self { kid: kid.to_owned(), algorithm: Algorithm::RS256, key }
    }

    /// Returns the public key as a JWK.
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public key");
        let mut jwk = serde_json::to_value(jwk).expect("a JSON Web Key");
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Returns the header of its tokens.
    pub fn header(&self) -> Header {
        Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).expect("a token")
    }
}

/// Decodes the content of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(text).expect("a key as PEM")
}

/// Returns the Unix time this many seconds from now, by the system clock.
pub fn seconds_from_now(seconds: i64) -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a token holds in the system's time")]
    let now = Utc::now();
    now.timestamp() + seconds
}

/// A provider that returns what the test publishes.
pub struct FakeProvider {
    address: String,
    published: Arc<Mutex<Published>>,
    asked: Arc<AtomicUsize>,
    serving: AbortHandle,
}

/// The answer at the address of its keys.
#[derive(Clone)]
pub enum Published {
    Keys(Vec<Value>),
    Text(String),
    Status(u16),
    Elsewhere(String),
}

impl FakeProvider {
    pub async fn start(published: Published) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, address, "", published)
    }

    /// Serves below a path, with a certificate that [`super::tls::authority`] has signed.
    pub async fn start_over_tls(published: Published, path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://localhost:{}{path}", listener.local_addr().unwrap().port());
        Self::serve(TlsListener::new(listener), address, path, published)
    }

    /// Serves at an address that its certificate does not have.
    pub async fn start_with_certificate_of_another() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        Self::serve(TlsListener::new(listener), address, "", Published::Keys(vec![]))
    }

    fn serve<L: Listener>(listener: L, address: String, path: &str, published: Published) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let published = Arc::new(Mutex::new(published));
        let (counter, answer, own) = (Arc::clone(&asked), Arc::clone(&published), address.clone());
        let description =
            json!({"issuer": own, "jwks_uri": format!("{own}/keys"), "token_endpoint": TOKEN_ENDPOINT});
        let description = description.to_string();
        let routes = Router::new()
            .route(&format!("{path}/.well-known/openid-configuration"), get(move || async { description }))
            .route(
                &format!("{path}/keys"),
                get(move || async move {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let published = answer.lock().unwrap().clone();
                    respond(published)
                }),
            );
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, published, asked, serving: serving.abort_handle() }
    }

    pub fn issuer(&self) -> &str {
        &self.address
    }

    /// Changes the answer.
    pub fn publish(&self, published: Published) {
        *self.published.lock().unwrap() = published;
    }

    /// Returns how often its keys were fetched.
    pub fn fetch_count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Stops answering.
    pub fn stop(&self) {
        self.serving.abort();
    }

    pub fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            issuer: self.address.clone(),
            audience: AUDIENCE.to_owned(),
            source: KeySource::Discovery,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256],
            fetcher: Fetcher::without_tls(),
            timing: Timing::default(),
        }
    }

    /// Returns the address of its keys.
    pub fn keys_url(&self) -> KeySource {
        KeySource::Url(format!("{}/keys", self.address).parse().unwrap())
    }

    pub async fn open(&self) -> Result<Arc<Provider>, ProviderError> {
        Provider::open(self.settings()).await
    }

    /// Opens the provider with the keys at this address.
    pub async fn open_at(&self, address: &str) -> Result<Arc<Provider>, ProviderError> {
        let source = KeySource::Url(address.parse::<Uri>().unwrap());
        Provider::open(ProviderSettings { source, ..self.settings() }).await
    }

    /// Returns the claims of a valid token of this provider.
    pub fn claims(&self, subject: &str) -> Value {
        json!({"iss": self.address, "aud": AUDIENCE, "sub": subject, "iat": seconds_from_now(-600),
               "nbf": seconds_from_now(-600), "exp": seconds_from_now(3_600)})
    }
}

fn respond(published: Published) -> Response {
    match published {
        Published::Keys(keys) => json!({ "keys": keys }).to_string().into_response(),
        Published::Text(text) => text.into_response(),
        Published::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Published::Elsewhere(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
    }
}
