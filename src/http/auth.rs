//! Who asks: bearer tokens, signed with the installation's own key.
//!
//! Whatever is wrong with a token, the answer is the same: 401, one body.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::graphql::answer::code;
use super::graphql::{RequestId, refusal};
use crate::domain::actor::{Actor, Role, Scope};
use crate::graphql::node_id;
use crate::store::Database;
use crate::store::keys::Keys;
use crate::store::reference::Reference;

/// Issuer and audience of the tokens that this installation signs for itself.
const OURSELVES: &str = "participant-registry";
/// How far the clocks of two machines may differ.
const LEEWAY_SECONDS: u64 = 30;

/// Whose people a token lets its bearer see, by what the API calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenScope {
    /// Codes of provinces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provinces: Vec<String>,
    /// Id of an employer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employer: Option<String>,
    /// Id of an association.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association: Option<String>,
    /// Code of a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    nbf: i64,
    exp: i64,
    role: Role,
    #[serde(default)]
    scope: TokenScope,
}

/// Why a token cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A partner without an employer, association or channel would see the whole country.
    #[error(
        "a PARTNER has an employer, an association or a channel: add --employer, --association or --channel"
    )]
    PartnerWithoutScope,
    /// Nobody has this code or id.
    #[error("the {0} is unknown")]
    Unknown(&'static str),
    /// The library refused.
    #[error("the token cannot be signed")]
    Signature,
}

/// Signs a token for a client.
///
/// # Errors
/// The scope names what does not exist, or is missing where the role needs one.
pub fn issue(
    keys: &Keys,
    reference: &Reference,
    name: &str,
    role: Role,
    scope: TokenScope,
    validity: (DateTime<Utc>, DateTime<Utc>),
) -> Result<String, TokenError> {
    read_scope(reference, role, &scope)?;
    let claims = Claims {
        iss: OURSELVES.to_owned(),
        aud: OURSELVES.to_owned(),
        sub: name.to_owned(),
        nbf: validity.0.timestamp(),
        exp: validity.1.timestamp(),
        role,
        scope,
    };
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|_| TokenError::Signature)
}

/// The bearer of a token, if it is one of ours and holds now.
pub fn verify(keys: &Keys, reference: &Reference, token: &str) -> Option<Actor> {
    verify_until(keys, reference, token).map(|(actor, _)| actor)
}

/// The bearer of a token, if it is one of ours and holds now, and until when.
pub fn verify_until(keys: &Keys, reference: &Reference, token: &str) -> Option<(Actor, DateTime<Utc>)> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[OURSELVES]);
    validation.set_audience(&[OURSELVES]);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    let key = DecodingKey::from_secret(keys.token_key());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    let scope = read_scope(reference, claims.role, &claims.scope).ok()?;
    let until = DateTime::from_timestamp(claims.exp, 0)?;
    (!claims.sub.is_empty()).then_some((Actor { client: claims.sub, role: claims.role, scope }, until))
}

/// What a scope means. Nothing unknown is left out of it: a scope with less in it shows more.
fn read_scope(reference: &Reference, role: Role, scope: &TokenScope) -> Result<Scope, TokenError> {
    let narrow = scope.employer.is_some() || scope.association.is_some() || scope.channel.is_some();
    if role == Role::Partner && !narrow {
        return Err(TokenError::PartnerWithoutScope);
    }
    let province = |code: &String| {
        let province = reference.province_by_code(code).ok_or(TokenError::Unknown("province"))?;
        Ok(province.id)
    };
    let employer = |id: &String| node_id::employer_id(id).map_err(|_| TokenError::Unknown("employer"));
    let association =
        |id: &String| node_id::association_id(id).map_err(|_| TokenError::Unknown("association"));
    let channels = match &scope.channel {
        None => Vec::new(),
        Some(code) => {
            let channel = reference.channel_by_code(code).ok_or(TokenError::Unknown("channel"))?;
            reference.with_descendants(channel.id)
        }
    };
    Ok(Scope {
        provinces: scope.provinces.iter().map(province).collect::<Result<_, _>>()?,
        employer: scope.employer.as_ref().map(employer).transpose()?,
        association: scope.association.as_ref().map(association).transpose()?,
        channels,
    })
}

/// Lets only bearers of a token pass, and tells the next layers who they are.
pub async fn authenticate(
    State(database): State<Arc<Database>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::new();
    let actor =
        bearer(request.headers()).and_then(|token| verify(&database.keys, &database.reference(), token));
    match actor {
        Some(actor) => {
            request.extensions_mut().insert(id);
            request.extensions_mut().insert(Arc::new(actor));
            next.run(request).await
        }
        None => {
            let message = "Send a valid token: Authorization: Bearer ….";
            refusal(request.headers(), id, code::UNAUTHENTICATED, message)
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    // Two of them: which one would a proxy have looked at?
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}
