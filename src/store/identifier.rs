//! The owners of official numbers. The table `identifier` ensures that a number belongs to one person.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::error::StoreError;
use super::keys::{Keys, NumberKind};
use super::rotation;

/// The owner of a claimed number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The owner.
    pub participant_id: i64,
    /// Whether this transaction has claimed the number. Then the person of an identity number is not written yet.
    pub is_new: bool,
}

/// Claims numbers that identify people, identity numbers or passports, each for a new person id. A number that already has an
/// owner keeps it. Waits for other transactions that claim the same numbers.
///
/// Takes no actor, because the result is for a write and never for a caller.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
pub async fn claim_identities(
    conn: &mut PgConnection,
    keys: &Keys,
    kind: NumberKind,
    indexes: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, Claim>, StoreError> {
    if indexes.is_empty() {
        return Ok(HashMap::new());
    }
    // Also where most numbers have an owner: the insert locks the table against a rotation of the key until the transaction
    // ends, as a lookup would not. In the order of the index, so that two transactions never wait for each other.
    let claimed = sqlx::query!(
        "insert into identifier (kind, value_index, participant_id)
         select $3::text::identifier_kind, u.value_index, nextval('participant_id_seq')
         from (select value_index from unnest($1::bytea[]) as v(value_index) order by value_index) u
         where exists (select from installation where key_check = $2)
         on conflict do nothing
         returning value_index, participant_id",
        indexes,
        keys.check(),
        <&str>::from(kind)
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut claims: HashMap<Vec<u8>, Claim> = claimed
        .into_iter()
        .map(|row| (row.value_index, Claim { participant_id: row.participant_id, is_new: true }))
        .collect();
    let missing: Vec<Vec<u8>> =
        indexes.iter().filter(|index| !claims.contains_key(*index)).cloned().collect();
    let owners = owners(conn, kind, &missing).await?;
    claims.extend(
        owners.into_iter().map(|(index, participant_id)| (index, Claim { participant_id, is_new: false })),
    );
    // A number that is neither claimed nor owned means that the key is not in force.
    if indexes.iter().any(|index| !claims.contains_key(index)) {
        return Err(rotation::key_rotated());
    }
    Ok(claims)
}

/// Claims another identity number for a registered person, and returns its owner. If it is a former number of the
/// person, it becomes valid again.
///
/// Takes no actor, because the result is for a write and never for a caller.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
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
            owners.get(index).copied().ok_or_else(rotation::key_rotated)
        }
    }
}

/// Marks an identity number as superseded. It stays claimed, and a look-up still finds its owner.
pub async fn supersede_national_id(conn: &mut PgConnection, index: &[u8]) -> Result<(), StoreError> {
    sqlx::query!(
        "update identifier set superseded_at = now() where kind = 'NATIONAL_ID' and value_index = $1",
        index
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Claims service numbers for people, and returns the owner of each.
///
/// Takes no actor, because the result is for a write and never for a caller.
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

/// Releases numbers that this transaction has claimed for people or enrollments that are not written after all.
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

/// Returns the owners of numbers of a kind, without claiming any.
///
/// Takes no actor, because the result is for a plan and never for a caller.
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
