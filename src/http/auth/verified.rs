//! Tokens that were verified before.
//!
//! A client sends one token with thousands of requests, and a signature is the most expensive check of a small one. So the
//! claims of a verified token are kept under its hash. Nothing else is: whether the token has expired, whether its key is
//! still published, and what its client may do are asked at each request.

use std::fmt;
use std::sync::Arc;

use graphql_front::recent::Recent;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::claims::VerifiedClaims;

/// Tokens that are kept.
const KEPT: usize = 10_000;

/// Which keys verified a token: those of the provider as of their last fetch, or the installation's own, which never
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeysOf {
    Installation,
    Provider(Instant),
}

/// The claims of verified tokens, by the hash of the token.
#[derive(Clone)]
pub(super) struct VerifiedTokens(Arc<Recent<[u8; 32], (Arc<VerifiedClaims>, KeysOf)>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Arc::new(Recent::new(KEPT)))
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedTokens")
    }
}

impl VerifiedTokens {
    /// Returns the claims of a token that these keys or those of the installation have verified, unless it has expired.
    pub(super) fn find(&self, token: &[u8; 32], provider: Option<Instant>) -> Option<Arc<VerifiedClaims>> {
        let (claims, keys) = self.0.get(token)?;
        let is_usable = match keys {
            KeysOf::Installation => true,
            KeysOf::Provider(at) => provider == Some(at),
        };
        (is_usable && !claims.have_expired()).then_some(claims)
    }

    /// Keeps the claims of a verified token.
    pub(super) fn keep(&self, token: [u8; 32], claims: &Arc<VerifiedClaims>, keys: KeysOf) {
        self.0.insert(token, (Arc::clone(claims), keys), 1);
    }
}

/// Returns the hash under which an installation keeps a token. Its key is part of it, so a token that one installation
/// has verified is unknown to any other.
pub(super) fn hash_of(token_key: &[u8], token: &str) -> [u8; 32] {
    Sha256::new().chain_update(token_key).chain_update(token).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    fn claims(lasts: i64) -> Arc<VerifiedClaims> {
        let until = Clock::System.system_now() + chrono::Duration::seconds(lasts);
        Arc::new(VerifiedClaims { issuer: "i".into(), subject: "s".into(), until })
    }

    #[test]
    fn a_token_is_found_until_it_expires() {
        let tokens = VerifiedTokens::default();
        let (valid, expired) = (hash_of(b"key", "valid"), hash_of(b"key", "expired"));
        tokens.keep(valid, &claims(60), KeysOf::Installation);
        tokens.keep(expired, &claims(-60), KeysOf::Installation);
        assert!(tokens.find(&valid, None).is_some());
        assert_eq!(tokens.find(&expired, None), None);
        assert_eq!(tokens.find(&hash_of(b"key", "another"), None), None);
    }

    #[test]
    fn a_token_of_a_provider_is_verified_again_with_new_keys() {
        let tokens = VerifiedTokens::default();
        let (token, fetched) = (hash_of(b"key", "valid"), Instant::now());
        tokens.keep(token, &claims(60), KeysOf::Provider(fetched));
        assert!(tokens.find(&token, Some(fetched)).is_some());
        assert_eq!(tokens.find(&token, Some(fetched + Duration::from_secs(1))), None);
        assert_eq!(tokens.find(&token, None), None, "the keys are too old");
    }
}
