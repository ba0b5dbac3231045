//! What a token says, and whether it may say that.
//!
//! A token says who somebody is and until when, and nothing more: anything else in it is not read.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::store::keys::Keys;

/// Issuer and audience of the tokens that this installation signs for itself.
pub const OURSELVES: &str = "participant-registry";
/// How they are signed; no provider's token may be signed like that.
pub(super) const OWN_ALGORITHM: Algorithm = Algorithm::HS256;
/// How far the clocks of two machines may differ.
const LEEWAY_SECONDS: u64 = 30;
/// How long a token may hold at most: one that never ends cannot be taken back.
const LONGEST: i64 = 31 * 86_400;
/// Bytes of a token at most.
const MAXIMUM_TOKEN: usize = 8 * 1024;

/// What a token has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who vouches for it.
    pub issuer: String,
    /// For whom.
    pub subject: String,
    /// Until when.
    pub until: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    exp: NumericDate,
}

/// Seconds since 1970 (RFC 7519, section 2). A fraction is allowed in a token, and dropped here.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "f64")]
struct NumericDate(i64);

impl From<f64> for NumericDate {
    fn from(seconds: f64) -> Self {
        // What does not fit becomes the greatest or the least number, which is no date.
        Self(seconds.floor() as i64)
    }
}

/// One name or several: a provider's token may be for others too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why a token cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It would hold for too long, or not at all.
    #[error("a token holds for a second at least and 31 days at most")]
    Validity,
    /// The library refused.
    #[error("the token cannot be signed")]
    Signature,
}

/// Signs a token of our own for a subject.
///
/// # Errors
/// It would hold for too long, or the library refused.
pub fn issue(
    keys: &Keys,
    subject: &str,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<String, TokenError> {
    let (nbf, exp) = (from.timestamp(), until.timestamp());
    if !(1..=LONGEST).contains(&(exp - nbf)) {
        return Err(TokenError::Validity);
    }
    let claims = Claims {
        iss: OURSELVES.to_owned(),
        aud: Audience::One(OURSELVES.to_owned()),
        sub: subject.to_owned(),
        iat: Some(NumericDate(nbf)),
        nbf: Some(NumericDate(nbf)),
        exp: NumericDate(exp),
    };
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(OWN_ALGORITHM), &claims, &key).map_err(|_| TokenError::Signature)
}

/// What a token says of itself, if it is one that may be looked at. Nothing in it is to be trusted yet.
pub(super) fn read_header(token: &str) -> Option<Header> {
    if token.len() > MAXIMUM_TOKEN || token.bytes().filter(|&byte| byte == b'.').count() != 2 {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let is_jwt = |typ: &str| {
        ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    };
    let plain = header.typ.as_deref().is_none_or(is_jwt)
        // A token within a token, an encrypted or a compressed one, one that asks for what we do not know.
        && header.cty.is_none() && header.enc.is_none() && header.zip.is_none() && header.crit.is_none()
        // One that brings its own key, or says where to get it.
        && header.jwk.is_none() && header.jku.is_none() && header.x5u.is_none() && header.x5c.is_none();
    plain.then_some(header)
}

/// What one of our own tokens proves.
pub(super) fn read_own(keys: &Keys, token: &str) -> Option<Proof> {
    let key = DecodingKey::from_secret(keys.token_key());
    read(token, &key, OWN_ALGORITHM, OURSELVES, OURSELVES)
}

/// What a token proves that is signed with this key by this algorithm.
pub(super) fn read(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    issuer: &str,
    audience: &str,
) -> Option<Proof> {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?.claims;
    let NumericDate(end) = claims.exp;
    let until = DateTime::from_timestamp(end, 0)?;
    // `nbf` and `iat` are optional (RFC 7519, section 4.1). A token without either is measured from now on.
    let begin = match claims.nbf.or(claims.iat) {
        Some(NumericDate(begin)) => begin,
        None => Clock::System.system_now().timestamp().min(end),
    };
    let lasts = end.checked_sub(begin)?;
    // A namesake who is longer than a row of ours is nobody, and need not be looked for.
    let named = (1..=255).contains(&claims.sub.len());
    (named && (0..=LONGEST).contains(&lasts)).then_some(Proof {
        issuer: claims.iss,
        subject: claims.sub,
        until,
    })
}
