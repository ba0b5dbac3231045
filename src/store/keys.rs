//! The installation's keys, for indexing, encrypting and signing.
//!
//! One secret of 32 bytes, from which a key for each purpose is derived. A number is found by its HMAC and stored encrypted
//! (AES-256-GCM), so a copy of the database without the secret reveals no number. A hash without a key would not do: there
//! are so few identity numbers that all can be tried.

use aes_gcm::aead::{Aead, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use strum::{Display, IntoStaticStr};
use zeroize::Zeroizing;

use domain::identity::IdentityNumber;

/// Bytes of an index: no collision is to be expected among twenty million numbers.
const INDEX_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// The first byte of a ciphertext: its version.
const VERSION: u8 = 1;
/// The associated data of the encrypted retry secret. It is no kind of number.
const RETRY_SECRET: &str = "RETRY_SECRET";

/// Kinds of numbers. A number is found and opened only as the kind that it was kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum NumberKind {
    /// NIK.
    NationalId,
    /// Passport.
    Passport,
    /// NIP.
    ServiceNumber,
    /// NPWP.
    TaxNumber,
    /// Telephone.
    Phone,
}

impl NumberKind {
    /// Returns the kind of the number that identifies a person.
    pub fn of_identity(number: &IdentityNumber) -> Self {
        match number {
            IdentityNumber::NationalId(_) => Self::NationalId,
            IdentityNumber::Passport(_) => Self::Passport,
        }
    }
}

/// The keys of an installation: the newest one, and the previous one while a rotation needs it.
#[derive(Debug)]
pub struct KeyRing {
    /// The key that should be in force.
    pub newest: Keys,
    /// The key that may still be in force.
    pub previous: Option<Keys>,
}

impl From<Keys> for KeyRing {
    fn from(newest: Keys) -> Self {
        Self { newest, previous: None }
    }
}

impl KeyRing {
    /// Returns the key whose check value is in the database; `None` if it is neither.
    pub fn of_database(self, check: &[u8]) -> Option<Keys> {
        [Some(self.newest), self.previous].into_iter().flatten().find(|keys| keys.check() == check)
    }
}

/// The derived keys. Never printed.
pub struct Keys {
    index: Zeroizing<[u8; 32]>,
    fingerprint: Zeroizing<[u8; 32]>,
    token: Zeroizing<[u8; 32]>,
    check: [u8; 32],
    seal: Aes256Gcm,
    evidence: SigningKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// A ciphertext was made with another key or for another purpose, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encrypted number cannot be decrypted with this installation's key")]
pub struct WrongKey;

impl Keys {
    /// Derives the keys from the installation's secret.
    pub fn derive(secret: &[u8; 32]) -> Self {
        let seal = Zeroizing::new(mac(secret, &[b"seal"]));
        let evidence = Zeroizing::new(mac(secret, &[b"evidence"]));
        Self {
            index: Zeroizing::new(mac(secret, &[b"index"])),
            fingerprint: Zeroizing::new(mac(secret, &[b"fingerprint"])),
            token: Zeroizing::new(mac(secret, &[b"token"])),
            check: mac(secret, &[b"check"]),
            seal: Aes256Gcm::new_from_slice(seal.as_slice()).expect("the key has 32 bytes"),
            evidence: SigningKey::from_bytes(&evidence),
        }
    }

    /// Returns the index of a number, by which it is found. It reveals only whether two numbers are equal.
    pub fn index(&self, kind: NumberKind, number: &str) -> Vec<u8> {
        mac(&*self.index, &[<&str>::from(kind).as_bytes(), &[0], number.as_bytes()])[..INDEX_BYTES].to_vec()
    }

    /// Returns the index of the number that identifies a person.
    pub fn identity_index(&self, number: &IdentityNumber) -> Vec<u8> {
        self.index(NumberKind::of_identity(number), number.as_str())
    }

    /// Encrypts a number.
    pub fn seal(&self, kind: NumberKind, number: &str) -> Vec<u8> {
        self.seal_bytes(<&str>::from(kind), number.as_bytes())
    }

    /// Decrypts a number.
    ///
    /// # Errors
    /// [`WrongKey`], also for a number of another kind.
    pub fn open(&self, kind: NumberKind, sealed: &[u8]) -> Result<Zeroizing<String>, WrongKey> {
        let number = self.open_bytes(<&str>::from(kind), sealed)?;
        String::from_utf8(number).map(Zeroizing::new).map_err(|_| WrongKey)
    }

    /// Encrypts rows of an onboarding, bound to their batch and first row.
    pub fn seal_rows(&self, batch: i64, first_row: i32, rows: &[u8]) -> Vec<u8> {
        self.seal_bytes(&rows_of(batch, first_row), rows)
    }

    /// Decrypts rows of an onboarding.
    ///
    /// # Errors
    /// [`WrongKey`], also for another batch or first row.
    pub fn open_rows(
        &self,
        batch: i64,
        first_row: i32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, WrongKey> {
        self.open_bytes(&rows_of(batch, first_row), sealed).map(Zeroizing::new)
    }

    fn seal_bytes(&self, purpose: &str, bytes: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let payload = Payload { msg: bytes, aad: purpose.as_bytes() };
        let sealed =
            self.seal.encrypt(&Nonce::from(nonce), payload).expect("a plaintext is shorter than 64 GiB");
        [&[VERSION], nonce.as_slice(), &sealed].concat()
    }

    fn open_bytes(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, WrongKey> {
        let (version, rest) = sealed.split_first().ok_or(WrongKey)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(WrongKey)?;
        if *version != VERSION {
            return Err(WrongKey);
        }
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        self.seal.decrypt(&Nonce::from(*nonce), payload).map_err(|_| WrongKey)
    }

    /// Returns the encrypted secret by which inputs are compared. It survives a rotation of the key.
    pub fn retry_secret(&self) -> Vec<u8> {
        self.seal_secret(&self.fingerprint)
    }

    /// Compares inputs by the secret of the database from now on.
    ///
    /// # Errors
    /// [`WrongKey`] if it was encrypted with another key.
    pub fn adopt_retry_secret(&mut self, sealed: &[u8]) -> Result<(), WrongKey> {
        self.fingerprint = self.open_secret(sealed)?;
        Ok(())
    }

    pub(super) fn seal_secret(&self, secret: &[u8; 32]) -> Vec<u8> {
        self.seal_bytes(RETRY_SECRET, secret)
    }

    pub(super) fn open_secret(&self, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, WrongKey> {
        let secret = Zeroizing::new(self.open_bytes(RETRY_SECRET, sealed)?);
        secret.as_slice().try_into().map(Zeroizing::new).map_err(|_| WrongKey)
    }

    /// Returns the keyed digest of an input, to compare it with another. Keyed, because inputs hold identity numbers.
    pub fn fingerprint(&self, input: &[u8]) -> Vec<u8> {
        mac(&*self.fingerprint, &[input]).to_vec()
    }

    /// Returns the key that signs the bearer tokens of this installation.
    pub fn token_key(&self) -> &[u8] {
        self.token.as_slice()
    }

    /// Signs a seal of the audit trail (Ed25519).
    pub fn sign_evidence(&self, hash: &[u8; 32]) -> [u8; 64] {
        self.evidence.sign(hash).to_bytes()
    }

    /// Returns the public key that verifies the seals.
    pub fn evidence_public_key(&self) -> [u8; 32] {
        self.evidence.verifying_key().to_bytes()
    }

    /// Returns a value that identifies the key in the database, and reveals nothing about it.
    pub fn check(&self) -> &[u8] {
        &self.check
    }
}

/// The associated data of encrypted rows.
fn rows_of(batch: i64, first_row: i32) -> String {
    format!("ONBOARDING_ROWS {batch} {first_row}")
}

/// Verifies the signature of a hash.
pub fn verify_evidence(public_key: &[u8; 32], hash: &[u8; 32], signature: &[u8]) -> bool {
    let (key, signature) = (VerifyingKey::from_bytes(public_key), Signature::from_slice(signature));
    key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify_strict(hash, &signature).is_ok()))
}

/// Returns the id of a signing key: the first bytes of the SHA-256 of its public key.
pub fn evidence_key_id(public_key: &[u8; 32]) -> [u8; 8] {
    let digest = Sha256::digest(public_key);
    std::array::from_fn(|at| digest[at])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "1671010208850001";

    #[test]
    fn a_number_is_decrypted_with_the_same_key_and_kind_only() {
        let (keys, others) = (Keys::derive(&[1; 32]), Keys::derive(&[2; 32]));
        let sealed = keys.seal(NumberKind::NationalId, NUMBER);
        assert_eq!(keys.open(NumberKind::NationalId, &sealed).unwrap().as_str(), NUMBER);
        assert_eq!(keys.open(NumberKind::ServiceNumber, &sealed), Err(WrongKey));
        assert_eq!(others.open(NumberKind::NationalId, &sealed), Err(WrongKey));
    }

    #[test]
    fn a_changed_or_truncated_ciphertext_is_refused() {
        let keys = Keys::derive(&[1; 32]);
        let sealed = keys.seal(NumberKind::NationalId, NUMBER);
        for length in 0..sealed.len() {
            assert_eq!(keys.open(NumberKind::NationalId, &sealed[..length]), Err(WrongKey));
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(NumberKind::NationalId, &changed), Err(WrongKey));
        }
    }

    #[test]
    fn the_index_is_stable_and_differs_by_kind() {
        let keys = Keys::derive(&[1; 32]);
        assert_eq!(keys.index(NumberKind::NationalId, NUMBER), keys.index(NumberKind::NationalId, NUMBER));
        assert_ne!(keys.index(NumberKind::NationalId, NUMBER), keys.index(NumberKind::TaxNumber, NUMBER));
        assert_ne!(
            keys.index(NumberKind::NationalId, NUMBER),
            Keys::derive(&[2; 32]).index(NumberKind::NationalId, NUMBER)
        );
    }

    #[test]
    fn a_number_is_never_encrypted_to_the_same_bytes_twice() {
        let keys = Keys::derive(&[1; 32]);
        assert_ne!(keys.seal(NumberKind::NationalId, NUMBER), keys.seal(NumberKind::NationalId, NUMBER));
    }

    #[test]
    fn a_signature_is_valid_for_one_key_and_one_hash() {
        let (keys, others) = (Keys::derive(&[1; 32]), Keys::derive(&[2; 32]));
        let signature = keys.sign_evidence(&[3; 32]);
        assert!(verify_evidence(&keys.evidence_public_key(), &[3; 32], &signature));
        assert!(!verify_evidence(&keys.evidence_public_key(), &[4; 32], &signature));
        assert!(!verify_evidence(&others.evidence_public_key(), &[3; 32], &signature));
        assert!(!verify_evidence(&keys.evidence_public_key(), &[3; 32], &signature[1..]));
        assert_ne!(
            evidence_key_id(&keys.evidence_public_key()),
            evidence_key_id(&others.evidence_public_key())
        );
    }
}
