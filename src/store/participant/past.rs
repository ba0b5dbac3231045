//! A person with all enrollments as of a past day, in one statement.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use super::statement::{own, push_columns, push_scope};
use super::{ParticipantKey, ParticipantRow};
use crate::store::enrollment::{self, EnrollmentRow};
use crate::store::error::StoreError;
use crate::store::session::Session;
use domain::actor::Actor;
use domain::count::{Counted, HeldEnrollment};
use domain::past::PersonOn;
use domain::residence::Residence;
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// A person as of a day.
pub struct PastPerson {
    /// The person, with status, province and payers of that day.
    pub row: ParticipantRow,
    /// The enrollments that counted by then, the oldest first, with status, end and last paid day of that day.
    pub enrollments: Vec<EnrollmentRow>,
}

domain::redacted_debug!(PastPerson);

/// A person who is visible to the actor now.
#[derive(Debug)]
pub enum Visible {
    /// The person as of the day.
    Registered(Box<PastPerson>),
    /// The person was not registered yet.
    NotYet,
}

#[derive(FromRow)]
struct StoredPerson {
    #[sqlx(flatten)]
    row: ParticipantRow,
    deceased_on: Option<NaiveDate>,
    former_provinces: Option<Vec<i16>>,
    moved_on: Option<Vec<NaiveDate>>,
    enrollments: Json<Vec<StoredEnrollment>>,
}

#[derive(Deserialize)]
struct StoredEnrollment {
    #[serde(flatten)]
    row: EnrollmentRow,
    counts_from: NaiveDate,
    paid: Option<Vec<NaiveDate>>,
}

impl StoredEnrollment {
    fn held(&self) -> HeldEnrollment {
        let row = &self.row;
        let days = (self.counts_from, row.starts_on, row.ends_on);
        HeldEnrollment {
            segment: row.segment,
            civil_servant: row.civil_servant,
            employer: row.employer_id,
            association: row.association_id,
            end_reason: row.end_reason,
            timeline: Timeline::from_columns(days, self.paid.as_deref(), row.status),
        }
    }
}

/// Returns a person as of a day, as far as the actor sees the person and the enrollments now; `None` if nobody whom the
/// actor sees has this key.
pub async fn find_on(
    session: &Session,
    actor: &Actor,
    key: ParticipantKey<'_>,
    day: NaiveDate,
    rules: &Rulebook,
) -> Result<Option<Visible>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    push_columns(&mut sql, actor);
    sql.push(", p.deceased_on, p.former_provinces, p.moved_on, ");
    enrollment::push_all_of_person(&mut sql, actor);
    sql.push(" as enrollments");
    key.push_source(&mut sql);
    push_scope(&mut sql, actor);
    let stored: Option<StoredPerson> = sql.build_query_as().fetch_optional(session).await?;
    session.shows(stored.iter().map(|stored| stored.row.id));
    Ok(stored.map(|stored| match stored.on(actor, day, rules) {
        Some(person) => Visible::Registered(Box::new(person)),
        None => Visible::NotYet,
    }))
}

impl StoredPerson {
    fn on(self, actor: &Actor, day: NaiveDate, rules: &Rulebook) -> Option<PastPerson> {
        let Self { mut row, deceased_on, former_provinces, moved_on, enrollments: Json(stored) } = self;
        let held: BTreeMap<i64, HeldEnrollment> =
            stored.iter().map(|enrollment| (enrollment.row.id, enrollment.held())).collect();
        // Who sees a part of the enrollments learns of a death by their ends alone.
        let channels = &actor.scope.channels;
        let sees_all = own(actor).is_none() && (channels.is_empty() || channels.contains(&row.channel_id));
        let counted = Counted {
            residence: Residence::from_columns(
                row.province_id,
                former_provinces.as_deref(),
                moved_on.as_deref(),
            ),
            channel: row.channel_id,
            deceased_on: deceased_on.filter(|_| sees_all),
            held: held.values().collect(),
        };
        let person = PersonOn::of(&counted, &held, day, rules)?;
        (row.status, row.province_id) = (person.status, person.province);
        (row.employer_id, row.association_id) = (person.employer, person.association);
        let on = |StoredEnrollment { mut row, .. }: StoredEnrollment| {
            let on = person.enrollments.get(&row.id)?;
            (row.status, row.paid_through) = (on.status, on.paid_through);
            (row.ends_on, row.end_reason) = (on.ends_on, on.end_reason);
            Some(row)
        };
        Some(PastPerson { row, enrollments: stored.into_iter().filter_map(on).collect() })
    }
}
