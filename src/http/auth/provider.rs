//! An identity provider (OpenID Connect): its tokens hold here, and its keys are fetched, kept and renewed.
//!
//! Keys are fetched every ten minutes. A token that names an unknown key makes the registry look at once, but every half
//! minute at most, for all tokens together: whoever makes up names of keys makes nobody busy. While the provider is
//! away its last keys hold, for a day; after that tokens cannot be told from forgeries, and requests get 503.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::http::Uri;
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::NotAdmitted;
use super::claims::{self, Proof};
use super::fetch::{FetchError, fetch};
use super::jwks::{KeySet, MAXIMUM_KEY_ID};

pub use super::fetch::{Tls, is_safe};

/// Bytes of a file with keys at most.
const MAXIMUM_FILE: u64 = 1024 * 1024;

/// Which provider, and what of it is accepted.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// What its tokens for us have as `aud`.
    pub audience: String,
    /// Where its keys are.
    pub source: KeySource,
    /// By what its tokens may be signed; never a secret.
    pub algorithms: Vec<Algorithm>,
    /// How connections over TLS are made.
    pub tls: Tls,
    /// How often keys are fetched.
    pub timing: Timing,
}

/// Where the keys of a provider are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Where the provider's own description says: `<issuer>/.well-known/openid-configuration`.
    Discovery,
    /// At this address.
    Url(Uri),
    /// In a file, for a network without a way to the provider. Read again like an address, so that keys can be renewed.
    File(PathBuf),
}

/// How often keys are fetched, and how long they hold.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between one fetch and the next.
    pub renewal: Duration,
    /// Between two fetches for the sake of unknown keys.
    pub unknown: Duration,
    /// From the last fetch that succeeded.
    pub hold: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            renewal: Duration::from_secs(600),
            unknown: Duration::from_secs(30),
            hold: Duration::from_secs(86_400),
        }
    }
}

/// Why a provider cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct ProviderError {
    /// The setting that is wrong.
    pub setting: &'static str,
    /// In which way.
    pub reason: String,
}

/// A provider with its keys.
#[derive(Debug)]
pub struct Provider {
    settings: ProviderSettings,
    keys: ArcSwapOption<Fetched>,
    /// One at a time fetches; when somebody last did so for the sake of an unknown key.
    fetching: Mutex<Option<Instant>>,
    /// Tokens with unknown keys that wait for it: while the provider is silent, no more of them keep others out.
    waiting: Semaphore,
}

/// Tokens that wait for a fetch at most; the others hear that it cannot be told.
const MOST_WAITING: usize = 128;

#[derive(Debug)]
struct Fetched {
    keys: KeySet,
    at: Instant,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// Fetches the keys for the first time. A provider that is away is no reason not to start: its keys are fetched
    /// when it is back.
    ///
    /// # Errors
    /// What is found where the keys should be is something else.
    pub async fn open(settings: ProviderSettings) -> Result<Arc<Self>, ProviderError> {
        let provider = Self {
            settings,
            keys: ArcSwapOption::empty(),
            fetching: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
        };
        match provider.renew().await {
            Ok(()) => {}
            Err(FetchError::Away) => {
                tracing::error!("the identity provider does not answer: nobody can be let in until it does");
            }
            Err(FetchError::Wrong(reason)) => {
                let setting = match provider.settings.source {
                    KeySource::Discovery => "REGISTRY_OIDC_ISSUER",
                    KeySource::Url(_) => "REGISTRY_OIDC_JWKS_URL",
                    KeySource::File(_) => "REGISTRY_OIDC_JWKS_FILE",
                };
                return Err(ProviderError { setting, reason: reason.to_owned() });
            }
        }
        Ok(Arc::new(provider))
    }

    /// What a token of this provider proves.
    ///
    /// # Errors
    /// It does not hold, or that cannot be told because there are no keys.
    pub(super) async fn verify(&self, token: &str, header: &Header) -> Result<Proof, NotAdmitted> {
        let kid = header.kid.as_deref().filter(|kid| kid.len() <= MAXIMUM_KEY_ID);
        let kid = kid.ok_or(NotAdmitted::Unproven)?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(NotAdmitted::Unproven);
        }
        let key = self.key(kid, header.alg).await?;
        let ProviderSettings { issuer, audience, .. } = &self.settings;
        claims::read(token, &key, header.alg, issuer, audience).ok_or(NotAdmitted::Unproven)
    }

    /// Fetches the keys again and again.
    pub(super) async fn follow(&self) {
        let Timing { renewal, unknown, .. } = self.settings.timing;
        let mut pause = if self.held().is_some() { renewal } else { unknown };
        loop {
            tokio::time::sleep(pause).await;
            let _alone = self.fetching.lock().await;
            pause = match self.renew().await {
                Ok(()) => renewal,
                Err(error) => {
                    tracing::warn!(%error, "the identity provider's keys were not renewed; the last ones hold");
                    unknown
                }
            };
        }
    }

    async fn key(&self, kid: &str, algorithm: Algorithm) -> Result<DecodingKey, NotAdmitted> {
        let find =
            |fetched: Arc<Fetched>| fetched.keys.find(kid, algorithm).cloned().ok_or(NotAdmitted::Unproven);
        let before = self.held();
        if let Some(Ok(key)) = before.clone().map(find) {
            return Ok(key);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_full| NotAdmitted::Undecided)?;
        let mut last = self.fetching.lock().await;
        let seen = |fetched: &Option<Arc<Fetched>>| fetched.as_ref().map(|fetched| fetched.at);
        let fetched_meanwhile = seen(&self.held()) != seen(&before);
        if !fetched_meanwhile && last.is_none_or(|last| last.elapsed() >= self.settings.timing.unknown) {
            *last = Some(Instant::now());
            if let Err(error) = self.renew().await {
                tracing::warn!(%error, "a token names an unknown key, and the provider's keys were not renewed");
            }
        }
        drop(last);
        self.held().map_or(Err(NotAdmitted::Undecided), find)
    }

    /// The keys, if they may still be used.
    fn held(&self) -> Option<Arc<Fetched>> {
        self.keys.load_full().filter(|fetched| fetched.at.elapsed() < self.settings.timing.hold)
    }

    async fn renew(&self) -> Result<(), FetchError> {
        let ProviderSettings { source, tls, algorithms, .. } = &self.settings;
        let document = match source {
            KeySource::File(path) => read_file(path).await?.into(),
            KeySource::Url(uri) => fetch(uri, tls).await?,
            KeySource::Discovery => fetch(&self.discover().await?, tls).await?,
        };
        let keys = KeySet::parse(&document, algorithms).map_err(|error| {
            tracing::warn!(%error, "the identity provider's keys cannot be used");
            FetchError::Wrong(
                "what is there is no set of keys that can be used with REGISTRY_OIDC_ALGORITHMS",
            )
        })?;
        self.keys.store(Some(Arc::new(Fetched { keys, at: Instant::now() })));
        Ok(())
    }

    /// Where the provider says that its keys are.
    async fn discover(&self) -> Result<Uri, FetchError> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let address = format!("{issuer}/.well-known/openid-configuration");
        let address = address.parse().map_err(|_| FetchError::Wrong("the issuer is no address"))?;
        let document = fetch(&address, &self.settings.tls).await?;
        let document: Discovered = serde_json::from_slice(&document)
            .map_err(|_| FetchError::Wrong("what the provider says of itself cannot be read"))?;
        if document.issuer != self.settings.issuer {
            return Err(FetchError::Wrong("the provider calls itself otherwise"));
        }
        let keys = document.jwks_uri.parse::<Uri>().ok().filter(is_safe);
        keys.ok_or(FetchError::Wrong("the provider's keys are not at an address with https"))
    }
}

async fn read_file(path: &std::path::Path) -> Result<Vec<u8>, FetchError> {
    let unreadable = |_| FetchError::Wrong("the file cannot be read");
    if tokio::fs::metadata(path).await.map_err(unreadable)?.len() > MAXIMUM_FILE {
        return Err(FetchError::Wrong("the file is larger than 1 MiB"));
    }
    tokio::fs::read(path).await.map_err(unreadable)
}
