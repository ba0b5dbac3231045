//! All enrollments that an actor may see, for exports.

use chrono::NaiveDate;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder};

use super::{COLUMNS, EnrollmentFilter, EnrollmentRow, push_any, push_visible};
use domain::actor::Actor;

/// Conditions on the enrollments of all people; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrollmentSelection {
    /// Conditions that also hold for the list of one person.
    pub filter: EnrollmentFilter,
    /// The person lives in this province.
    pub province: Option<i16>,
    /// It is at this employer.
    pub employer: Option<i64>,
    /// It is through this association.
    pub association: Option<i64>,
    /// One of these channels made it.
    pub channels: Vec<i64>,
}

/// An enrollment with what is known of its payer.
#[derive(Clone, Debug, FromRow)]
pub struct ExportedEnrollment {
    /// The enrollment.
    #[sqlx(flatten)]
    pub row: EnrollmentRow,
    /// Name of the employer or association.
    pub payer: Option<String>,
    /// Risk class of the employer today.
    risk_class: Option<i16>,
    /// Its risk classes, each with the day from which it holds; `None` if it never changed.
    risk_classes: Option<Json<Vec<DatedClass>>>,
}

/// A risk class, and the day from which it holds; `None` if it held from the beginning.
type DatedClass = (Option<NaiveDate>, i16);

impl ExportedEnrollment {
    /// Returns the risk class of the employer on a day.
    pub fn risk_class_on(&self, day: NaiveDate) -> Option<i16> {
        let classes = self.risk_classes.iter().flat_map(|classes| &classes.0);
        let of_day = classes.take_while(|(from, _)| from.is_none_or(|from| from <= day)).last();
        of_day.map(|&(_, class)| class).or(self.risk_class)
    }
}

/// Appends the statement that counts enrollments.
pub fn push_count(sql: &mut QueryBuilder<Postgres>, actor: &Actor, selection: &EnrollmentSelection) {
    sql.push("select count(*) from enrollment e join participant p on p.id = e.participant_id where true");
    push_conditions(sql, actor, selection);
}

/// Appends the statement that counts the programmes of enrollments: the most contributions that they can have.
pub fn push_count_of_programmes(
    sql: &mut QueryBuilder<Postgres>,
    actor: &Actor,
    selection: &EnrollmentSelection,
) {
    sql.push(
        "select coalesce(sum(cardinality(e.programmes)), 0)::bigint \
         from enrollment e join participant p on p.id = e.participant_id where true",
    );
    push_conditions(sql, actor, selection);
}

/// Employers with their risk classes. A subquery of local tables: a worker of a cluster cannot look them up for an enrollment.
const EMPLOYERS: &str = "select id, name, risk_class, \
    (select jsonb_agg(jsonb_build_array(v.valid_from, v.risk_class) order by v.valid_from nulls first) \
     from employer_version v where v.employer_id = employer.id) as risk_classes from employer";

/// Appends the statement that reads enrollments, person by person in the order of registration.
pub fn push_all(sql: &mut QueryBuilder<Postgres>, actor: &Actor, selection: &EnrollmentSelection) {
    sql.push(format!(
        "select {COLUMNS}, coalesce(m.name, a.name) as payer, m.risk_class, m.risk_classes \
         from enrollment e join participant p on p.id = e.participant_id left join ({EMPLOYERS}) m on m.id = e.employer_id \
         left join association a on a.id = e.association_id where true"
    ));
    push_conditions(sql, actor, selection);
    sql.push(" order by e.participant_id, e.id");
}

fn push_conditions(sql: &mut QueryBuilder<Postgres>, actor: &Actor, selection: &EnrollmentSelection) {
    push_visible(sql, actor);
    push_any(sql, "e.status", &selection.filter.statuses);
    push_any(sql, "e.segment", &selection.filter.segments);
    push_any(sql, "e.channel_id", &selection.channels);
    if let Some(province) = selection.province {
        sql.push(" and p.province_id = ").push_bind(province);
    }
    for (column, id) in [("e.employer_id", selection.employer), ("e.association_id", selection.association)] {
        if let Some(id) = id {
            sql.push(" and ").push(column).push(" = ").push_bind(id);
        }
    }
}
