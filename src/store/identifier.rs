//! Who owns a number: the one place where uniqueness of a person lives.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::error::StoreError;
use super::keys::{Keys, NumberKind};
use super::rotation;

/// Whose a claimed number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The person who owns it.
    pub participant_id: i64,
    /// Claimed just now, by this transaction: an identity number for a person who is not written yet.
    pub is_new: bool,
}

/// Claims identity numbers, each for a person of its own whose id is given out here. Numbers that somebody owns
/// stay whose they are. Whoever claims a number that another transaction is claiming waits for that one to end.
///
/// Takes no actor: it answers to the registry's own writing, never to a caller.
///
/// # Errors
/// The database is away, or the key was exchanged.
pub async fn claim_national_ids(
    conn: &mut PgConnection,
    keys: &Keys,
    indexes: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, Claim>, StoreError> {
    // In the order of the key, so that two transactions never wait for each other.
    let claimed = sqlx::query!(
        "insert into identifier (kind, value_index, participant_id)
         select 'NATIONAL_ID', u.value_index, nextval('participant_id_seq')
         from (select value_index from unnest($1::bytea[]) as v(value_index) order by value_index) u
         where exists (select from installation where key_check = $2)
         on conflict do nothing
         returning value_index, participant_id",
        indexes,
        keys.check()
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut claims: HashMap<Vec<u8>, Claim> = claimed
        .into_iter()
        .map(|row| (row.value_index, Claim { participant_id: row.participant_id, is_new: true }))
        .collect();
    let missing: Vec<Vec<u8>> =
        indexes.iter().filter(|index| !claims.contains_key(*index)).cloned().collect();
    let owners = owners(conn, NumberKind::NationalId, &missing).await?;
    claims.extend(
        owners.into_iter().map(|(index, participant_id)| (index, Claim { participant_id, is_new: false })),
    );
    // Neither claimed nor owned: this key is not the one in force any more.
    if indexes.iter().any(|index| !claims.contains_key(index)) {
        return Err(rotation::exchanged());
    }
    Ok(claims)
}

/// Claims a further identity number for somebody who is in the registry, and says whose it is now. A number that the
/// person gave up before is in force again.
///
/// Takes no actor: it answers to the registry's own writing, never to a caller.
///
/// # Errors
/// The database is away, or the key was exchanged.
pub async fn claim_further_national_id(
    conn: &mut PgConnection,
    keys: &Keys,
    index: &[u8],
    participant_id: i64,
) -> Result<i64, StoreError> {
    let claimed = sqlx::query_scalar!(
        "insert into identifier (kind, value_index, participant_id)
         select 'NATIONAL_ID', $1, $2 where exists (select from installation where key_check = $3)
         on conflict on constraint identifier_pkey do update set superseded_at = null
         where identifier.participant_id = excluded.participant_id
         returning participant_id",
        index,
        participant_id,
        keys.check()
    )
    .fetch_optional(&mut *conn)
    .await?;
    match claimed {
        Some(owner) => Ok(owner),
        None => {
            let owners = owners(conn, NumberKind::NationalId, &[index.to_vec()]).await?;
            owners.get(index).copied().ok_or_else(rotation::exchanged)
        }
    }
}

/// An identity number is in force no more. It stays claimed, and still finds its owner.
///
/// # Errors
/// The database is away.
pub async fn supersede_national_id(conn: &mut PgConnection, index: &[u8]) -> Result<(), StoreError> {
    sqlx::query!(
        "update identifier set superseded_at = now() where kind = 'NATIONAL_ID' and value_index = $1",
        index
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Claims service numbers for the people given beside them, and says whose each of them is now.
///
/// Takes no actor: it answers to the registry's own writing, never to a caller.
///
/// # Errors
/// The database is away.
pub async fn claim_service_numbers(
    conn: &mut PgConnection,
    indexes: &[Vec<u8>],
    participant_ids: &[i64],
) -> Result<HashMap<Vec<u8>, Claim>, StoreError> {
    if indexes.is_empty() {
        return Ok(HashMap::new());
    }
    let claimed = sqlx::query!(
        "insert into identifier (kind, value_index, participant_id)
         select 'SERVICE_NUMBER', u.value_index, u.participant_id
         from (select value_index, participant_id
               from unnest($1::bytea[], $2::bigint[]) as v(value_index, participant_id) order by value_index) u
         on conflict do nothing
         returning value_index, participant_id",
        indexes,
        participant_ids
    )
    .fetch_all(&mut *conn)
    .await?;
    let claim = |(index, participant_id, is_new)| (index, Claim { participant_id, is_new });
    let mut claims: HashMap<Vec<u8>, Claim> =
        claimed.into_iter().map(|row| claim((row.value_index, row.participant_id, true))).collect();
    let missing: Vec<Vec<u8>> =
        indexes.iter().filter(|index| !claims.contains_key(*index)).cloned().collect();
    let owners = owners(conn, NumberKind::ServiceNumber, &missing).await?;
    claims.extend(owners.into_iter().map(|(index, owner)| claim((index, owner, false))));
    Ok(claims)
}

/// Gives back numbers that this very transaction claimed, for people or enrollments that will not be written after all.
///
/// # Errors
/// The database is away.
pub async fn release(
    conn: &mut PgConnection,
    kind: NumberKind,
    indexes: &[Vec<u8>],
) -> Result<(), StoreError> {
    if !indexes.is_empty() {
        sqlx::query!(
            "delete from identifier where kind = $1::text::identifier_kind and value_index = any($2)",
            <&str>::from(kind),
            indexes
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Whose numbers of a kind are, where they are somebody's; claims nothing.
///
/// Takes no actor: it answers to the registry's own plans, never to a caller.
///
/// # Errors
/// The database is away.
pub async fn owners(
    conn: &mut PgConnection,
    kind: NumberKind,
    indexes: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, i64>, StoreError> {
    if indexes.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "select value_index, participant_id from identifier
         where kind = $1::text::identifier_kind and value_index = any($2)",
        <&str>::from(kind),
        indexes
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.value_index, row.participant_id)).collect())
}
