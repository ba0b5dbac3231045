//! A person with all enrollments as of a past day, and as it was known on a day, in one statement.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use super::statement::{own, push_columns, push_scope};
use super::{ParticipantColumns, ParticipantKey, ParticipantRow};
use crate::store::enrollment::{self, EnrollmentRow};
use crate::store::error::StoreError;
use crate::store::event::partition::DetachedEvents;
use crate::store::event::{self, StoredEvent};
use crate::store::session::Session;
use domain::actor::Actor;
use domain::correction::CorrectedField;
use domain::count::{Counted, HeldEnrollment};
use domain::history::Incomplete;
use domain::participant::Sex;
use domain::past::{DetailedEvent, Knowledge, PersonOn};
use domain::residence::Residence;
use domain::rule::Rulebook;
use domain::timeline::Timeline;
use domain::wage::WageHistory;

/// The day as of which a person is read.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    /// The day.
    pub day: NaiveDate,
    /// What is known; `None`: what is known now.
    pub known: Option<KnownOn>,
}

/// The day whose knowledge counts.
#[derive(Clone, Copy, Debug)]
pub struct KnownOn {
    /// The day.
    pub day: NaiveDate,
    /// Its last moment.
    pub until: DateTime<Utc>,
}

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
    /// The events do not tell what was known on the day.
    Unexplained(Incomplete),
    /// Events of the person may be among those that are detached. The newest of them was recorded at this moment.
    Detached(DateTime<Utc>),
}

#[derive(FromRow)]
struct StoredPerson {
    #[sqlx(flatten)]
    row: ParticipantRow,
    deceased_on: Option<NaiveDate>,
    former_provinces: Option<Vec<i16>>,
    moved_on: Option<Vec<NaiveDate>>,
    enrollments: Json<Vec<StoredEnrollment>>,
    events: Json<Vec<StoredEvent>>,
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
    as_of: AsOf,
    (rules, detached): (&Rulebook, &DetachedEvents),
) -> Result<Option<Visible>, StoreError> {
    let mut sql = QueryBuilder::new("select ");
    push_columns(&mut sql, actor, ParticipantColumns::all());
    sql.push(", p.deceased_on, p.former_provinces, p.moved_on, ");
    enrollment::push_all_of_person(&mut sql, actor);
    sql.push(" as enrollments, ");
    match as_of.known {
        Some(_) => event::push_all_of_person(&mut sql, actor),
        None => _ = sql.push("'[]'::jsonb"),
    }
    sql.push(" as events");
    key.push_source(&mut sql);
    push_scope(&mut sql, actor);
    let stored: Option<StoredPerson> = sql.build_query_as().fetch_optional(session).await?;
    session.shows(stored.iter().map(|stored| stored.row.id));
    Ok(stored.map(|stored| {
        // What was known follows from all events of the person.
        if let (Some(_), Some(until)) = (as_of.known, detached.of_person(*stored.row.registered_at.get())) {
            return Visible::Detached(until);
        }
        match stored.on(actor, as_of, rules) {
            Ok(Some(person)) => Visible::Registered(Box::new(person)),
            Ok(None) => Visible::NotYet,
            Err(incomplete) => Visible::Unexplained(incomplete),
        }
    }))
}

impl StoredPerson {
    fn on(self, actor: &Actor, as_of: AsOf, rules: &Rulebook) -> Result<Option<PastPerson>, Incomplete> {
        let Self { mut row, deceased_on, former_provinces, moved_on, enrollments, events } = self;
        let (Json(stored), Json(events)) = (enrollments, events);
        // Who sees a part of the enrollments learns of a death by their ends alone.
        let channels = &actor.scope.channels;
        let sees_all =
            own(actor).is_none() && (channels.is_empty() || channels.contains(row.channel_id.get()));
        let mut deceased_on = deceased_on.filter(|_| sees_all);
        let mut residence =
            Residence::from_columns(*row.province_id.get(), former_provinces.as_deref(), moved_on.as_deref());
        let mut held: BTreeMap<i64, HeldEnrollment> =
            stored.iter().map(|enrollment| (enrollment.row.id, enrollment.held())).collect();
        let detailed: Vec<DetailedEvent> = events.iter().map(DetailedEvent::from).collect();
        let knowledge = as_of.known.map(|known| Knowledge { events: &detailed, until: known.until });
        if let (Some(knowledge), Some(known)) = (knowledge, as_of.known) {
            let state = knowledge.state(&held, deceased_on, known.day, rules)?;
            (held, deceased_on) = (state.enrollments, state.deceased_on);
            residence = knowledge.residence(&residence);
            uncorrect(&mut row, knowledge, &events);
        }
        let channel = *row.channel_id.get();
        let counted = Counted { residence, channel, deceased_on, held: held.values().collect() };
        let Some(person) = PersonOn::of(&counted, &held, as_of.day, rules) else { return Ok(None) };
        (row.status, row.province_id) = (person.status.into(), person.province.into());
        (row.employer_id, row.association_id) = (person.employer.into(), person.association.into());
        let on = |StoredEnrollment { mut row, .. }: StoredEnrollment| {
            let on = person.enrollments.get(&row.id)?;
            (row.status, row.paid_through) = (on.status, on.paid_through);
            (row.ends_on, row.end_reason) = (on.ends_on, on.end_reason);
            if let Some(knowledge) = knowledge {
                let form = WageHistory::new(row.monthly_wage, (row.starts_on, row.ends_on));
                let (days, wages) = knowledge.wages(row.id, form).columns();
                (row.wages_from, row.wages) = (Some(days), Some(wages));
            }
            Some(row)
        };
        Ok(Some(PastPerson { row, enrollments: stored.into_iter().filter_map(on).collect() }))
    }
}

/// Gives a person the values that were corrected later.
fn uncorrect(row: &mut ParticipantRow, knowledge: Knowledge<'_>, events: &[StoredEvent]) {
    let before = |field| knowledge.corrected_later(field).and_then(|(_, before)| before);
    if let Some(name) = before(CorrectedField::FullName) {
        row.full_name = name.to_owned().into();
    }
    if let Some(day) = before(CorrectedField::BirthDate).and_then(|day| day.parse::<NaiveDate>().ok()) {
        row.birth_date = day.into();
    }
    if let Some(sex) = before(CorrectedField::Sex).and_then(|sex| sex.parse::<Sex>().ok()) {
        row.sex = sex.into();
    }
    if let Some((corrected, _)) = knowledge.corrected_later(CorrectedField::NationalId) {
        let event = events.iter().find(|event| event.id == corrected.id);
        row.national_id = event.and_then(|event| event.number.clone()).into();
    }
}
