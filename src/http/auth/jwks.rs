//! The public keys of an identity provider (JSON Web Key Set, RFC 7517).
//!
//! A key is used only as its own parameters allow: for signatures, with its algorithm. Unusable keys are left out. A set
//! without a usable key is refused.

use std::str::FromStr as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::refusal::Invalid;

/// The accepted lengths of an RSA modulus, in bits: shorter ones are too weak, longer ones cost too much to verify.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// The most keys that a set may have.
const MAXIMUM_KEYS: usize = 100;
/// The longest `kid`, in bytes.
pub const MAXIMUM_KEY_ID: usize = 256;

/// Why a set of keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a key set.
    #[error("it is not a JSON Web Key Set")]
    Malformed,
    /// It has more keys than any provider publishes.
    #[error("it has more than 100 keys")]
    TooMany,
    /// No key in it can be used.
    #[error("it has no key that can be used with the accepted algorithms")]
    Empty,
}

/// The usable keys of a provider.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<UsableKey>);

/// A key for one algorithm.
#[derive(Clone, Debug)]
struct UsableKey {
    kid: Option<String>,
    algorithm: &'static str,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// A key as it is published; other parameters are not read.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl KeySet {
    /// Parses a set, and keeps the keys for these algorithms.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(bytes).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > MAXIMUM_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut usable: Vec<UsableKey> = Vec::new();
        for key in document.keys {
            let Ok(key) = serde_json::from_value::<Key>(key) else { continue };
            for &algorithm in algorithms {
                let algorithm_name = name(algorithm);
                let same = |other: &UsableKey| other.kid == key.kid && other.algorithm == algorithm_name;
                // Of two keys with the same name the first one counts.
                if key.kid.is_some() && usable.iter().any(same) {
                    continue;
                }
                if let Some(decoding) = key.usable(algorithm) {
                    usable.push(UsableKey { kid: key.kid.clone(), algorithm: algorithm_name, key: decoding });
                }
            }
        }
        if usable.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(usable)) }
    }

    /// Returns the key that a token with this `kid` is signed with. A token without one is accepted if only one key fits its
    /// algorithm (OpenID Connect Core, section 10.1).
    ///
    /// # Errors
    /// There is no such key, or several.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, Invalid> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == name(algorithm));
        let Some(kid) = kid else {
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(&only.key),
                _ => Err(Invalid::NoKeyNamed),
            };
        };
        let found = fitting.find(|key| key.kid.as_deref() == Some(kid));
        found.map(|found| &found.key).ok_or(Invalid::UnknownKey)
    }
}

impl Key {
    fn usable(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let may_verify = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|of| of == "verify"))
            && self.alg.as_deref().is_none_or(|own| own == name(algorithm))
            && self.kid.as_ref().is_none_or(|kid| (1..=MAXIMUM_KEY_ID).contains(&kid.len()));
        if !may_verify {
            return None;
        }
        let (x, y) = (self.x.as_str(), self.y.as_str());
        let on = |curve: &str| self.crv.as_deref() == Some(curve);
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match (self.kty.as_str(), algorithm) {
            ("RSA", RS256 | RS384 | RS512 | PS256 | PS384 | PS512) if RSA_BITS.contains(&bits(&self.n)?) => {
                DecodingKey::from_rsa_components(&self.n, &self.e).ok()
            }
            ("EC", ES256) if on("P-256") && bytes(x) == Some(32) && bytes(y) == Some(32) => {
                DecodingKey::from_ec_components(x, y).ok()
            }
            ("EC", ES384) if on("P-384") && bytes(x) == Some(48) && bytes(y) == Some(48) => {
                DecodingKey::from_ec_components(x, y).ok()
            }
            ("OKP", EdDSA) if on("Ed25519") && bytes(x) == Some(32) => {
                DecodingKey::from_ed_components(x).ok()
            }
            _ => None,
        }
    }
}

/// Parses a comma-separated list of algorithms. Only those with a public key are accepted: with a symmetric algorithm,
/// the provider's public key would be taken for a secret that everybody knows.
pub fn algorithms(text: &str) -> Option<Vec<Algorithm>> {
    let names = text.split(',').map(str::trim);
    let read = |text| Algorithm::from_str(text).ok().filter(|algorithm| !name(*algorithm).is_empty());
    names.map(read).collect()
}

/// The name of an algorithm with a public key, or an empty string for a symmetric one.
fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
        _ => "",
    }
}

fn bytes(text: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

/// The number of significant bits of a number in base64url.
fn bits(text: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let first = bytes.iter().position(|&byte| byte != 0)?;
    let zeros = usize::try_from(bytes[first].leading_zeros()).ok()?;
    Some((bytes.len() - first) * 8 - zeros)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOTH: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256];

    fn rsa(bytes: usize) -> serde_json::Value {
        json!({"kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode(vec![0xC5; bytes]), "e": "AQAB"})
    }

    fn with(mut key: serde_json::Value, field: &str, value: serde_json::Value) -> serde_json::Value {
        key[field] = value;
        key
    }

    fn parse(keys: &[serde_json::Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), BOTH)
    }

    #[test]
    fn a_key_is_used_only_as_its_parameters_allow() {
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        let ec = json!({"kty": "EC", "kid": "b", "crv": "P-256", "x": point, "y": point});
        let set = parse(&[rsa(256), ec]).unwrap();
        let find = |kid, algorithm| set.find(Some(kid), algorithm).err();
        assert_eq!((find("a", Algorithm::RS256), find("b", Algorithm::ES256)), (None, None));
        assert_eq!(find("a", Algorithm::ES256), Some(Invalid::UnknownKey));
        assert_eq!(find("b", Algorithm::RS256), Some(Invalid::UnknownKey));
        for unused in [
            with(rsa(256), "use", json!("enc")),
            with(rsa(256), "key_ops", json!(["sign"])),
            with(rsa(256), "alg", json!("RS512")),
            with(rsa(256), "kid", json!("")),
            with(rsa(256), "kid", json!("k".repeat(257))),
            with(rsa(256), "kty", json!("oct")),
            with(rsa(256), "n", json!("§")),
            // 1024 bits, and 1024 with zeros before them, and 8192.
            rsa(128),
            with(rsa(256), "n", json!(URL_SAFE_NO_PAD.encode([vec![0; 128], vec![0xC5; 128]].concat()))),
            rsa(1024),
            json!({"kty": "EC", "kid": "c", "crv": "P-256", "x": point, "y": ""}),
            json!({"kty": "EC", "kid": "c", "crv": "secp256k1", "x": point, "y": point}),
            json!({"kty": "oct", "kid": "d", "k": point, "alg": "HS256"}),
            json!("no key"),
        ] {
            let refused = parse(std::slice::from_ref(&unused)).err();
            assert_eq!(refused, Some(KeySetError::Empty), "{unused}");
            assert!(parse(&[unused, rsa(256)]).is_ok(), "one bad key spoils the others");
        }
    }

    #[test]
    fn a_token_without_kid_needs_one_key_that_fits() {
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        let ec = json!({"kty": "EC", "kid": "b", "crv": "P-256", "x": point, "y": point});
        let nameless = with(rsa(256), "kid", json!(null));
        for (keys, expected) in [
            (vec![rsa(256)], None),
            (vec![nameless.clone()], None),
            (vec![rsa(256), ec.clone()], None),
            (vec![ec], Some(Invalid::NoKeyNamed)),
            (vec![rsa(256), with(rsa(256), "kid", json!("c"))], Some(Invalid::NoKeyNamed)),
            (vec![nameless.clone(), nameless.clone()], Some(Invalid::NoKeyNamed)),
        ] {
            let set = parse(&keys).unwrap();
            assert_eq!(set.find(None, Algorithm::RS256).err(), expected, "{keys:?}");
        }
        // A token that names a key is not verified with one that has no name.
        assert_eq!(
            parse(&[nameless]).unwrap().find(Some("a"), Algorithm::RS256).err(),
            Some(Invalid::UnknownKey)
        );
    }

    #[test]
    fn a_document_that_is_not_a_key_set_is_refused() {
        for bad in ["", "{}", "[]", "<html>", "{\"keys\": 1}", "{\"keys\": {}}", "{\"keys\": [}"] {
            let refused = KeySet::parse(bad.as_bytes(), BOTH).err();
            assert_eq!(refused, Some(KeySetError::Malformed), "{bad:?}");
        }
        assert_eq!(parse(&vec![rsa(256); 101]).err(), Some(KeySetError::TooMany));
    }

    #[test]
    fn a_symmetric_algorithm_cannot_be_allowed() {
        assert_eq!(algorithms("RS256, ES256").as_deref(), Some(BOTH));
        for bad in ["", "HS256", "RS256,HS512", "none", "RS256,", "rs256"] {
            assert_eq!(algorithms(bad), None, "{bad:?}");
        }
    }
}
