//! Who asks: bearer tokens, signed with the installation's own key (development) or by an identity provider.
//!
//! A token says who; what they may do and whom they see is the row of the client. Whatever is wrong with a token, or
//! with the client that it names, the answer is the same: 401, one body. Where it cannot be told, because the database
//! or the provider is away, the answer is 503.

pub mod claims;
mod fetch;
pub mod jwks;
pub mod provider;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};

use self::claims::Proof;
use self::provider::Provider;
use super::session;
use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::client::Client;

pub use self::claims::{OURSELVES, TokenError, issue};

/// Whose tokens hold here.
#[derive(Clone, Debug)]
pub struct Authority {
    own: bool,
    provider: Option<Arc<Provider>>,
}

/// Somebody with a token that holds.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Who asks.
    pub actor: Actor,
    /// When the token ends.
    pub until: DateTime<Utc>,
    client: Arc<Client>,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The token does not hold; why is nobody's business.
    Unproven,
    /// It cannot be told now.
    Undecided,
}

impl Authority {
    /// Those of an identity provider, and the installation's own where that is said.
    pub fn new(own: bool, provider: Option<Arc<Provider>>) -> Self {
        Self { own, provider }
    }

    /// The installation's own, and no others: for development.
    pub fn of_ourselves() -> Self {
        Self::new(true, None)
    }

    /// Who bears a token.
    ///
    /// # Errors
    /// It does not hold, or that cannot be told.
    pub async fn verify(&self, database: &Database, token: &str) -> Result<Bearer, NotAdmitted> {
        let header = claims::read_header(token).ok_or(NotAdmitted::Unproven)?;
        let proof = match &self.provider {
            // By the algorithm, before any key is looked for: a public key is never taken for a secret.
            _ if header.alg == claims::OWN_ALGORITHM => self
                .own
                .then(|| claims::read_own(&database.keys, token))
                .flatten()
                .ok_or(NotAdmitted::Unproven)?,
            Some(provider) => provider.verify(token, &header).await?,
            None => return Err(NotAdmitted::Unproven),
        };
        self.admit(database, proof).await
    }

    async fn admit(&self, database: &Database, proof: Proof) -> Result<Bearer, NotAdmitted> {
        let found = database.clients.find(&database.control, &proof.issuer, &proof.subject).await;
        let client =
            found.map_err(cannot_tell)?.filter(|client| client.is_enabled()).ok_or(NotAdmitted::Unproven)?;
        let reference = database.reference();
        let channels = client.reach.channel.map(|id| reference.with_descendants(id));
        let actor = client.actor(channels.unwrap_or_default());
        Ok(Bearer { actor, until: proof.until, client })
    }

    /// Keeps the provider's keys fresh, for as long as this runs.
    pub async fn follow(self) {
        match self.provider {
            Some(provider) => provider.follow().await,
            None => std::future::pending().await,
        }
    }
}

impl Bearer {
    /// Is the client what it was when the token was shown: enabled, with the same rights? Where that cannot be told, no.
    pub async fn still_holds(&self, database: &Database) -> bool {
        let clients = database.clients.current(&database.control).await;
        clients.is_ok_and(|clients| clients.by_id(self.client.id).is_some_and(|now| *now == self.client))
    }
}

fn cannot_tell(error: StoreError) -> NotAdmitted {
    tracing::warn!(%error, "a client could not be looked up");
    NotAdmitted::Undecided
}

/// Lets only bearers of a token pass, and tells the next layers who they are.
pub async fn authenticate(
    State((authority, database)): State<(Authority, Arc<Database>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request.extensions().get().copied().unwrap_or_else(RequestId::new);
    let verdict = match bearer(request.headers()) {
        Some(token) => authority.verify(&database, token).await,
        None => Err(NotAdmitted::Unproven),
    };
    match verdict {
        Ok(bearer) => {
            request.extensions_mut().insert(id);
            request.extensions_mut().extend(session::extensions(bearer, &database));
            next.run(request).await
        }
        Err(NotAdmitted::Unproven) => {
            let message = "Send a valid token: Authorization: Bearer ….";
            refusal(request.headers(), id, Code::Unauthenticated, message)
        }
        Err(NotAdmitted::Undecided) => {
            let message = "It cannot be told who you are at the moment. Try again.";
            refusal(request.headers(), id, Code::Unavailable, message)
        }
    }
}

/// Returns the token of a request, or of a `connection_init` that stands for one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let token = bearer_of(values.next()?.to_str().ok()?)?;
    // Two of them: which one would a proxy have looked at?
    values.next().is_none().then_some(token)
}

/// The token in `Bearer …`, as a header or the first message of a socket has it.
fn bearer_of(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
