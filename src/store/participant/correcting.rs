//! Corrections of a participant. The caller has locked the participant before.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::array::{array_literal, column};
use crate::store::error::StoreError;
use domain::correction::Particulars;
use domain::residence::Residence;

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

/// Writes corrected particulars. `national_id` is encrypted. Another province is that of all days.
pub async fn correct(
    conn: &mut PgConnection,
    id: i64,
    after: &Particulars,
    national_id: Option<&[u8]>,
) -> Result<(), StoreError> {
    let sql = "update participant
               set full_name = $2, name_key = $3, birth_date = $4, sex = $5, province_id = $6, national_id = $7,
                   former_provinces = case when province_id = $6 then former_provinces end,
                   moved_on = case when province_id = $6 then moved_on end
               where id = $1";
    let update =
        sqlx::query(sql).bind(id).bind(&after.full_name).bind(&after.name_key).bind(after.birth_date);
    let update = update.bind(after.sex).bind(after.province).bind(national_id);
    update.execute(conn).await?;
    Ok(())
}

/// Writes where a person lives and has lived.
pub async fn move_to(conn: &mut PgConnection, id: i64, residence: &Residence) -> Result<(), StoreError> {
    move_many(conn, &[(id, residence.clone())]).await
}

/// Writes where people live and have lived, in one statement.
pub async fn move_many(conn: &mut PgConnection, moved: &[(i64, Residence)]) -> Result<(), StoreError> {
    // Null for somebody who has never moved.
    let columns = |residence: &Residence| {
        let (former, moved_on) = residence.columns();
        (!moved_on.is_empty()).then(|| (array_literal(&former), array_literal(&moved_on))).unzip()
    };
    let (former, moved_on): (Vec<Option<String>>, Vec<Option<String>>) =
        moved.iter().map(|(_, residence)| columns(residence)).unzip();
    let sql = "with u as materialized (
                   select id, province_id, former::smallint[] as former, moved_on::date[] as moved_on
                   from unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[]) as u(id, province_id, former, moved_on)
               )
               update participant p
               set province_id = u.province_id, former_provinces = u.former, moved_on = u.moved_on
               from u where p.id = u.id";
    let update = sqlx::query(sql).bind(column(moved, |&(id, _)| id));
    let update = update.bind(column(moved, |(_, residence)| residence.current()));
    update.bind(former).bind(moved_on).execute(conn).await?;
    Ok(())
}

/// Returns the telephone number of a locked participant, encrypted.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn phone(conn: &mut PgConnection, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let phone = sqlx::query_scalar("select phone from participant where id = $1").bind(id);
    Ok(phone.fetch_one(conn).await?)
}

/// Writes the telephone number of a participant, encrypted; `None` removes it.
pub async fn change_phone(conn: &mut PgConnection, id: i64, phone: Option<&[u8]>) -> Result<(), StoreError> {
    let update = sqlx::query("update participant set phone = $2 where id = $1").bind(id).bind(phone);
    update.execute(conn).await?;
    Ok(())
}

/// Records the day of death.
pub async fn record_death(conn: &mut PgConnection, id: i64, on: NaiveDate) -> Result<(), StoreError> {
    sqlx::query!("update participant set deceased_on = $2 where id = $1", id, on).execute(conn).await?;
    Ok(())
}
