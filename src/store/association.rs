//! Associations of informal workers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, QueryBuilder};

use super::columns::in_order;
use super::error::StoreError;
use super::page::{self, OrderColumns, push_ids, push_page, push_words};
use super::session::Session;
use domain::actor::Actor;
use domain::association::NewAssociation;
use domain::page::{Order, Page, Position, Slice};

/// An association as stored.
#[derive(Clone, Debug)]
pub struct AssociationRow {
    /// Internal id.
    pub id: i64,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// Name.
    pub name: String,
    /// Name, normalised.
    pub name_key: String,
    /// What its members do.
    pub trade: String,
    /// Province.
    pub province_id: i16,
}

in_order!(AssociationRow { id, registered_at, name, name_key, trade, province_id });

const COLUMNS: &str = "a.id, a.registered_at, a.name, a.name_key, a.trade, a.province_id";
const ORDER: OrderColumns = OrderColumns { id: "a.id", name: "a.name_key" };

impl AssociationRow {
    /// The position in a list with the order of `page`.
    pub fn position(&self, page: &Page) -> Position {
        match page.order {
            Order::Id => Position::of_id(self.id),
            _ => Position { key: self.name_key.clone(), id: self.id },
        }
    }
}

/// Conditions on associations; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AssociationFilter {
    /// It is in this province.
    pub province: Option<i16>,
    /// Its name contains words that begin with each of these.
    pub words: Vec<String>,
}

/// Returns the associations of some ids.
pub async fn by_ids(session: &Session, ids: &[i64]) -> Result<HashMap<i64, AssociationRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS} from association a where "));
    push_ids(&mut sql, "a.id", ids);
    let rows: Vec<AssociationRow> = session.fetch(&mut sql).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Does an association with this id exist?
pub async fn exists(conn: &mut PgConnection, id: i64) -> Result<bool, StoreError> {
    let sql = "select exists (select from association where id = $1)";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(conn).await?)
}

/// Returns a page of associations.
pub async fn list(
    session: &Session,
    filter: &AssociationFilter,
    page: &Page,
) -> Result<Slice<AssociationRow>, StoreError> {
    let mut sql = QueryBuilder::new(format!("select {COLUMNS}"));
    push_source(&mut sql, filter, false);
    push_page(&mut sql, page, ORDER);
    Ok(page.cut(session.fetch(&mut sql).await?))
}

/// Returns the same page of associations of several provinces, in one statement.
pub async fn list_of_provinces(
    session: &Session,
    provinces: &[i64],
    filter: &AssociationFilter,
    page: &Page,
) -> Result<HashMap<i64, Slice<AssociationRow>>, StoreError> {
    page::list_of(session, provinces, (page, ORDER), |sql| {
        sql.push(COLUMNS);
        push_source(sql, filter, true);
    })
    .await
}

/// Counts associations.
pub async fn count(session: &Session, filter: &AssociationFilter) -> Result<i64, StoreError> {
    let mut sql = QueryBuilder::new("select count(*)");
    push_source(&mut sql, filter, false);
    Ok(sql.build_query_scalar().fetch_one(session).await?)
}

/// Counts the associations of several provinces.
pub async fn count_of_provinces(
    session: &Session,
    provinces: &[i64],
    filter: &AssociationFilter,
) -> Result<HashMap<i64, i64>, StoreError> {
    page::count_of(session, provinces, "count(*)", |sql| push_source(sql, filter, true)).await
}

fn push_source(sql: &mut QueryBuilder<sqlx::Postgres>, filter: &AssociationFilter, of_parent: bool) {
    sql.push(" from association a where true");
    if of_parent {
        sql.push(" and a.province_id = k.parent::smallint");
    }
    if let Some(province) = filter.province {
        sql.push(" and a.province_id = ").push_bind(province);
    }
    push_words(sql, "a.name_key", &filter.words);
}

/// Inserts an association. Returns `None` if its name is taken in the province.
pub async fn insert(
    conn: &mut PgConnection,
    actor: &Actor,
    new: &NewAssociation,
) -> Result<Option<i64>, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into association (name, name_key, trade, province_id, registered_by)
         values ($1, $2, $3, $4, $5) on conflict do nothing returning id",
        new.name,
        new.name_key,
        new.trade,
        new.province,
        actor.client
    )
    .fetch_optional(conn)
    .await?;
    Ok(id)
}
