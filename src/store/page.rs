//! The one way in which lists are cut into pages: conditions on the order key, an order, a limit.

use sqlx::{Postgres, QueryBuilder};

use domain::page::{Direction, Order, Page};

/// Column names of a list's order.
#[derive(Clone, Copy, Debug)]
pub struct OrderColumns {
    /// Decides between equal keys, and is the whole order of [`Order::Id`].
    pub id: &'static str,
    /// The text that [`Order::Name`] orders by.
    pub name: &'static str,
}

/// Appends to a statement that has a `where` already: only rows behind and ahead of the cursors, in the order of the
/// page, one more than it holds, so that the page knows whether there is a next one.
pub fn push_page(sql: &mut QueryBuilder<Postgres>, page: &Page, columns: OrderColumns) {
    let (behind, ahead) = match page.direction {
        Direction::Ascending => (" > ", " < "),
        Direction::Descending => (" < ", " > "),
    };
    for (position, comparison) in [(&page.after, behind), (&page.before, ahead)] {
        let Some(position) = position else { continue };
        sql.push(" and ");
        match page.order {
            Order::Id => {
                sql.push(columns.id).push(comparison).push_bind(position.id);
            }
            Order::Name | Order::Key | Order::Day => {
                sql.push("(").push(columns.name).push(", ").push(columns.id).push(")").push(comparison);
                sql.push("(").push_bind(position.key.clone()).push(", ").push_bind(position.id).push(")");
            }
        }
    }
    let direction = if page.fetch_descending() { " desc" } else { "" };
    sql.push(" order by ");
    if page.order != Order::Id {
        sql.push(columns.name).push(direction).push(", ");
    }
    sql.push(columns.id).push(direction);
    // A number and not a parameter: not knowing it the planner expects a tenth of the list, and plans each page anew.
    sql.push(format!(" limit {}", page.size + 1));
}

/// Appends `column = id`, or `column = any(ids)` where there are several. Of an array that it does not know the planner
/// expects ten; where there is one it would plan the statement anew each time, which takes longer than running it.
pub fn push_ids(sql: &mut QueryBuilder<Postgres>, column: &'static str, ids: &[i64]) {
    match *ids {
        [id] => sql.push(column).push(" = ").push_bind(id),
        _ => sql.push(column).push(" = any(").push_bind(ids.to_vec()).push(")"),
    };
}

/// A text search for all these words, or their beginnings: `siti rah` finds Rahayu, Siti.
pub fn words_query(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}:*")).collect::<Vec<_>>().join(" & ")
}

/// Appends a condition that all words, or their beginnings, stand in a text.
pub fn push_words(sql: &mut QueryBuilder<Postgres>, text: &'static str, words: &[String]) {
    if !words.is_empty() {
        sql.push(" and to_tsvector('simple', ").push(text).push(") @@ to_tsquery('simple', ");
        sql.push_bind(words_query(words)).push(")");
    }
}

/// Appends `and column = any(values)` unless there are no values.
pub fn push_any<T>(sql: &mut QueryBuilder<Postgres>, column: &'static str, values: &[T])
where
    T: Clone + Send + 'static,
    Vec<T>: sqlx::Type<Postgres> + for<'q> sqlx::Encode<'q, Postgres>,
{
    if !values.is_empty() {
        sql.push(" and ").push(column).push(" = any(").push_bind(values.to_vec()).push(")");
    }
}
