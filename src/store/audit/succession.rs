//! The succession of signing keys. A new key endorses the previous one: up to which seal it signed, and the hash of that
//! seal. So the owner of an old key can neither add seals nor change them.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::chain::{hash_of, lock_until_end, newest};
use crate::store::error::StoreError;
use crate::store::keys::{Keys, evidence_key_id, verify_evidence};
use crate::store::session::Session;
use domain::audit::{Hash, Seal};

/// A key that no longer signs.
struct Retired {
    public_key: Hash,
    last_seal: i64,
    last_hash: Hash,
    endorsed_by: Hash,
    endorsement: Vec<u8>,
}

impl Retired {
    /// The statement that the next key signs.
    fn statement(&self) -> Hash {
        let parts = [self.public_key.as_slice(), &self.last_seal.to_be_bytes(), &self.last_hash];
        Sha256::digest([b"audit key".as_slice(), &parts.concat()].concat()).into()
    }
}

/// Has this key signed before, and was replaced?
pub async fn has_retired(conn: &mut PgConnection, keys: &Keys) -> Result<bool, StoreError> {
    let public_key = keys.evidence_public_key();
    let retired = sqlx::query_scalar!(
        r#"select exists (select from audit_key where public_key = $1) as "retired!""#,
        public_key.as_slice()
    );
    Ok(retired.fetch_one(conn).await?)
}

/// Hands the trail over to another key, within the transaction that rotates the keys. No process seals until it ends.
pub async fn hand_over(conn: &mut PgConnection, old: &Keys, new: &Keys) -> Result<(), StoreError> {
    lock_until_end(conn).await?;
    let (last_seal, last_hash) =
        newest(conn).await?.map_or((0, [0; 32]), |(head, _)| (head.number, head.hash));
    let mut retired = Retired {
        public_key: old.evidence_public_key(),
        last_seal,
        last_hash,
        endorsed_by: new.evidence_public_key(),
        endorsement: Vec::new(),
    };
    retired.endorsement = new.sign_evidence(&retired.statement()).to_vec();
    sqlx::query!(
        "insert into audit_key (public_key, last_seal, last_hash, endorsed_by, endorsement) values ($1, $2, $3, $4, $5)",
        retired.public_key.as_slice(),
        retired.last_seal,
        retired.last_hash.as_slice(),
        retired.endorsed_by.as_slice(),
        retired.endorsement
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All keys whose seals are valid.
pub(super) struct Succession {
    in_force: Hash,
    retired: HashMap<[u8; 8], Retired>,
}

impl Succession {
    /// Reads the retired keys, and keeps those that a later key has endorsed, up to the key in force.
    pub(super) async fn read(session: &Session, keys: &Keys) -> Result<Self, StoreError> {
        let rows =
            sqlx::query!("select public_key, last_seal, last_hash, endorsed_by, endorsement from audit_key");
        let mut left = Vec::new();
        for row in rows.fetch_all(session).await? {
            left.push(Retired {
                public_key: hash_of(&row.public_key)?,
                last_seal: row.last_seal,
                last_hash: hash_of(&row.last_hash)?,
                endorsed_by: hash_of(&row.endorsed_by)?,
                endorsement: row.endorsement,
            });
        }
        let in_force = keys.evidence_public_key();
        let mut retired = HashMap::new();
        let mut later = in_force;
        while let Some(at) = left.iter().position(|key| key.endorsed_by == later) {
            let key = left.swap_remove(at);
            if verify_evidence(&later, &key.statement(), &key.endorsement) {
                later = key.public_key;
                retired.insert(evidence_key_id(&key.public_key), key);
            }
        }
        Ok(Self { in_force, retired })
    }

    /// Is a seal signed by the key in force, or by a retired key before it was retired?
    pub(super) fn has_signed(&self, seal: &Seal) -> bool {
        let hash = seal.statement.hash();
        let signed = |key: &Hash| verify_evidence(key, &hash, &seal.signature);
        if seal.key_id == evidence_key_id(&self.in_force) {
            return signed(&self.in_force);
        }
        let Ok(id) = <[u8; 8]>::try_from(seal.key_id.as_slice()) else { return false };
        self.retired.get(&id).is_some_and(|key| {
            let number = seal.statement.number;
            signed(&key.public_key)
                && number <= key.last_seal
                && (number < key.last_seal || hash == key.last_hash)
        })
    }
}
