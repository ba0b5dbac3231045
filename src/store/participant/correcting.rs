//! Changing what stands of a person itself. Whoever does so has locked the person before.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::error::StoreError;
use domain::correction::Particulars;
use domain::participant::Sex;

/// What [`lock`](super::lock) leaves out, because nobody else needs it.
pub struct Kept {
    /// Name.
    pub full_name: String,
    /// Identity number, sealed.
    pub national_id: Option<Vec<u8>>,
}

domain::redacted_debug!(Kept);

/// Name and number of a person who was locked; `None` where there is none.
///
/// Takes no actor: it answers to the registry's own writing, never to a caller.
///
/// # Errors
/// The database is away.
pub async fn kept(conn: &mut PgConnection, id: i64) -> Result<Option<Kept>, StoreError> {
    let kept = sqlx::query_as!(Kept, "select full_name, national_id from participant where id = $1", id);
    Ok(kept.fetch_optional(conn).await?)
}

/// Writes corrected particulars; the number is the one of `national_id`, sealed, whatever `after` says.
///
/// # Errors
/// The database is away.
pub async fn correct(
    conn: &mut PgConnection,
    id: i64,
    after: &Particulars,
    national_id: Option<&[u8]>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update participant
         set full_name = $2, name_key = $3, birth_date = $4, sex = $5, province_id = $6, national_id = $7
         where id = $1",
        id,
        after.full_name,
        after.name_key,
        after.birth_date,
        after.sex as Sex,
        after.province,
        national_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down the day of death.
///
/// # Errors
/// The database is away.
pub async fn record_death(conn: &mut PgConnection, id: i64, on: NaiveDate) -> Result<(), StoreError> {
    sqlx::query!("update participant set deceased_on = $2 where id = $1", id, on).execute(conn).await?;
    Ok(())
}
