//! Evidence: what an entry holds, how entries are sealed, and what a seal shows of them later.
//!
//! A seal covers the entries behind the one before it, in order. It keeps a digest of each, so that a changed one can be
//! named; its hash covers these digests and the hash of the seal before; its signature covers the hash. Nobody without
//! the key can make another seal, and nobody can change one without breaking all that follow. Only whoever cuts off the
//! newest seals leaves a chain that is right in itself: that is found by whoever kept the hash of the last one.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::vocabulary::Role;

closed_list! {
    /// What a request did with the people whom its entry names.
    AuditOutcome {
        /// They were shown, or an answer told something of them.
        Read = "READ",
        /// They were written.
        Written = "WRITTEN",
    }
}

/// SHA-256.
pub type Hash = [u8; 32];

/// Bytes of a leaf: an id and a hash.
const LEAF_BYTES: usize = 8 + 32;

/// One entry, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction that wrote it.
    pub transaction: i64,
    /// Internal id.
    pub id: i64,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Name of the client.
    pub client: String,
    /// What the client was to the agency.
    pub role: Role,
    /// What was done with the people.
    pub outcome: AuditOutcome,
    /// Root fields of the request, with blanks between.
    pub operation: String,
    /// What for, as the client said.
    pub purpose: Option<String>,
    /// The people, by internal id, ascending.
    pub subjects: Vec<i64>,
    /// The request.
    pub request_id: Uuid,
}

impl Entry {
    /// What a seal keeps of it. Every part has a length before it, so that no two entries are written alike.
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
        add(self.role.as_str().as_bytes());
        add(self.outcome.as_str().as_bytes());
        add(self.operation.as_bytes());
        match &self.purpose {
            Some(purpose) => add(&[b"+", purpose.as_bytes()].concat()),
            None => add(b""),
        }
        add(&self.subjects.iter().flat_map(|id| id.to_be_bytes()).collect::<Vec<u8>>());
        add(self.request_id.as_bytes());
        Leaf { id: self.id, digest: digest.finalize().into() }
    }
}

/// What a seal keeps of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Id of the entry.
    pub id: i64,
    /// Digest of all of it.
    pub digest: Hash,
}

impl Leaf {
    /// Leaves as a seal keeps them.
    pub fn write_all(leaves: &[Self]) -> Vec<u8> {
        leaves.iter().flat_map(|leaf| leaf.id.to_be_bytes().into_iter().chain(leaf.digest)).collect()
    }

    /// Reads them again; `None` where they are cut in the middle.
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let leaf = |bytes: &[u8]| {
            let (id, digest) = bytes.split_first_chunk::<8>()?;
            Some(Self { id: i64::from_be_bytes(*id), digest: digest.try_into().ok()? })
        };
        bytes.chunks(LEAF_BYTES).map(leaf).collect()
    }
}

/// What a seal says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// 1, 2, 3, … without a gap.
    pub number: i64,
    /// When, by the database's clock.
    pub sealed_at: DateTime<Utc>,
    /// The last entry that it covers, as (transaction, id).
    pub last: (i64, i64),
    /// Digests of the entries, see [`Leaf::write_all`].
    pub leaves: Vec<u8>,
    /// Hash of the seal before; zeros for the first.
    pub previous: Hash,
}

impl Statement {
    /// What is signed.
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

/// A seal, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What it says.
    pub statement: Statement,
    /// The hash that is kept beside it.
    pub hash: Vec<u8>,
    /// Which key signed it.
    pub key_id: Vec<u8>,
    /// The signature of the hash.
    pub signature: Vec<u8>,
}

/// What is wrong with the trail, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tampering {
    /// An entry is not what it was.
    #[error("entry {0} was edited after it was sealed")]
    Edited(i64),
    /// A sealed entry is gone.
    #[error("entry {0} was deleted after it was sealed")]
    Deleted(i64),
    /// An entry that was not there when its neighbours were sealed.
    #[error("entry {0} was inserted among entries that were sealed without it")]
    Inserted(i64),
    /// A sealed entry stands elsewhere in the order.
    #[error("entry {0} is not where it was when it was sealed")]
    Moved(i64),
    /// A seal is gone from the middle or the beginning.
    #[error("seal {0} is missing")]
    SealMissing(i64),
    /// A seal does not continue the one before, or is not what was signed.
    #[error("seal {0} was changed, or does not continue the one before it")]
    SealChanged(i64),
    /// The signature is none of this installation's key.
    #[error("seal {0} is not signed with this installation's key")]
    SealForged(i64),
    /// The head that was kept elsewhere is not in the chain.
    #[error(
        "the head that was given is no seal of this chain, which ends with seal {0}: newer seals were cut off or replaced"
    )]
    Truncated(i64),
}

impl Tampering {
    /// The first difference between what was sealed and what is there, both in order.
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

/// Walks along the chain of seals.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// Number of the last seal.
    pub number: i64,
    /// Its hash; zeros ahead of the first.
    pub hash: Hash,
    /// The last entry that it covers, as (transaction, id).
    pub last: (i64, i64),
    /// All hashes that were passed.
    passed: HashSet<Hash>,
}

impl Walk {
    /// Goes on to the next seal, and gives what it keeps of its entries. `signed` says whether a signature is that of
    /// this installation's key.
    ///
    /// # Errors
    /// The seal is not the next one, or not what was signed.
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

    /// Is a head that was kept elsewhere among the seals that were passed?
    ///
    /// # Errors
    /// It is not: the newest seals are gone.
    pub fn demand(&self, head: &Hash) -> Result<(), Tampering> {
        if self.passed.contains(head) { Ok(()) } else { Err(Tampering::Truncated(self.number)) }
    }
}

#[cfg(test)]
mod tests;
