//! Writing channels; they are read from the snapshot in [`super::reference`].

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::error::StoreError;
use crate::domain::actor::Actor;
use crate::domain::channel::ChannelKind;

/// A channel to be written.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// The agency's own code.
    pub code: String,
    /// For people.
    pub name: String,
    /// Name, normalised.
    pub name_key: String,
    /// What kind of place it is.
    pub kind: ChannelKind,
    /// The channel above it.
    pub parent_id: Option<i64>,
    /// The provinces that it serves.
    pub provinces: Vec<i16>,
    /// Who runs it.
    pub operator: Option<String>,
    /// First day.
    pub opened_on: Option<NaiveDate>,
}

/// Writes a channel with its provinces. `None` where its code is taken.
///
/// # Errors
/// The database is away.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewChannel,
) -> Result<Option<i64>, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into channel (code, name, name_key, kind, parent_id, operator, opened_on, registered_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id",
        new.code,
        new.name,
        new.name_key,
        new.kind as ChannelKind,
        new.parent_id,
        new.operator,
        new.opened_on,
        actor.client
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = id {
        sqlx::query!(
            "insert into channel_province (channel_id, province_id) select $1, unnest($2::smallint[])",
            id,
            &new.provinces
        )
        .execute(conn)
        .await?;
    }
    Ok(id)
}
