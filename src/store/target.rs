//! Targets and published figures: all of them are part of the snapshot in [`super::reference`].

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::error::StoreError;
use super::session::Session;
use domain::actor::Actor;
use domain::target::{ReportedFigure, Target};

/// Reads all targets, by year.
pub(super) async fn load(session: &Session) -> Result<Vec<Target>, StoreError> {
    let sql = "select id, year, active, province_id from target order by year, id";
    let rows: Vec<(i64, i16, i32, Option<i16>)> = sqlx::query_as(sql).fetch_all(session).await?;
    let target = |(id, year, active, province)| Target { id, year, active, province };
    Ok(rows.into_iter().map(target).collect())
}

/// Reads all published figures, newest first.
pub(super) async fn load_reported(session: &Session) -> Result<Vec<ReportedFigure>, StoreError> {
    let sql = "select metric, province_id, value, reported_on, source from reported_figure
               order by reported_on desc, metric, province_id nulls first";
    let rows: Vec<(String, Option<i16>, i32, NaiveDate, String)> =
        sqlx::query_as(sql).fetch_all(session).await?;
    let figure =
        |(metric, province, value, on, source)| ReportedFigure { metric, province, value, on, source };
    Ok(rows.into_iter().map(figure).collect())
}

/// Inserts a target, and returns its id. Returns `None` if the year has one already.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    year: i16,
    active: i32,
    province: Option<i16>,
) -> Result<Option<i64>, StoreError> {
    let sql = "insert into target (year, active, province_id, set_by) values ($1, $2, $3, $4)
               on conflict on constraint target_one_a_year do nothing returning id";
    let insert = sqlx::query_scalar(sql).bind(year).bind(active).bind(province).bind(&actor.client);
    Ok(insert.fetch_optional(conn).await?)
}

/// Returns the target of a year.
pub async fn find(
    conn: &mut PgConnection,
    year: i16,
    province: Option<i16>,
) -> Result<Option<i32>, StoreError> {
    let sql = "select active from target where year = $1 and province_id is not distinct from $2";
    Ok(sqlx::query_scalar(sql).bind(year).bind(province).fetch_optional(conn).await?)
}
