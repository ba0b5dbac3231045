//! An identity provider (OpenID Connect), whose tokens are accepted here: its keys are fetched, cached and renewed.
//!
//! Keys are fetched every ten minutes. A token that names an unknown key causes a fetch at once, but at most one in 30
//! seconds for all tokens together, so that invented key names cost nothing. While the provider is unavailable, its last keys
//! are used for a day. After that tokens cannot be verified, and requests get 503.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::http::Uri;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::claims::{self, TokenHeader, VerifiedClaims};
use super::fetch::FetchError;
use super::jwks::{KeySet, MAXIMUM_KEY_ID};
use super::refusal::{Invalid, Refusal};

pub use super::fetch::{AuthorityError, Fetcher, is_safe};

/// The largest key file that is read, in bytes.
const MAXIMUM_FILE: u64 = 1024 * 1024;

/// Which provider is trusted, and which of its tokens are accepted.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// The `aud` of its tokens for this registry.
    pub audience: String,
    /// Where its keys are published.
    pub source: KeySource,
    /// The signature algorithms that are accepted; only those with public keys.
    pub algorithms: Vec<Algorithm>,
    /// The HTTP client that fetches its documents.
    pub fetcher: Fetcher,
    /// When keys are renewed.
    pub timing: Timing,
}

/// Where the keys of a provider are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// At the `jwks_uri` of the provider's metadata: `<issuer>/.well-known/openid-configuration`.
    Discovery,
    /// At this address.
    Url(Uri),
    /// In a file, for a network that does not reach the provider. It is read again as often as an address is fetched.
    File(PathBuf),
}

/// How often keys are fetched, and how long they are used.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The interval of regular fetches.
    pub renewal: Duration,
    /// The shortest interval between two fetches that unknown keys cause.
    pub unknown: Duration,
    /// How long keys are used after the last fetch that succeeded.
    pub lifetime: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            renewal: Duration::from_secs(600),
            unknown: Duration::from_secs(30),
            lifetime: Duration::from_secs(86_400),
        }
    }
}

/// Why the settings of a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct ProviderError {
    /// The setting that is wrong.
    pub setting: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// A provider with its keys.
#[derive(Debug)]
pub struct Provider {
    settings: ProviderSettings,
    keys: ArcSwapOption<Fetched>,
    /// Where the provider issues tokens, as its discovery document says.
    token_endpoint: ArcSwapOption<String>,
    /// Held during a fetch; the time of the last fetch that an unknown key caused.
    fetching: Mutex<Option<Instant>>,
    /// Permits for tokens with unknown keys to wait for a fetch, so that they do not pile up while the provider is silent.
    waiting: Semaphore,
}

const NO_DISCOVERY: &str = "`/.well-known/openid-configuration` below the issuer is no discovery document of OpenID Connect; \
     check the issuer, or set REGISTRY_OIDC_JWKS_URL";
/// How many tokens may wait for a fetch; further ones get 503.
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
    token_endpoint: Option<String>,
}

impl Provider {
    /// Fetches the keys for the first time. A provider that is unavailable does not prevent the start: its keys are fetched
    /// as soon as it answers.
    ///
    /// # Errors
    /// The address or file does not hold usable keys.
    pub async fn open(settings: ProviderSettings) -> Result<Arc<Self>, ProviderError> {
        let provider = Self::new(settings);
        match provider.renew().await {
            Ok(()) => {}
            Err(FetchError::Unavailable(cause)) => {
                tracing::error!(%cause, "no client can authenticate until the identity provider answers");
            }
            Err(FetchError::Unusable(reason)) => return Err(provider.unusable(reason)),
        }
        Ok(Arc::new(provider))
    }

    /// Fetches the keys once, to find out what is wrong.
    ///
    /// # Errors
    /// There are no usable keys, with the setting to look at and the cause.
    pub async fn examine(settings: ProviderSettings) -> Result<(), ProviderError> {
        let provider = Self::new(settings);
        provider.renew().await.map_err(|error| provider.unusable(error))
    }

    fn new(settings: ProviderSettings) -> Self {
        Self {
            settings,
            keys: ArcSwapOption::empty(),
            token_endpoint: ArcSwapOption::empty(),
            fetching: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    fn unusable(&self, reason: impl ToString) -> ProviderError {
        let setting = match self.settings.source {
            KeySource::Discovery => "REGISTRY_OIDC_ISSUER",
            KeySource::Url(_) => "REGISTRY_OIDC_JWKS_URL",
            KeySource::File(_) => "REGISTRY_OIDC_JWKS_FILE",
        };
        ProviderError { setting, reason: reason.to_string() }
    }

    /// Returns where the provider issues tokens. `None` until its discovery document was read, and if the keys come from
    /// elsewhere.
    pub fn token_endpoint(&self) -> Option<String> {
        self.token_endpoint.load().as_deref().cloned()
    }

    /// Verifies a token of this provider.
    ///
    /// # Errors
    /// The token is refused, or cannot be checked because there are no keys.
    pub(super) async fn verify(&self, token: &str, header: &TokenHeader) -> Result<VerifiedClaims, Refusal> {
        let algorithm = header.algorithm()?;
        if !self.settings.algorithms.contains(&algorithm) {
            return Err(Invalid::Algorithm.into());
        }
        let kid = header.kid.as_deref();
        if kid.is_some_and(|kid| kid.len() > MAXIMUM_KEY_ID) {
            return Err(Invalid::UnknownKey.into());
        }
        let ProviderSettings { issuer, audience, .. } = &self.settings;
        let verify = |key: &DecodingKey| claims::verify(token, key, algorithm, issuer, audience);
        let before = self.usable_keys();
        if let Some(fetched) = &before
            && let Ok(key) = fetched.keys.find(kid, algorithm)
        {
            let verified = verify(key);
            // Without a `kid`, only a wrong signature shows that the provider has a new key.
            if kid.is_some() || verified != Err(Invalid::Signature.into()) {
                return verified;
            }
        }
        self.renew_after(before).await?;
        let fetched = self.usable_keys().ok_or(Refusal::Undecided)?;
        verify(fetched.keys.find(kid, algorithm)?)
    }

    /// Fetches the keys at regular intervals, until it is dropped.
    pub(super) async fn renew_keys(&self) {
        let Timing { renewal, unknown, .. } = self.settings.timing;
        let mut pause = if self.usable_keys().is_some() { renewal } else { unknown };
        loop {
            tokio::time::sleep(pause).await;
            let _fetching = self.fetching.lock().await;
            pause = match self.renew().await {
                Ok(()) => renewal,
                Err(error) => {
                    let left = match self.usable_keys() {
                        Some(_) => "the last ones are still used",
                        None => "there are none to use: tokens get 503",
                    };
                    tracing::warn!(%error, "the identity provider's keys were not renewed; {left}");
                    unknown
                }
            };
        }
    }

    /// Fetches the keys because those of `before` do not verify a token, unless they were fetched meanwhile or not long ago.
    ///
    /// # Errors
    /// Too many tokens wait for a fetch.
    async fn renew_after(&self, before: Option<Arc<Fetched>>) -> Result<(), Refusal> {
        let _waiting = self.waiting.try_acquire().map_err(|_full| Refusal::Undecided)?;
        let mut last = self.fetching.lock().await;
        let fetched_at = |fetched: &Option<Arc<Fetched>>| fetched.as_ref().map(|fetched| fetched.at);
        let fetched_meanwhile = fetched_at(&self.usable_keys()) != fetched_at(&before);
        if !fetched_meanwhile && last.is_none_or(|last| last.elapsed() >= self.settings.timing.unknown) {
            *last = Some(Instant::now());
            if let Err(error) = self.renew().await {
                tracing::warn!(%error, "a token has an unknown key, and the provider's keys were not renewed");
            }
        }
        Ok(())
    }

    /// Returns when the keys were fetched, unless they are too old to be used.
    pub(super) fn keys_at(&self) -> Option<Instant> {
        self.usable_keys().map(|fetched| fetched.at)
    }

    /// The keys, unless they are too old to be used.
    fn usable_keys(&self) -> Option<Arc<Fetched>> {
        self.keys.load_full().filter(|fetched| fetched.at.elapsed() < self.settings.timing.lifetime)
    }

    async fn renew(&self) -> Result<(), FetchError> {
        let ProviderSettings { source, fetcher, algorithms, .. } = &self.settings;
        let document = match source {
            KeySource::File(path) => read_file(path).await?.into(),
            KeySource::Url(uri) => fetcher.fetch(uri).await?,
            KeySource::Discovery => fetcher.fetch(&self.discover().await?).await?,
        };
        let keys = KeySet::parse(&document, algorithms).map_err(|error| {
            tracing::warn!(%error, "the identity provider's keys cannot be used");
            FetchError::Unusable(
                "the document is not a key set with a key for one of REGISTRY_OIDC_ALGORITHMS",
            )
        })?;
        self.keys.store(Some(Arc::new(Fetched { keys, at: Instant::now() })));
        Ok(())
    }

    /// Reads the address of the keys from the provider's metadata.
    async fn discover(&self) -> Result<Uri, FetchError> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let address = format!("{issuer}/.well-known/openid-configuration");
        let address = address.parse().map_err(|_| FetchError::Unusable("the issuer is not an address"))?;
        let document = self.settings.fetcher.fetch(&address).await?;
        let document: Discovered =
            serde_json::from_slice(&document).map_err(|_| FetchError::Unusable(NO_DISCOVERY))?;
        if document.issuer != self.settings.issuer {
            return Err(FetchError::Unusable(
                "the provider's metadata name another issuer; copy it to the letter",
            ));
        }
        let is_usable = |address: &String| address.parse::<Uri>().is_ok_and(|uri| is_safe(&uri));
        self.token_endpoint.store(document.token_endpoint.filter(is_usable).map(Arc::new));
        let keys = document.jwks_uri.parse::<Uri>().ok().filter(is_safe);
        keys.ok_or(FetchError::Unusable("the `jwks_uri` in the provider's metadata is not an https address"))
    }
}

async fn read_file(path: &std::path::Path) -> Result<Vec<u8>, FetchError> {
    let unreadable = |_| FetchError::Unusable("the file cannot be read");
    if tokio::fs::metadata(path).await.map_err(unreadable)?.len() > MAXIMUM_FILE {
        return Err(FetchError::Unusable("the file is larger than 1 MiB"));
    }
    tokio::fs::read(path).await.map_err(unreadable)
}
