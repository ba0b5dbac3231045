//! Corrections of a participant. The caller has locked the participant before.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::error::StoreError;
use domain::correction::Particulars;
use domain::participant::Sex;

/// The columns that only a correction needs. [`lock`](super::lock) does not read them.
pub struct CorrectedColumns {
    /// Name.
    pub full_name: String,
    /// Identity number, encrypted.
    pub national_id: Option<Vec<u8>>,
}

domain::redacted_debug!(CorrectedColumns);

/// Returns name and number of a locked participant.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn corrected_columns(
    conn: &mut PgConnection,
    id: i64,
) -> Result<Option<CorrectedColumns>, StoreError> {
    let columns =
        sqlx::query_as!(CorrectedColumns, "select full_name, national_id from participant where id = $1", id);
    Ok(columns.fetch_optional(conn).await?)
}

/// Writes corrected particulars. `national_id` is encrypted.
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

/// Records the day of death.
pub async fn record_death(conn: &mut PgConnection, id: i64, on: NaiveDate) -> Result<(), StoreError> {
    sqlx::query!("update participant set deceased_on = $2 where id = $1", id, on).execute(conn).await?;
    Ok(())
}
