//! The installation's keys: how numbers are found, kept readable, and kept out of a dump.
//!
//! One secret of 32 bytes, from which one key for each purpose is derived. A number is found by its HMAC and shown
//! by decrypting what stands beside it; without the secret a copy of the database holds no identity number, and there
//! are too few identity numbers for a hash without a key to hide them.

use aes_gcm::aead::{Aead, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use strum::{Display, IntoStaticStr};
use zeroize::Zeroizing;

/// Bytes of an index: enough that two numbers of twenty million never meet.
const INDEX_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// First byte of a sealed number, for the day on which the key or the form changes.
const FORM: u8 = 1;
/// As what the secret is sealed by which inputs are compared: as no kind of number.
const RETRY_SECRET: &str = "RETRY_SECRET";

/// Kinds of numbers. A number is found and opened only as the kind that it was kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum NumberKind {
    /// NIK.
    NationalId,
    /// NIP.
    ServiceNumber,
    /// NPWP.
    TaxNumber,
    /// Telephone.
    Phone,
}

/// The keys that an installation is given: the newest, and the one before it for as long as a rotation needs it.
#[derive(Debug)]
pub struct KeyRing {
    /// The key that shall be in force.
    pub newest: Keys,
    /// The key that may be in force still.
    pub previous: Option<Keys>,
}

impl From<Keys> for KeyRing {
    fn from(newest: Keys) -> Self {
        Self { newest, previous: None }
    }
}

impl KeyRing {
    /// The key of which this fingerprint stands in the database; `None` where it is a third one.
    pub fn of_database(self, check: &[u8]) -> Option<Keys> {
        [Some(self.newest), self.previous].into_iter().flatten().find(|keys| keys.check() == check)
    }
}

/// The derived keys. Neither shown nor printed.
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

/// A number that was sealed with another key, or changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed number does not open with this installation's key")]
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

    /// Under which a number is found: equal numbers have equal indexes, and nothing else can be read from it.
    pub fn index(&self, kind: NumberKind, number: &str) -> Vec<u8> {
        mac(&*self.index, &[<&str>::from(kind).as_bytes(), &[0], number.as_bytes()])[..INDEX_BYTES].to_vec()
    }

    /// Makes a number unreadable to everybody without the key.
    pub fn seal(&self, kind: NumberKind, number: &str) -> Vec<u8> {
        self.seal_bytes(<&str>::from(kind), number.as_bytes())
    }

    /// Makes it readable again.
    ///
    /// # Errors
    /// Sealed with another key or as another kind, or changed since.
    pub fn open(&self, kind: NumberKind, sealed: &[u8]) -> Result<Zeroizing<String>, WrongKey> {
        let number = self.open_bytes(<&str>::from(kind), sealed)?;
        String::from_utf8(number).map(Zeroizing::new).map_err(|_| WrongKey)
    }

    /// Makes rows of an onboarding unreadable; they open again only as those of this batch that begin with this row.
    pub fn seal_rows(&self, batch: i64, first_row: i32, rows: &[u8]) -> Vec<u8> {
        self.seal_bytes(&rows_of(batch, first_row), rows)
    }

    /// Makes them readable again.
    ///
    /// # Errors
    /// Sealed with another key or for another place, or changed since.
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
            self.seal.encrypt(&Nonce::from(nonce), payload).expect("what is sealed is shorter than 64 GiB");
        [&[FORM], nonce.as_slice(), &sealed].concat()
    }

    fn open_bytes(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, WrongKey> {
        let (form, rest) = sealed.split_first().ok_or(WrongKey)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(WrongKey)?;
        if *form != FORM {
            return Err(WrongKey);
        }
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        self.seal.decrypt(&Nonce::from(*nonce), payload).map_err(|_| WrongKey)
    }

    /// What inputs are compared by, sealed: it stays the same when the key is exchanged for another.
    pub fn retry_secret(&self) -> Vec<u8> {
        self.seal_secret(&self.fingerprint)
    }

    /// Compares inputs by the secret of the database from now on.
    ///
    /// # Errors
    /// It was sealed with another key.
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

    /// Digest of an input, to tell whether a second one is the same. Keyed, because inputs hold identity numbers.
    pub fn fingerprint(&self, input: &[u8]) -> Vec<u8> {
        mac(&*self.fingerprint, &[input]).to_vec()
    }

    /// Signs the bearer tokens that this installation gives out.
    pub fn token_key(&self) -> &[u8] {
        self.token.as_slice()
    }

    /// Signs the seals of the audit trail (Ed25519).
    pub fn sign_evidence(&self, hash: &[u8; 32]) -> [u8; 64] {
        self.evidence.sign(hash).to_bytes()
    }

    /// By which the seals are verified.
    pub fn evidence_public_key(&self) -> [u8; 32] {
        self.evidence.verifying_key().to_bytes()
    }

    /// Tells one installation's key from another's, and nothing about it. Stands in the database.
    pub fn check(&self) -> &[u8] {
        &self.check
    }
}

/// As what rows on their way are sealed.
fn rows_of(batch: i64, first_row: i32) -> String {
    format!("ONBOARDING_ROWS {batch} {first_row}")
}

/// Is this the signature of that hash, by the key with this public half?
pub fn verify_evidence(public_key: &[u8; 32], hash: &[u8; 32], signature: &[u8]) -> bool {
    let (key, signature) = (VerifyingKey::from_bytes(public_key), Signature::from_slice(signature));
    key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify_strict(hash, &signature).is_ok()))
}

/// What a seal names a key by: the beginning of the SHA-256 of its public half.
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
    fn a_sealed_number_opens_with_the_same_key_and_kind_only() {
        let (keys, others) = (Keys::derive(&[1; 32]), Keys::derive(&[2; 32]));
        let sealed = keys.seal(NumberKind::NationalId, NUMBER);
        assert_eq!(keys.open(NumberKind::NationalId, &sealed).unwrap().as_str(), NUMBER);
        assert_eq!(keys.open(NumberKind::ServiceNumber, &sealed), Err(WrongKey));
        assert_eq!(others.open(NumberKind::NationalId, &sealed), Err(WrongKey));
    }

    #[test]
    fn a_changed_or_cut_seal_is_refused() {
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
    fn the_index_is_stable_and_tells_kinds_apart() {
        let keys = Keys::derive(&[1; 32]);
        assert_eq!(keys.index(NumberKind::NationalId, NUMBER), keys.index(NumberKind::NationalId, NUMBER));
        assert_ne!(keys.index(NumberKind::NationalId, NUMBER), keys.index(NumberKind::TaxNumber, NUMBER));
        assert_ne!(
            keys.index(NumberKind::NationalId, NUMBER),
            Keys::derive(&[2; 32]).index(NumberKind::NationalId, NUMBER)
        );
    }

    #[test]
    fn the_same_number_never_looks_the_same_twice() {
        let keys = Keys::derive(&[1; 32]);
        assert_ne!(keys.seal(NumberKind::NationalId, NUMBER), keys.seal(NumberKind::NationalId, NUMBER));
    }

    #[test]
    fn evidence_is_signed_by_one_key_and_for_one_hash() {
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
