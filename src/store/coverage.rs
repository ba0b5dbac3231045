//! Coverage: counts of people in a part of the country, now or as of a past day, from the maintained counters.
//!
//! A past day is the current count, less the changes of later months, less the changes of the rest of its month. Each part
//! of a statement carries the scope of the actor; row security enforces it again. Actors who may see the whole country read
//! the current counters from [memory](Country).

mod country;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use sqlx::{FromRow, Postgres, QueryBuilder};

use self::country::Base;
pub use self::country::Country;
use super::count::StatusCounts;
use super::error::StoreError;
use super::page::push_any;
use super::reference::Reference;
use super::session::Session;
use domain::actor::{Actor, Right};
use domain::channel::ChannelKind;
use domain::coverage::MonthChanges;
use domain::day::first_of_next_month;
use domain::standing::Standing;
use domain::vocabulary::WorkerGroup;

/// A part of the country.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// People who live in these provinces. Empty: all.
    pub provinces: Vec<i16>,
    /// People whose first enrollment these channels made. `None`: all.
    pub channels: Option<Vec<i64>>,
    /// People whose first enrollment channels of these kinds made. Empty: all.
    pub kinds: Vec<ChannelKind>,
}

impl Part {
    /// Does it hold the people of a province whom channels of this kind enrolled, if it names no channels?
    fn has(&self, province: i16, kind: ChannelKind) -> bool {
        (self.provinces.is_empty() || self.provinces.contains(&province))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// Numbers of people by standing. A standing may occur several times.
pub type People = Vec<(Standing, i64)>;

/// The number of people of one province, kind of channel and standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Province of residence.
    pub province: i16,
    /// Kind of the channel of the first enrollment.
    pub kind: ChannelKind,
    /// Their standing.
    pub standing: Standing,
    /// How many. Negative where a past day is derived from later changes.
    pub persons: i64,
}

/// The cells of a part of the country. Each count is a sum over cells.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The base in memory, and the part of it that counts.
    base: Option<(Arc<Base>, Arc<Part>)>,
    /// What counts besides.
    cells: Arc<[Cell]>,
}

impl Figures {
    /// Counts people of some groups by their best status there, each person once.
    pub fn all(&self, groups: &[WorkerGroup]) -> StatusCounts {
        self.by(|_, _| (), groups).remove(&()).unwrap_or_default()
    }

    /// The same by province of residence.
    pub fn by_province(&self, groups: &[WorkerGroup]) -> BTreeMap<i16, StatusCounts> {
        self.by(|province, _| province, groups)
    }

    /// The same by kind of the channel of the first enrollment.
    pub fn by_kind(&self, groups: &[WorkerGroup]) -> BTreeMap<ChannelKind, StatusCounts> {
        self.by(|_, kind| kind, groups)
    }

    fn by<K: Ord>(
        &self,
        key: impl Fn(i16, ChannelKind) -> K,
        groups: &[WorkerGroup],
    ) -> BTreeMap<K, StatusCounts> {
        let mut counts: BTreeMap<K, StatusCounts> = BTreeMap::new();
        if let Some((base, part)) = &self.base {
            for (&(province, kind), &sum) in base.sums(groups).iter() {
                if part.has(province, kind) {
                    *counts.entry(key(province, kind)).or_default() += sum;
                }
            }
        }
        for cell in self.cells.iter() {
            if let Some(status) = cell.standing.among(groups) {
                counts.entry(key(cell.province, cell.kind)).or_default().add(status, cell.persons);
            }
        }
        counts
    }
}

/// Counts people of some groups by their best status there, each person once.
pub fn among<'a>(
    people: impl IntoIterator<Item = &'a (Standing, i64)>,
    groups: &[WorkerGroup],
) -> StatusCounts {
    let mut counts = StatusCounts::default();
    for (standing, persons) in people {
        if let Some(status) = standing.among(groups) {
            counts.add(status, *persons);
        }
    }
    counts
}

/// Returns the figures of a part of the country, now or as of the end of a past day, with one statement.
pub async fn figures(
    (country, reference): (&Country, &Reference),
    (session, actor): (&Session, &Actor),
    part: &Part,
    as_of: Option<NaiveDate>,
) -> Result<Figures, StoreError> {
    let sees_everything = session.reads_everything() && actor.scope.is_everything();
    let is_in_memory =
        sees_everything && actor.may(Right::ReadCoverage) && part.channels.is_none() && as_of.is_none();
    if is_in_memory && let Some(figures) = country.figures(session, reference, part).await? {
        return Ok(figures);
    }
    Ok(Figures { base: None, cells: read_cells(session, actor, part, as_of).await?.into() })
}

/// Reads the cells of a part of the country, now or as of the end of a past day, in one statement.
///
/// It returns one row of arrays for each kind of channel: grouping thousands of cells again would cost the database more
/// than reading them.
async fn read_cells(
    session: &Session,
    actor: &Actor,
    part: &Part,
    as_of: Option<NaiveDate>,
) -> Result<Vec<Cell>, StoreError> {
    let source = Source::of(actor, part);
    let columns = format!("f.province_id, {} as kind, f.standing", source.kind);
    let mut sql = QueryBuilder::new(
        "select kind, array_agg(province_id) as provinces, array_agg(standing) as standings, \
         array_agg(persons) as persons from (",
    );
    if as_of.is_some() {
        sql.push("select province_id, kind, standing, sum(persons)::bigint as persons from (");
    }
    source.push(&mut sql, &columns, "f.persons", Table::Now);
    sql.push(" union all ");
    source.push(&mut sql, "f.province_id, c.kind, f.standing", "f.persons::bigint", Table::Deltas);
    if let Some(day) = as_of {
        let next = first_of_next_month(day);
        sql.push(" and f.effective_on <= ").push_bind(day).push(" union all ");
        source.push(&mut sql, &columns, "-f.persons", Table::Months);
        sql.push(" and f.month >= ").push_bind(next).push(" union all ");
        source.push(&mut sql, &columns, "-f.persons", Table::Days);
        sql.push(" and f.effective_on > ").push_bind(day).push(" and f.effective_on < ").push_bind(next);
        sql.push(") f group by 1, 2, 3 having sum(persons) <> 0");
    }
    sql.push(") f group by kind");
    let rows: Vec<CellsOfKind> = sql.build_query_as().fetch_all(session).await?;
    let cells = rows.into_iter().flat_map(|CellsOfKind { kind, provinces, standings, persons }| {
        provinces.into_iter().zip(standings).zip(persons).map(move |((province, bits), persons)| Cell {
            province,
            kind,
            standing: Standing::from_bits(bits),
            persons,
        })
    });
    Ok(cells.collect())
}

#[derive(FromRow)]
struct CellsOfKind {
    kind: ChannelKind,
    provinces: Vec<i16>,
    standings: Vec<i32>,
    persons: Vec<i64>,
}

/// Counts the people of some provinces by standing, in one statement.
pub async fn workforce(
    session: &Session,
    actor: &Actor,
    provinces: &[i16],
) -> Result<HashMap<i16, People>, StoreError> {
    let part = Part { provinces: provinces.to_vec(), ..Part::default() };
    let mut people: HashMap<i16, People> = HashMap::new();
    for cell in read_cells(session, actor, &part, None).await? {
        people.entry(cell.province).or_default().push((cell.standing, cell.persons));
    }
    Ok(people)
}

/// Reads the current count of a part of the country, the change of each month after `from`, and the change between `until`
/// and the end of its month, in one statement. Only standings that `counts` accepts are counted.
pub async fn changes(
    session: &Session,
    actor: &Actor,
    part: &Part,
    (from, until): (NaiveDate, NaiveDate),
    counts: impl Fn(Standing) -> bool + Send,
) -> Result<MonthChanges, StoreError> {
    let source = Source::of(actor, part);
    let (after_from, after_until) = (first_of_next_month(from), first_of_next_month(until));
    let mut sql = QueryBuilder::new("select what, month, standing, sum(persons)::bigint as persons from (");
    for table in [Table::Now, Table::Deltas] {
        source.push(&mut sql, "0 as what, null::date as month, f.standing", "f.persons", table);
        sql.push(" union all ");
    }
    source.push(&mut sql, "1, f.month, f.standing", "f.persons", Table::Months);
    sql.push(" and f.month >= ").push_bind(after_from).push(" union all ");
    source.push(
        &mut sql,
        "1, date_trunc('month', f.effective_on)::date, f.standing",
        "f.persons",
        Table::Deltas,
    );
    sql.push(" and f.effective_on >= ").push_bind(after_from);
    for table in [Table::Days, Table::Deltas] {
        sql.push(" union all ");
        source.push(&mut sql, "2, null::date, f.standing", "f.persons", table);
        sql.push(" and f.effective_on > ")
            .push_bind(until)
            .push(" and f.effective_on < ")
            .push_bind(after_until);
    }
    sql.push(") f group by 1, 2, 3 having sum(persons) <> 0");
    let rows: Vec<(i32, Option<NaiveDate>, i32, i64)> = sql.build_query_as().fetch_all(session).await?;
    let mut changes = MonthChanges::default();
    for (what, month, standing, persons) in rows {
        if counts(Standing::from_bits(standing)) {
            match (what, month) {
                (0, _) => changes.now += persons,
                (1, Some(month)) => *changes.months.entry(month).or_default() += persons,
                _ => changes.tail += persons,
            }
        }
    }
    Ok(changes)
}

/// The tables of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// The current count.
    Now,
    /// The change of each day.
    Days,
    /// The change of each month.
    Months,
    /// What is not folded yet.
    Deltas,
}

/// The tables that a part is read from: by kind of channel, which are smaller, unless channels are named.
struct Source<'a> {
    actor: &'a Actor,
    part: &'a Part,
    by_channel: bool,
    /// The column with the kind of the channel.
    kind: &'static str,
}

impl<'a> Source<'a> {
    fn of(actor: &'a Actor, part: &'a Part) -> Self {
        let by_channel = part.channels.is_some() || !actor.scope.channels.is_empty();
        Self { actor, part, by_channel, kind: if by_channel { "c.kind" } else { "f.channel_kind" } }
    }

    /// Appends a selection with the conditions of the part and the scope. The caller may add more conditions.
    fn push(&self, sql: &mut QueryBuilder<Postgres>, columns: &str, persons: &str, table: Table) {
        let Self { actor, part, by_channel, kind } = *self;
        let name = match (table, by_channel) {
            (Table::Now, false) => "figure f",
            (Table::Days, false) => "figure_day f",
            (Table::Months, false) => "figure_month f",
            (Table::Now, true) => "channel_figure f join channel c on c.id = f.channel_id",
            (Table::Days, true) => "channel_figure_day f join channel c on c.id = f.channel_id",
            (Table::Months, true) => "channel_figure_month f join channel c on c.id = f.channel_id",
            (Table::Deltas, _) => "unfolded_delta f join channel c on c.id = f.channel_id",
        };
        sql.push(format!("select {columns}, {persons} as persons from {name} where true"));
        let kind = if table == Table::Deltas {
            sql.push(" and f.standing is not null");
            "c.kind"
        } else {
            kind
        };
        push_any(sql, "f.province_id", &part.provinces);
        push_any(sql, kind, &part.kinds);
        if let Some(channels) = &part.channels {
            sql.push(" and f.channel_id = any(").push_bind(channels.clone()).push(")");
        }
        let scope = &actor.scope;
        push_any(sql, "f.province_id", &scope.provinces);
        push_any(sql, "f.channel_id", &scope.channels);
        // Counters of employers and associations have no provinces.
        if !actor.may(Right::ReadCoverage) || scope.employer.is_some() || scope.association.is_some() {
            sql.push(" and false");
        }
    }
}
