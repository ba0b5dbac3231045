//! Why a request is not authenticated: the answer for the client, and the reason for the log.

use axum::http::HeaderValue;

/// Why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request carries no bearer token.
    #[error("the request carries no bearer token")]
    Missing,
    /// The token was valid until it expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid.
    #[error("{0}")]
    Invalid(Invalid),
    /// The token cannot be verified now, because the database or the identity provider is unavailable.
    #[error("the token cannot be verified while the database or the identity provider is unavailable")]
    Undecided,
}

/// What is wrong with a token. Only the log says it: to a client, all of these are one error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The request has several `Authorization` headers.
    #[error("there are several Authorization headers")]
    SeveralHeaders,
    /// The token is not three parts of base64 with a JSON header.
    #[error("the token is not a signed JSON Web Token, or is too long")]
    Malformed,
    /// The token is encrypted, nested, compressed, or of another type.
    #[error("the token's header asks for something that is not supported (typ, cty, enc, zip or crit)")]
    Unsupported,
    /// The algorithm is not one that is accepted.
    #[error("the token's algorithm is not one of REGISTRY_OIDC_ALGORITHMS")]
    Algorithm,
    /// The token is signed with the installation's own key, and such tokens are not accepted.
    #[error("tokens signed with the installation's own key are not accepted (REGISTRY_OWN_TOKENS)")]
    OwnToken,
    /// No identity provider is configured.
    #[error("no identity provider is configured (REGISTRY_OIDC_ISSUER)")]
    NoProvider,
    /// The provider does not publish the key.
    #[error("the identity provider publishes no key with the token's `kid` for its algorithm")]
    UnknownKey,
    /// The token names no key, and the provider does not publish exactly one for the algorithm.
    #[error(
        "the token has no `kid`, and the identity provider does not publish exactly one key for its algorithm"
    )]
    NoKeyNamed,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing.
    #[error("the token lacks one of the claims `iss`, `aud`, `sub` and `exp`")]
    ClaimMissing,
    /// A claim has the wrong type.
    #[error("a claim of the token has the wrong type")]
    ClaimType,
    /// The issuer is another one.
    #[error("the token's `iss` is not REGISTRY_OIDC_ISSUER")]
    Issuer,
    /// The token is for other services.
    #[error("the token's `aud` does not contain REGISTRY_OIDC_AUDIENCE")]
    Audience,
    /// The token is not valid yet.
    #[error("the token's `nbf` is in the future")]
    NotYet,
    /// The token is valid for too long.
    #[error("the token's lifetime is longer than 31 days, or ends before it begins")]
    Lifetime,
    /// The subject is empty or too long.
    #[error("the token's `sub` is empty or longer than 255 bytes")]
    Subject,
    /// No client is registered for the subject.
    #[error("no client is registered for the token's `iss` and `sub`")]
    UnknownClient,
    /// The client is disabled.
    #[error("the client of the token is disabled")]
    DisabledClient,
    /// The client has other rights than when its token was verified.
    #[error("the client of the token has changed since the request began")]
    RightsLost,
}

impl Refusal {
    /// The `WWW-Authenticate` header of RFC 6750, section 3: whether a token is missing, invalid or expired, and no more.
    pub(super) fn challenge(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Missing | Self::Undecided => r#"Bearer realm="participant-registry""#,
            Self::Expired => {
                r#"Bearer realm="participant-registry", error="invalid_token", error_description="The access token expired""#
            }
            Self::Invalid(_) => {
                r#"Bearer realm="participant-registry", error="invalid_token", error_description="The access token is invalid""#
            }
        })
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
