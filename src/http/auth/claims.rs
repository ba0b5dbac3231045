//! Verifies signature and claims of a token, and signs the installation's own tokens.
//!
//! Of a verified token only issuer, subject and expiry are used. Roles, scopes and the authorized party (`azp`) in it are not
//! read.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::refusal::{Invalid, Refusal};
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
pub(super) const MAXIMUM_TOKEN: usize = 8 * 1024;
/// The longest subject of a client, in bytes.
const MAXIMUM_SUBJECT: usize = 255;

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

impl VerifiedClaims {
    /// Whether the token has expired since it was verified.
    pub(super) fn have_expired(&self) -> bool {
        has_expired(self.until)
    }
}

/// Whether a token that is valid until this moment is refused now.
pub(super) fn has_expired(until: DateTime<Utc>) -> bool {
    time_left(until).is_zero()
}

/// Returns how long a token that is valid until this moment is still accepted. Clocks may differ by the leeway.
pub(super) fn time_left(until: DateTime<Utc>) -> Duration {
    let left = until - Clock::System.system_now() + chrono::Duration::seconds(LEEWAY_SECONDS.cast_signed());
    left.to_std().unwrap_or_default()
}

/// The parameters of a token's header that are used.
///
/// Others are ignored (RFC 7515, section 4). That includes the hints `jku`, `jwk`, `x5u` and `x5c`, which say where the key
/// is: keys come from the configured provider alone.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TokenHeader {
    alg: Option<String>,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    enc: Option<serde::de::IgnoredAny>,
    zip: Option<serde::de::IgnoredAny>,
    crit: Option<serde::de::IgnoredAny>,
}

/// All claims are optional here, so that the reason of a refusal tells a missing one from one of the wrong type.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    sub: Option<String>,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    exp: Option<NumericDate>,
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
        iss: Some(OWN_ISSUER.to_owned()),
        aud: Some(Audience::One(OWN_ISSUER.to_owned())),
        sub: Some(subject.to_owned()),
        iat: Some(NumericDate(nbf)),
        nbf: Some(NumericDate(nbf)),
        exp: Some(NumericDate(exp)),
    };
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(OWN_ALGORITHM), &claims, &key).map_err(|_| TokenError::Signature)
}

/// Reads the header of a token. Nothing in it can be trusted yet.
///
/// # Errors
/// The token is malformed, or of a kind that is not supported.
pub(super) fn read_header(token: &str) -> Result<TokenHeader, Invalid> {
    if token.len() > MAXIMUM_TOKEN || token.bytes().filter(|&byte| byte == b'.').count() != 2 {
        return Err(Invalid::Malformed);
    }
    let (header, _) = token.split_once('.').ok_or(Invalid::Malformed)?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Invalid::Malformed)?;
    let header: TokenHeader = serde_json::from_slice(&header).map_err(|_| Invalid::Malformed)?;
    // An encrypted, nested or compressed token, or one with extensions that must be understood.
    let extended =
        header.cty.is_some() || header.enc.is_some() || header.zip.is_some() || header.crit.is_some();
    let is_jwt = header.typ.as_deref().is_none_or(is_jwt);
    if extended || !is_jwt { Err(Invalid::Unsupported) } else { Ok(header) }
}

/// Whether a `typ` is that of an access token (RFC 9068) or of any JSON Web Token. A media type may omit `application/`.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

impl TokenHeader {
    /// The algorithm, if it is one that exists.
    pub(super) fn algorithm(&self) -> Result<Algorithm, Invalid> {
        self.alg.as_deref().and_then(|name| name.parse().ok()).ok_or(Invalid::Algorithm)
    }
}

/// Verifies a token that this installation has signed.
///
/// # Errors
/// The token is invalid or has expired.
pub(super) fn verify_own(keys: &Keys, token: &str) -> Result<VerifiedClaims, Refusal> {
    let key = DecodingKey::from_secret(keys.token_key());
    verify(token, &key, OWN_ALGORITHM, OWN_ISSUER, OWN_ISSUER)
}

/// Verifies the signature and the claims of a token.
///
/// # Errors
/// The token is invalid or has expired. It is called expired only if its signature is right.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    issuer: &str,
    audience: &str,
) -> Result<VerifiedClaims, Refusal> {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
    let Claims { sub, iat, nbf, exp, .. } = decoded.map_err(refusal_of)?.claims;
    let (Some(subject), Some(NumericDate(end))) = (sub, exp) else {
        return Err(Invalid::ClaimMissing.into());
    };
    let until = DateTime::from_timestamp(end, 0).ok_or(Invalid::Lifetime)?;
    // `nbf` and `iat` are optional (RFC 7519, section 4.1). A token without either, or with one in the future, is measured from now on.
    let now = Clock::System.system_now().timestamp().min(end);
    let begin = nbf.or(iat).map_or(now, |NumericDate(begin)| begin.min(now));
    let lasts = end.checked_sub(begin).ok_or(Invalid::Lifetime)?;
    if !(0..=LONGEST).contains(&lasts) {
        return Err(Invalid::Lifetime.into());
    }
    // The column of a client's subject has 255 characters; no longer subject needs to be looked up.
    if !(1..=MAXIMUM_SUBJECT).contains(&subject.len()) {
        return Err(Invalid::Subject.into());
    }
    // The library has compared `iss` with the only one that is accepted.
    Ok(VerifiedClaims { issuer: issuer.to_owned(), subject, until })
}

fn refusal_of(error: Error) -> Refusal {
    let invalid = match error.kind() {
        ErrorKind::ExpiredSignature => return Refusal::Expired,
        ErrorKind::InvalidSignature => Invalid::Signature,
        ErrorKind::InvalidAlgorithm => Invalid::Algorithm,
        ErrorKind::InvalidIssuer => Invalid::Issuer,
        ErrorKind::InvalidAudience => Invalid::Audience,
        ErrorKind::ImmatureSignature => Invalid::NotYet,
        ErrorKind::MissingRequiredClaim(_) => Invalid::ClaimMissing,
        ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => Invalid::ClaimType,
        _ => Invalid::Malformed,
    };
    invalid.into()
}
