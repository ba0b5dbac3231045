//! The parts of statements on participants: source, scope, filter, visible columns.

use sqlx::{Postgres, QueryBuilder};

use super::ParticipantColumns;
use super::filter::{ORDER, ParticipantFilter, PeopleOf};
use crate::store::page::{push_any, push_words, words_query};
use domain::actor::{Actor, Right};
use domain::page::Order;

/// Returns the payer of a partner, as column and id. Such a partner sees only its own enrollments of a person.
pub(super) fn own(actor: &Actor) -> Option<(&'static str, i64)> {
    let scope = &actor.scope;
    let own = [("employer_id", scope.employer), ("association_id", scope.association)];
    own.into_iter().find_map(|(column, id)| Some((column, id?)))
}

/// Appends the id of a person and the columns that are asked for, restricted to what the actor may see.
pub(super) fn push_columns(sql: &mut QueryBuilder<Postgres>, actor: &Actor, columns: ParticipantColumns) {
    sql.push("p.id");
    let push = |sql: &mut QueryBuilder<Postgres>, group, text: &'static str| {
        if columns.contains(group) {
            sql.push(text);
        }
    };
    push(sql, ParticipantColumns::DETAILS, ", p.registered_at");
    push(sql, ParticipantColumns::PLACES, ", p.channel_id");
    if columns.contains(ParticipantColumns::PAYERS) {
        push_payers(sql, actor);
    }
    push(sql, ParticipantColumns::DETAILS, ", p.birth_date, p.sex");
    if columns.contains(ParticipantColumns::STATUS) {
        sql.push(", ");
        push_status(sql, actor);
        sql.push(" as status");
    }
    push(sql, ParticipantColumns::PLACES, ", p.province_id");
    push(sql, ParticipantColumns::NAME, ", p.full_name");
    push(sql, ParticipantColumns::NAME_KEY, ", p.name_key");
    push(sql, ParticipantColumns::NUMBERS, ", p.national_id, p.passport_number");
}

/// Appends employer and association of the newest open enrollment that the actor sees.
fn push_payers(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    match own(actor) {
        None if actor.scope.channels.is_empty() => {
            sql.push(", p.employer_id, p.association_id");
        }
        None => {
            for column in ["employer_id", "association_id"] {
                sql.push(", case when p.channel_id = any(").push_bind(actor.scope.channels.clone());
                sql.push(format!(
                    ") then p.{column} else (select s.{column} from enrollment s where s.participant_id = p.id"
                ));
                push_own(sql, actor, "s");
                sql.push(format!(" and s.ends_on is null order by s.id desc limit 1) end as {column}"));
            }
        }
        Some((own, id)) => {
            for column in ["employer_id", "association_id"] {
                if column == own {
                    sql.push(format!(
                        ", (select s.{column} from enrollment s where s.participant_id = p.id and s.{column} = "
                    ));
                    sql.push_bind(id).push(format!(" and s.ends_on is null limit 1) as {column}"));
                } else {
                    sql.push(format!(", null::bigint as {column}"));
                }
            }
        }
    }
}

/// Appends the best status of a person. For a partner or channel, it is the best of the enrollments that it sees.
pub(super) fn push_status(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    match own(actor) {
        None if actor.scope.channels.is_empty() => {
            sql.push("p.status");
        }
        None => {
            sql.push("case when p.channel_id = any(").push_bind(actor.scope.channels.clone());
            sql.push(
                ") then p.status else (select s.status::text::participant_status from enrollment s \
                 where s.participant_id = p.id",
            );
            push_own(sql, actor, "s");
            sql.push(BEST_FIRST).push(" end");
        }
        Some((column, id)) => push_status_within(sql, column, Some(id)),
    }
}

/// The end of a statement that returns the best status of some enrollments `s`.
const BEST_FIRST: &str =
    " order by array_position('{ACTIVE,REGISTERED,INACTIVE,ENDED}'::enrollment_status[], s.status) limit 1)";

/// Appends the best status of a person with a payer, or with `k.parent` if none is given.
pub(super) fn push_status_within(sql: &mut QueryBuilder<Postgres>, column: &'static str, id: Option<i64>) {
    sql.push(
        "(select s.status::text::participant_status from enrollment s where s.participant_id = p.id and s.",
    );
    sql.push(column).push(" = ");
    match id {
        Some(id) => sql.push_bind(id),
        None => sql.push("k.parent"),
    };
    sql.push(BEST_FIRST);
}

/// Restricts a statement that has a `where` to the participants `p` that an actor may see. A role without the
/// permission sees none.
pub fn push_scope(sql: &mut QueryBuilder<Postgres>, actor: &Actor) {
    if !actor.may(Right::ReadPeople) {
        sql.push(" and false");
    }
    push_territory(sql, actor, None);
}

/// Appends the scope of an actor, except for the part that `through` already restricts.
fn push_territory(sql: &mut QueryBuilder<Postgres>, actor: &Actor, through: Option<&Through>) {
    let scope = &actor.scope;
    push_any(sql, "p.province_id", &scope.provinces);
    if !scope.channels.is_empty() && !matches!(through, Some(Through::Channels(_))) {
        // The channel of the first enrollment is one of the channels of all enrollments.
        sql.push(
            " and exists (select from enrollment s where s.participant_id = p.id and s.channel_id = any(",
        );
        sql.push_bind(scope.channels.clone()).push("))");
    }
    let restricted = if through.is_some() { own(actor).map(|(column, _)| column) } else { None };
    for (column, id) in [("employer_id", scope.employer), ("association_id", scope.association)] {
        if let Some(id) = id.filter(|_| restricted != Some(column)) {
            sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.")
                .push(column);
            sql.push(" = ").push_bind(id).push(")");
        }
    }
}

/// Appends the condition that the actor may see an enrollment `alias` of a person `p`. A partner sees its own. A
/// channel sees those that it made, and all enrollments of a person whose first one it made.
pub(super) fn push_own(sql: &mut QueryBuilder<Postgres>, actor: &Actor, alias: &'static str) {
    let channels = &actor.scope.channels;
    if let Some((column, id)) = own(actor) {
        sql.push(format!(" and {alias}.{column} = ")).push_bind(id);
    }
    if !channels.is_empty() {
        sql.push(format!(" and ({alias}.channel_id = any(")).push_bind(channels.clone());
        sql.push(") or p.channel_id = any(").push_bind(channels.clone()).push("))");
    }
}

fn push_enrolled(sql: &mut QueryBuilder<Postgres>, actor: &Actor, column: &'static str, id: i64) {
    sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.").push(column);
    sql.push(" = ").push_bind(id);
    push_own(sql, actor, "s");
    sql.push(")");
}

/// Appends a condition on the words of a name. For province scopes the query uses the index through a function, because row
/// security keeps the planner from using it, and a province has millions of people. Other scopes are small.
fn push_names(sql: &mut QueryBuilder<Postgres>, actor: &Actor, words: &[String]) {
    if actor.scope.provinces.is_empty() || words.is_empty() {
        return push_words(sql, "p.name_key", words);
    }
    sql.push(" and p.id = any(array(select n from registry_people_by_words(to_tsquery('simple', ");
    sql.push_bind(words_query(words)).push(")) n))");
}

/// The enrollments through which the people of payers and channels are found. They are few, and the index (payer,
/// person) returns them in order. A person may be found twice.
enum Through {
    /// The enrollments with `k.parent` in this column.
    Parent(&'static str),
    /// The enrollments with one payer in this column.
    Payer(&'static str, i64),
    /// The enrollments that one of these channels made.
    Channels(Vec<i64>),
}

impl Through {
    fn of(actor: &Actor, parent: Option<PeopleOf>, filter: &ParticipantFilter) -> Option<Self> {
        match parent {
            Some(PeopleOf::Employer) => return Some(Self::Parent("employer_id")),
            Some(PeopleOf::Association) => return Some(Self::Parent("association_id")),
            _ => {}
        }
        let payers = [
            ("employer_id", filter.employer),
            ("association_id", filter.association),
            ("employer_id", actor.scope.employer),
            ("association_id", actor.scope.association),
        ];
        let payer = payers.into_iter().find_map(|(column, id)| Some(Self::Payer(column, id?)));
        let channels = &actor.scope.channels;
        payer.or_else(|| (!channels.is_empty()).then(|| Self::Channels(channels.clone())))
    }

    fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from enrollment e join participant p on p.id = e.participant_id where e.");
        match self {
            Self::Parent(column) => sql.push(column).push(" = k.parent"),
            Self::Payer(column, id) => sql.push(column).push(" = ").push_bind(*id),
            Self::Channels(ids) => sql.push("channel_id = any(").push_bind(ids.clone()).push(")"),
        };
    }
}

pub(super) fn count_people(
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
) -> &'static str {
    if Through::of(actor, parent, filter).is_some() { "count(distinct p.id)" } else { "count(*)" }
}

/// Returns a `distinct` in the order of the page, so that the index scan stops at the end of the page.
pub(super) fn distinct(
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
    order: Order,
) -> String {
    match order {
        _ if Through::of(actor, parent, filter).is_none() => String::new(),
        Order::Id => format!("distinct on ({}) ", ORDER.id),
        _ => format!("distinct on ({}, {}) ", ORDER.name, ORDER.id),
    }
}

/// Appends `from … where …` for the participants, or those of `k.parent`, that the actor may see and the filter
/// selects.
///
/// People who are found [through](Through) enrollments need a [`distinct`].
pub(super) fn push_source(
    sql: &mut QueryBuilder<Postgres>,
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
) {
    push_rows(sql, actor, parent, filter);
    if !actor.may(Right::ReadPeople) {
        sql.push(" and false");
    }
}

/// Appends the same as [`push_source`] for counts, which roles that see no people may read too.
pub(super) fn push_rows(
    sql: &mut QueryBuilder<Postgres>,
    actor: &Actor,
    parent: Option<PeopleOf>,
    filter: &ParticipantFilter,
) {
    let through = Through::of(actor, parent, filter);
    match &through {
        None => {
            sql.push(" from participant p where true");
        }
        Some(through) => through.push(sql),
    }
    match parent {
        Some(PeopleOf::Province) => sql.push(" and p.province_id = k.parent::smallint"),
        Some(PeopleOf::Channel) => sql.push(" and p.channel_id = k.parent"),
        _ => sql,
    };
    if through.is_some() {
        push_own(sql, actor, "e");
    }
    push_territory(sql, actor, through.as_ref());
    let restricted = if let Some(Through::Payer(column, id)) = through { Some((column, id)) } else { None };
    for (column, id) in [("employer_id", filter.employer), ("association_id", filter.association)] {
        if let Some(id) = id.filter(|&id| restricted != Some((column, id))) {
            push_enrolled(sql, actor, column, id);
        }
    }
    if let Some(province) = filter.province {
        sql.push(" and p.province_id = ").push_bind(province);
    }
    push_any(sql, "p.channel_id", &filter.channels);
    if !filter.statuses.is_empty() {
        sql.push(" and ");
        push_status(sql, actor);
        sql.push(" = any(").push_bind(filter.statuses.clone()).push(")");
    }
    if !filter.segments.is_empty() {
        sql.push(" and exists (select from enrollment s where s.participant_id = p.id and s.segment = any(");
        sql.push_bind(filter.segments.clone()).push(")");
        push_own(sql, actor, "s");
        sql.push(")");
    }
    push_names(sql, actor, &filter.words);
    if let Some(moment) = filter.registered_from {
        sql.push(" and p.registered_at >= ").push_bind(moment);
    }
    if let Some(moment) = filter.registered_before {
        sql.push(" and p.registered_at < ").push_bind(moment);
    }
}
