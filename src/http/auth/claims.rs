//! Verifies signature and claims of a token, and signs the installation's own tokens.
//!
//! Of a verified token only issuer, subject and expiry are used. Roles or scopes in it are not read.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::store::keys::Keys;

/// Issuer and audience of the tokens that this installation signs for itself.
pub const OWN_ISSUER: &str = "participant-registry";
/// The algorithm of those tokens; a provider's token may not use it.
pub(super) const OWN_ALGORITHM: Algorithm = Algorithm::HS256;
/// How far the clocks of two machines may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;
/// The longest lifetime of a token that is accepted, in seconds: a token cannot be revoked by its issuer.
const LONGEST: i64 = 31 * 86_400;
/// The longest token that is read, in bytes.
const MAXIMUM_TOKEN: usize = 8 * 1024;

/// The claims of a verified token that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `exp`
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

/// One audience or several: a provider's token may be for other services too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why a token cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its lifetime is out of bounds.
    #[error("the lifetime of a token must be between 1 second and 31 days")]
    Validity,
    /// The signature failed.
    #[error("the token cannot be signed")]
    Signature,
}

/// Signs a token of the installation itself for a subject.
///
/// # Errors
/// See [`TokenError`].
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
        iss: OWN_ISSUER.to_owned(),
        aud: Audience::One(OWN_ISSUER.to_owned()),
        sub: subject.to_owned(),
        iat: Some(NumericDate(nbf)),
        nbf: Some(NumericDate(nbf)),
        exp: NumericDate(exp),
    };
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(OWN_ALGORITHM), &claims, &key).map_err(|_| TokenError::Signature)
}

/// Returns the header of a token, if the token is of a supported kind. Nothing in it can be trusted yet.
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

/// Verifies a token that this installation has signed.
pub(super) fn verify_own(keys: &Keys, token: &str) -> Option<VerifiedClaims> {
    let key = DecodingKey::from_secret(keys.token_key());
    verify(token, &key, OWN_ALGORITHM, OWN_ISSUER, OWN_ISSUER)
}

/// Verifies the signature and the claims of a token.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    issuer: &str,
    audience: &str,
) -> Option<VerifiedClaims> {
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
    // The column of a client's subject has 255 characters; no longer subject needs to be looked up.
    let named = (1..=255).contains(&claims.sub.len());
    (named && (0..=LONGEST).contains(&lasts)).then_some(VerifiedClaims {
        issuer: claims.iss,
        subject: claims.sub,
        until,
    })
}
