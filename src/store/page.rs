//! Keyset pagination, for all lists: conditions on the order key, an order, a limit.

use std::collections::HashMap;

use sqlx::postgres::PgArguments;
use sqlx::{Execute as _, Postgres, QueryBuilder};

use super::columns::{Columns, InOrder};
use super::error::StoreError;
use super::session::Session;
use domain::page::{Direction, Order, Page, Slice};

/// The columns by which a list is ordered.
#[derive(Clone, Copy, Debug)]
pub struct OrderColumns {
    /// Decides between equal keys, and is the only column of [`Order::Id`].
    pub id: &'static str,
    /// The text that [`Order::Name`] orders by.
    pub name: &'static str,
}

/// Appends conditions, order and limit of a page to a statement with a `where`.
pub fn push_page(sql: &mut QueryBuilder<Postgres>, page: &Page, columns: OrderColumns) {
    push_position(sql, page, columns);
    // A literal and not a parameter: without its value the planner expects a tenth of the list, and plans each page again.
    sql.push(format!(" order by {} limit {}", order(page, columns), page.limit()));
}

/// Appends the conditions of a page.
fn push_position(sql: &mut QueryBuilder<Postgres>, page: &Page, columns: OrderColumns) {
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
            Order::Name | Order::Key | Order::Day | Order::People | Order::Gap => {
                sql.push("(").push(columns.name).push(", ").push(columns.id).push(")").push(comparison);
                sql.push("(").push_bind(position.key.clone()).push(", ").push_bind(position.id).push(")");
            }
        }
    }
}

fn order(page: &Page, columns: OrderColumns) -> String {
    let direction = if page.fetch_descending() { " desc" } else { "" };
    let OrderColumns { id, name } = columns;
    match page.order {
        Order::Id => format!("{id}{direction}"),
        _ => format!("{name}{direction}, {id}{direction}"),
    }
}

/// Reads the same page of the children of several parents in one statement. Each parent has a page, also an empty one.
///
/// `select` appends the columns, the source and the conditions of a child; the parent is `k.parent`.
pub(super) async fn list_of<T: InOrder>(
    session: &Session,
    parents: &[i64],
    (page, columns): (&Page, OrderColumns),
    select: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> Result<HashMap<i64, Slice<T>>, StoreError> {
    let mut sql = of_parents(session, "k.parent, q.*", parents, |sql| {
        select(sql);
        push_page(sql, page, columns);
    });
    let rows: Vec<Child<T>> = session.fetch(&mut sql).await?;
    Ok(cut(parents, page, rows.into_iter().map(|child| (child.parent, child.row))))
}

fn cut<T>(parents: &[i64], page: &Page, rows: impl Iterator<Item = (i64, T)>) -> HashMap<i64, Slice<T>> {
    let usual = rows.size_hint().0.div_ceil(parents.len().max(1));
    // The rows of a parent come together, so it is not looked up for each of them.
    let mut runs: Vec<(i64, Vec<T>)> = Vec::with_capacity(parents.len());
    for (parent, row) in rows {
        match runs.last_mut() {
            Some((last, run)) if *last == parent => run.push(row),
            _ => {
                let mut run = Vec::with_capacity(if runs.len() < parents.len() { usual } else { 1 });
                run.push(row);
                runs.push((parent, run));
            }
        }
    }
    let mut children: HashMap<i64, Vec<T>> = HashMap::with_capacity(parents.len());
    for (parent, run) in runs {
        match children.get_mut(&parent) {
            Some(rows) => rows.extend(run),
            None => drop(children.insert(parent, run)),
        }
    }
    let cut = |&parent: &i64| (parent, page.cut(children.remove(&parent).unwrap_or_default()));
    parents.iter().map(cut).collect()
}

/// Does the same for the children of people. `person` is the column that has the person.
///
/// On a cluster a worker numbers the children of each of its people, so there is one plan for all of them.
pub(super) async fn list_of_people<T: InOrder>(
    session: &Session,
    (people, person): (&[i64], &'static str),
    (page, columns): (&Page, OrderColumns),
    select: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> Result<HashMap<i64, Slice<T>>, StoreError> {
    if !session.is_distributed() {
        return list_of(session, people, (page, columns), select).await;
    }
    let (text, arguments) = about(person, people, |sql| {
        select(sql);
        push_position(sql, page, columns);
    });
    let (order, most) = (order(page, columns), page.limit());
    let sql = format!(
        "select q.* from (
             select {person} as parent, row_number() over (partition by {person} order by {order}) as place, {text}) q
         where q.place <= {most} order by q.parent, q.place"
    );
    let rows: Vec<Placed<T>> = session.fetch(&mut QueryBuilder::with_arguments(sql, arguments)).await?;
    Ok(cut(people, page, rows.into_iter().map(|placed| (placed.parent, placed.row))))
}

/// Counts the children of several people in one statement, as [`count_of`] does.
pub(super) async fn count_of_people(
    session: &Session,
    (people, person): (&[i64], &'static str),
    source: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> Result<HashMap<i64, i64>, StoreError> {
    if !session.is_distributed() {
        return count_of(session, people, "count(*)", source).await;
    }
    let (text, arguments) = about(person, people, source);
    let sql = format!("select {person} as parent, count(*) as n{text} group by 1");
    let mut sql: QueryBuilder<Postgres> = QueryBuilder::with_arguments(sql, arguments);
    let rows: Vec<(i64, i64)> = sql.build_query_as().fetch_all(session).await?;
    let mut counts: HashMap<i64, i64> = people.iter().map(|&id| (id, 0)).collect();
    counts.extend(rows);
    Ok(counts)
}

/// Returns what `select` appends, with a column in the place of the parent and with the condition that it is one of these people.
fn about(
    person: &str,
    people: &[i64],
    select: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> (String, PgArguments) {
    let mut sql = QueryBuilder::new("");
    select(&mut sql);
    sql.push(" and ").push(person).push(" = any(").push_bind(people.to_vec()).push(")");
    let text = sql.sql().as_str().replace("k.parent", person);
    (text, sql.build().take_arguments().ok().flatten().unwrap_or_default())
}

/// Counts the children of several parents in one statement. `count` is the aggregate; `source` appends where children
/// come from, as in `list_of`.
pub async fn count_of(
    session: &Session,
    parents: &[i64],
    count: &str,
    source: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut sql = of_parents(session, "k.parent, q.n", parents, |sql| {
        sql.push(count).push(" as n");
        source(sql);
    });
    let rows: Vec<(i64, i64)> = sql.build_query_as().fetch_all(session).await?;
    Ok(rows.into_iter().collect())
}

/// Makes a statement that selects something of each of several parents, as `q`. `select` appends what follows the word
/// `select`; the parent is `k.parent`.
pub fn of_parents(
    session: &Session,
    columns: &str,
    parents: &[i64],
    select: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> QueryBuilder<Postgres> {
    if session.is_distributed() && !parents.is_empty() {
        return of_each_parent(columns, parents, select);
    }
    let mut sql = QueryBuilder::new(format!("select {columns} from unnest("));
    sql.push_bind(parents.to_vec()).push("::bigint[]) as k(parent) cross join lateral (select ");
    select(&mut sql);
    sql.push(") q");
    sql
}

/// The same with a branch for each parent: the workers of a cluster run no lateral join with a limit.
fn of_each_parent(
    columns: &str,
    parents: &[i64],
    select: impl FnOnce(&mut QueryBuilder<Postgres>),
) -> QueryBuilder<Postgres> {
    let mut one = QueryBuilder::new("");
    select(&mut one);
    let text = one.sql().as_str().to_owned();
    let branch = |parent: &i64| {
        let parent = format!("{parent}::bigint");
        let named = columns.replacen("k.parent", &format!("{parent} as parent"), 1);
        format!("select {named} from (select {}) q", text.replace("k.parent", &parent))
    };
    let branches: Vec<String> = parents.iter().map(branch).collect();
    let arguments = one.build().take_arguments().ok().flatten().unwrap_or_default();
    QueryBuilder::with_arguments(branches.join(" union all "), arguments)
}

/// A row with the parent that it was selected for.
struct Child<T> {
    parent: i64,
    row: T,
}

impl<T: InOrder> InOrder for Child<T> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self { parent: columns.next("parent")?, row: T::read(columns)? })
    }
}

/// A row with its parent and its place among the rows of that.
struct Placed<T> {
    parent: i64,
    row: T,
}

impl<T: InOrder> InOrder for Placed<T> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error> {
        let parent = columns.next("parent")?;
        let _place: i64 = columns.next("place")?;
        Ok(Self { parent, row: T::read(columns)? })
    }
}

/// Appends `column = id`, or `column = any(ids)` for several. For an array parameter the planner expects ten values. If there
/// is one, it would plan the statement for each execution, which takes longer than running it.
pub fn push_ids(sql: &mut QueryBuilder<Postgres>, column: &'static str, ids: &[i64]) {
    match *ids {
        [id] => sql.push(column).push(" = ").push_bind(id),
        _ => sql.push(column).push(" = any(").push_bind(ids.to_vec()).push(")"),
    };
}

/// Returns a text search for words that begin with these: `siti rah` finds Rahayu, Siti.
pub fn words_query(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}:*")).collect::<Vec<_>>().join(" & ")
}

/// Appends a condition that a text contains words that begin with these.
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
