//! What all ends of enrollments have in common, by whatever they come: the rows, the histories, and finding and locking
//! whom they concern.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::changing::History;
use crate::store::enrollment::{End, EnrollmentRow};
use crate::store::event::NewEvent;
use crate::store::participant::{self, Person};
use crate::store::{Database, StoreError, enrollment};
use domain::actor::Actor;
use domain::enrollment::EndReason;
use domain::event::EventKind;
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;

/// An enrollment by person and id, if the actor may see it.
pub(super) async fn find_enrollment(
    database: &Database,
    actor: &Actor,
    id: (i64, i64),
) -> Result<Result<EnrollmentRow, Problem>, StoreError> {
    let found = enrollment::by_ids(&database.reading(actor), actor, &[id]).await?.remove(&id);
    Ok(found
        .ok_or_else(|| not_found("enrollmentId", "There is no enrollment with this id that you may see.")))
}

/// The problem of an id that leads to nobody whom the actor may see.
pub(super) fn not_found(field: &str, message: &str) -> Problem {
    Problem::error(ProblemCode::NotFound, field, message)
}

/// A person as it is now, locked, if it still lives where the actor sees people: it may have moved since it was looked up.
pub(super) async fn lock_one(
    conn: &mut PgConnection,
    actor: &Actor,
    id: i64,
) -> Result<Option<Person>, StoreError> {
    let provinces = &actor.scope.provinces;
    let person = participant::lock(conn, &[id]).await?.remove(&id);
    Ok(person.filter(|person| provinces.is_empty() || provinces.contains(&person.province_id)))
}

/// An enrollment that shall end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// The person.
    pub participant: i64,
    /// The enrollment.
    pub enrollment: i64,
    /// The day; a later one where the enrollment cannot end that early.
    pub on: NaiveDate,
    /// Why.
    pub reason: EndReason,
}

/// In whose name and by which rules something ends.
#[derive(Clone, Copy)]
pub(super) struct EndContext<'a> {
    pub actor: &'a Actor,
    pub rules: &'a Rulebook,
    pub today: NaiveDate,
    /// The channel that is told of it.
    pub channel: Option<i64>,
}

/// Ends enrollments of people who are locked: in `people`, in the rows and in their histories. What follows from it is
/// left to [`settle`](super::changing::settle).
pub(super) async fn end(
    conn: &mut PgConnection,
    context: EndContext<'_>,
    people: &mut HashMap<i64, Person>,
    endings: &[Ending],
) -> Result<(), StoreError> {
    let mut ends = Vec::new();
    for ending in endings {
        let held =
            people.get_mut(&ending.participant).and_then(|p| p.enrollments.get_mut(&ending.enrollment));
        let held = held.ok_or_else(|| StoreError::Fault("an enrollment to be ended is not locked".into()))?;
        let ends_on = held.timeline.end(ending.on, context.today, held.segment, context.rules);
        held.end_reason = Some(ending.reason);
        let (participant_id, enrollment_id, reason) = (ending.participant, ending.enrollment, ending.reason);
        ends.push(End { participant_id, enrollment_id, ends_on, reason });
    }
    enrollment::end_many(conn, &ends).await?;
    let mut history = History::default();
    for end in &ends {
        let is_transfer = end.reason == EndReason::Transferred;
        let event = NewEvent {
            participant_id: end.participant_id,
            enrollment_id: Some(end.enrollment_id),
            channel_id: context.channel,
            effective_on: end.ends_on,
        };
        history.add(if is_transfer { EventKind::Transferred } else { EventKind::Ended }, event);
    }
    history.write(conn, context.actor).await
}
