//! Authentication by bearer token, signed with the installation's own key (development) or by an identity provider.
//!
//! A token says who the client is. What the client may do and whose people it sees is the row of the client in the database.
//! The answer to every refused token is 401 with one body, whatever is wrong with the token or with the client that it names. Its
//! header `WWW-Authenticate` tells a missing, an invalid and an expired token apart (RFC 6750). The log has the reason, without the
//! token. Where the database or the provider is needed and unavailable, the answer is 503.

pub mod claims;
mod fetch;
pub mod jwks;
pub mod provider;
mod refusal;
mod verified;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::claims::VerifiedClaims;
use self::provider::Provider;
use self::verified::{KeysOf, VerifiedTokens, hash_of};
use graphql_front::answer::refusal as answer;
use graphql_front::code::Code;
use graphql_front::request_id::{ClientId, RequestId};
use graphql_front::streams::{ClientRights, Lease};

use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::client::Client;

pub use self::claims::{OWN_ISSUER, TokenError, issue};
pub use self::refusal::{Invalid, Refusal};

/// Interval at which a stream checks whether its client has changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The issuers whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Authority {
    own: bool,
    provider: Option<Arc<Provider>>,
    verified: VerifiedTokens,
}

/// A client whose token was accepted.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The client, with its rights.
    pub actor: Arc<Actor>,
    /// When the token expires.
    pub until: DateTime<Utc>,
    client: Arc<Client>,
}

impl Authority {
    /// Accepts the tokens of an identity provider, and those of the installation itself if `own` is set.
    pub fn new(own: bool, provider: Option<Arc<Provider>>) -> Self {
        Self { own, provider, verified: VerifiedTokens::default() }
    }

    /// Accepts only tokens signed with the installation's own key: for development.
    pub fn own_tokens() -> Self {
        Self::new(true, None)
    }

    /// Verifies a token and finds its client.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn verify(&self, database: &Database, token: &str) -> Result<Bearer, Refusal> {
        let keys_at = || self.provider.as_ref().and_then(|provider| provider.keys_at());
        let before = keys_at();
        let hash = (token.len() <= claims::MAXIMUM_TOKEN).then(|| hash_of(database.keys.token_key(), token));
        if let Some(claims) = hash.and_then(|hash| self.verified.find(&hash, before)) {
            return self.admit(database, &claims).await;
        }
        let (claims, is_own) = self.read(database, token).await?;
        let claims = Arc::new(claims);
        let keys = match before {
            _ if is_own => Some(KeysOf::Installation),
            // With keys that were fetched meanwhile it is not known which of them verified the token.
            Some(at) if keys_at() == before => Some(KeysOf::Provider(at)),
            _ => None,
        };
        if let (Some(hash), Some(keys)) = (hash, keys) {
            self.verified.keep(hash, &claims, keys);
        }
        self.admit(database, &claims).await
    }

    /// Verifies a token by its signature, and tells whether the installation has signed it.
    async fn read(&self, database: &Database, token: &str) -> Result<(VerifiedClaims, bool), Refusal> {
        let header = claims::read_header(token)?;
        match &self.provider {
            // The algorithm decides before any key is looked up, so that a public key is never used as a secret.
            _ if header.algorithm()? == claims::OWN_ALGORITHM => match self.own {
                true => Ok((claims::verify_own(&database.keys, token)?, true)),
                false => Err(Invalid::OwnToken.into()),
            },
            Some(provider) => Ok((provider.verify(token, &header).await?, false)),
            None => Err(Invalid::NoProvider.into()),
        }
    }

    /// Verifies the token of a request, or of a `connection_init` that stands for one, and finds its client.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub(super) async fn verify_headers(
        &self,
        database: &Database,
        headers: &HeaderMap,
    ) -> Result<Bearer, Refusal> {
        match bearer(headers) {
            Ok(token) => self.verify(database, token).await,
            Err(refusal) => Err(refusal),
        }
    }

    async fn admit(&self, database: &Database, claims: &VerifiedClaims) -> Result<Bearer, Refusal> {
        let found = database.clients.find(&database.control, &claims.issuer, &claims.subject).await;
        let client = found.map_err(undecided)?.ok_or(Invalid::UnknownClient)?;
        if !client.is_enabled() {
            return Err(Invalid::DisabledClient.into());
        }
        let reference = database.reference();
        let channels = client.stored_scope.channel.map(|id| reference.with_descendants(id));
        let actor = Arc::new(client.actor(channels.unwrap_or_default()));
        Ok(Bearer { actor, until: claims.until, client })
    }

    /// Renews the provider's keys, for as long as this runs.
    pub async fn renew_keys(self) {
        match self.provider {
            Some(provider) => provider.renew_keys().await,
            None => std::future::pending().await,
        }
    }
}

impl Bearer {
    /// Whether the client is still enabled and has the rights that it had when its token was verified. While the database
    /// is unavailable, the answer is no.
    pub async fn is_current(&self, database: &Database) -> bool {
        let clients = database.clients.current(&database.control).await;
        clients.is_ok_and(|clients| clients.has(&self.client))
    }
}

fn undecided(error: StoreError) -> Refusal {
    tracing::warn!(%error, "the client of a token could not be looked up");
    Refusal::Undecided
}

/// Authenticates a request, and adds its [`Actor`] to what is known of it. Returns until when its token is valid.
pub(super) async fn authenticate(
    authority: &Authority,
    database: &Arc<Database>,
    request: &mut Request,
) -> Result<DateTime<Utc>, Refusal> {
    let bearer = authority.verify_headers(database, request.headers()).await?;
    let until = bearer.until;
    request.extensions_mut().extend(extensions(bearer, database));
    Ok(until)
}

/// Returns what the layers after authentication know of a client: its [`Actor`], its [`ClientId`], and
/// its [`Lease`].
pub(super) fn extensions(bearer: Bearer, database: &Arc<Database>) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(ClientId(bearer.actor.client_id));
    extensions.insert(Arc::clone(&bearer.actor));
    extensions.insert(Lease::new(AdmittedClient { bearer, database: Arc::clone(database) }));
    extensions
}

/// A client that was admitted, until its token expires or the client is no longer what it was.
struct AdmittedClient {
    bearer: Bearer,
    database: Arc<Database>,
}

impl ClientRights for AdmittedClient {
    fn have_expired(&self) -> bool {
        claims::has_expired(self.bearer.until)
    }

    fn have_changed(&self) -> bool {
        !self.database.clients.has(&self.bearer.client)
    }

    fn lost(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            loop {
                let left = claims::time_left(self.bearer.until);
                if left.is_zero() || !self.bearer.is_current(&self.database).await {
                    return;
                }
                tokio::time::sleep(left.min(CHECK_INTERVAL)).await;
            }
        }
        .boxed()
    }
}

/// The answer to a request without a valid token: 401, or 503 while that cannot be decided.
pub(super) fn refuse(headers: &HeaderMap, id: RequestId, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Undecided => {
            let message = "Your identity cannot be verified right now. Try again.";
            answer(headers, id, Code::Unavailable, message)
        }
        refusal => {
            match refusal {
                // Common: browsers and health checks without a token.
                Refusal::Missing => tracing::debug!(request_id = %id, reason = %refusal, "not authenticated"),
                _ => tracing::info!(request_id = %id, reason = %refusal, "not authenticated"),
            }
            let message = "Send a valid token: Authorization: Bearer ….";
            let mut response = answer(headers, id, Code::Unauthenticated, message);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, refusal.challenge());
            response
        }
    }
}

/// Adds the challenge to the answer of a client that has lost its rights since it was authenticated, with a token that is valid until
/// this moment.
pub(super) fn with_challenge(mut response: Response, id: RequestId, until: DateTime<Utc>) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let refusal = match claims::has_expired(until) {
            true => Refusal::Expired,
            false => Invalid::RightsLost.into(),
        };
        tracing::info!(request_id = %id, reason = %refusal, "not authenticated any more");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, refusal.challenge());
    }
    response
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(Refusal::Missing) };
    if values.next().is_some() {
        // A proxy in front may have checked the other one.
        return Err(Invalid::SeveralHeaders.into());
    }
    // Another scheme, such as Basic, brings no bearer token.
    value.to_str().ok().and_then(bearer_of).ok_or(Refusal::Missing)
}

/// Returns the token of `Bearer <token>`, as a header or the first message of a socket carries it.
fn bearer_of(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
