//! The tamper-evident audit trail: entries, seals, and the verification of both.
//!
//! A seal covers the entries since the previous seal. It stores a digest of each entry, so that verification can name a
//! changed entry. Its hash covers the digests and the previous hash, and its signature covers the hash. Nobody without
//! the key can forge a seal, and a changed seal breaks all later ones. Removing the newest seals leaves a valid chain:
//! only a copy of the last hash outside the database reveals that (see [`ChainCheck::require`]).

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::vocabulary::Role;

/// Whether a request read or changed the people in its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditOutcome {
    /// They were returned, or the answer depended on them.
    Read,
    /// They were changed.
    Written,
}

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// Bytes of a leaf: an id and a digest.
const LEAF_BYTES: usize = 8 + 32;

/// A stored audit entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Id of the transaction that wrote it.
    pub transaction: i64,
    /// Internal id.
    pub id: i64,
    /// Moment of the entry, by the database's clock.
    pub at: DateTime<Utc>,
    /// Name of the client.
    pub client: String,
    /// Role of the client at that moment.
    pub role: Role,
    /// Whether the people were read or written.
    pub outcome: AuditOutcome,
    /// Root fields of the request, separated by blanks.
    pub operation: String,
    /// Purpose that the client stated.
    pub purpose: Option<String>,
    /// Participants, by internal id, ascending.
    pub subjects: Vec<i64>,
    /// Id of the request.
    pub request_id: Uuid,
}

impl Entry {
    /// Returns the leaf of the entry. Each part is preceded by its length, so that different entries have different
    /// encodings.
    pub fn leaf(&self) -> Leaf {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        add(b"registry audit entry 1");
        add(&self.transaction.to_be_bytes());
        add(&self.id.to_be_bytes());
        add(&self.at.timestamp_micros().to_be_bytes());
        add(self.client.as_bytes());
        add(<&str>::from(self.role).as_bytes());
        add(<&str>::from(self.outcome).as_bytes());
        add(self.operation.as_bytes());
        match &self.purpose {
            Some(purpose) => add(&[b"+", purpose.as_bytes()].concat()),
            None => add(b""),
        }
        add(self.subjects.iter().map(|id| id.to_be_bytes()).collect::<Vec<_>>().as_flattened());
        add(self.request_id.as_bytes());
        Leaf { id: self.id, digest: digest.finalize().into() }
    }
}

/// The part of an entry that a seal stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Id of the entry.
    pub id: i64,
    /// Digest of the whole entry.
    pub digest: Hash,
}

impl Leaf {
    /// Encodes leaves for storage in a seal.
    pub fn write_all(leaves: &[Self]) -> Vec<u8> {
        leaves.iter().flat_map(|leaf| leaf.id.to_be_bytes().into_iter().chain(leaf.digest)).collect()
    }

    /// Decodes leaves; `None` if the last one is incomplete.
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let leaf = |bytes: &[u8]| {
            let (id, digest) = bytes.split_first_chunk::<8>()?;
            Some(Self { id: i64::from_be_bytes(*id), digest: digest.try_into().ok()? })
        };
        bytes.chunks(LEAF_BYTES).map(leaf).collect()
    }
}

/// The content of a seal, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Consecutive number, from 1.
    pub number: i64,
    /// Moment of the seal, by the database's clock.
    pub sealed_at: DateTime<Utc>,
    /// The last entry that it covers, as (transaction, id).
    pub last: (i64, i64),
    /// Digests of the entries, encoded by [`Leaf::write_all`].
    pub leaves: Vec<u8>,
    /// Hash of the previous seal; zeros for the first.
    pub previous: Hash,
}

impl Statement {
    /// Returns the hash that is signed.
    pub fn hash(&self) -> Hash {
        let mut digest = Sha256::new();
        digest.update(b"registry audit seal 1");
        for number in [self.number, self.sealed_at.timestamp_micros(), self.last.0, self.last.1] {
            digest.update(number.to_be_bytes());
        }
        digest.update((self.leaves.len() as u64).to_be_bytes());
        digest.update(&self.leaves);
        digest.update(self.previous);
        digest.finalize().into()
    }
}

/// A stored seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The content.
    pub statement: Statement,
    /// Stored hash of the content.
    pub hash: Vec<u8>,
    /// Id of the signing key.
    pub key_id: Vec<u8>,
    /// Signature of the hash.
    pub signature: Vec<u8>,
}

/// A manipulation of the trail, with the entry or seal where it was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampering {
    /// A sealed entry was changed.
    #[error("entry {0} was edited after it was sealed")]
    Edited(i64),
    /// A sealed entry was deleted.
    #[error("entry {0} was deleted after it was sealed")]
    Deleted(i64),
    /// An entry was added between sealed ones.
    #[error("entry {0} was inserted among entries that were sealed without it")]
    Inserted(i64),
    /// A sealed entry has another place in the order.
    #[error("entry {0} is not where it was when it was sealed")]
    Moved(i64),
    /// A seal in the middle or at the beginning is missing.
    #[error("seal {0} is missing")]
    SealMissing(i64),
    /// A seal was changed, or does not continue the previous one.
    #[error("seal {0} was changed, or does not continue the one before it")]
    SealChanged(i64),
    /// The signature was not made with this installation's key.
    #[error("seal {0} is not signed with this installation's key")]
    SealForged(i64),
    /// The index by which the entries about a person are found has others than the entries of this seal.
    #[error(
        "the index of people differs from the entries up to seal {0}: a list of who saw a person may be incomplete"
    )]
    IndexChanged(i64),
    /// The hash from outside the database is not part of the chain.
    #[error(
        "the given head is not part of this chain, which ends with seal {0}: newer seals were removed or replaced"
    )]
    Truncated(i64),
}

impl Tampering {
    /// Returns the first difference between sealed and stored leaves, both in order.
    pub fn between(sealed: &[Leaf], found: &[Leaf]) -> Option<Self> {
        let at = sealed.iter().zip(found).position(|(a, b)| a != b).unwrap_or(sealed.len().min(found.len()));
        let has = |leaves: &[Leaf], id: i64| leaves.iter().any(|leaf| leaf.id == id);
        match (sealed.get(at), found.get(at)) {
            (None, None) => None,
            (Some(sealed), Some(found)) if sealed.id == found.id => Some(Self::Edited(found.id)),
            (Some(gone), _) if !has(found, gone.id) => Some(Self::Deleted(gone.id)),
            (_, Some(new)) if !has(sealed, new.id) => Some(Self::Inserted(new.id)),
            (Some(leaf), _) | (None, Some(leaf)) => Some(Self::Moved(leaf.id)),
        }
    }
}

/// A verification of the chain, seal by seal.
#[derive(Clone, Debug, Default)]
pub struct ChainCheck {
    /// Number of the last seal checked.
    pub number: i64,
    /// Its hash; zeros before the first.
    pub hash: Hash,
    /// The last entry that it covers, as (transaction, id).
    pub last: (i64, i64),
    /// Hashes of all seals checked.
    passed: HashSet<Hash>,
}

impl ChainCheck {
    /// Checks the next seal and returns the leaves of its entries. `signed` verifies the signature with the
    /// installation's key.
    ///
    /// # Errors
    /// The seal is not the next one, or was changed.
    pub fn next(&mut self, seal: &Seal, signed: impl Fn(&Seal) -> bool) -> Result<Vec<Leaf>, Tampering> {
        let statement = &seal.statement;
        if statement.number != self.number + 1 {
            return Err(Tampering::SealMissing(self.number + 1));
        }
        let hash = statement.hash();
        if statement.previous != self.hash || seal.hash != hash || statement.last <= self.last {
            return Err(Tampering::SealChanged(statement.number));
        }
        if !signed(seal) {
            return Err(Tampering::SealForged(statement.number));
        }
        let leaves = Leaf::read_all(&statement.leaves).ok_or(Tampering::SealChanged(statement.number))?;
        (self.number, self.hash, self.last) = (statement.number, hash, statement.last);
        self.passed.insert(hash);
        Ok(leaves)
    }

    /// Checks that a hash from outside the database belongs to a checked seal.
    ///
    /// # Errors
    /// [`Tampering::Truncated`]: the newest seals were removed.
    pub fn require(&self, head: &Hash) -> Result<(), Tampering> {
        if self.passed.contains(head) { Ok(()) } else { Err(Tampering::Truncated(self.number)) }
    }
}

#[cfg(test)]
mod tests;
