//! The common part of all actions that end enrollments: finding and locking people, updating rows and histories.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::changing::History;
use super::terms::out_of_scope;
use crate::store::enrollment::{EndRow, EnrollmentRow};
use crate::store::event::NewEvent;
use crate::store::participant::{self, Person};
use crate::store::{Database, StoreError, enrollment};
use domain::actor::{Actor, Role};
use domain::enrollment::EndReason;
use domain::event::EventKind;
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;

/// Finds an enrollment that the actor may see.
pub(super) async fn find_enrollment(
    database: &Database,
    actor: &Actor,
    id: (i64, i64),
) -> Result<Result<EnrollmentRow, Problem>, StoreError> {
    let found = enrollment::by_ids(&database.reading(actor), actor, &[id]).await?.remove(&id);
    Ok(found.ok_or_else(|| not_found("enrollmentId", "No enrollment that you may see has this id.")))
}

/// Returns the problem of a partner that would change an enrollment with another employer or association than its own.
pub(super) fn of_another_payer(actor: &Actor, row: &EnrollmentRow) -> Option<Problem> {
    let (employer, association) = (actor.scope.employer, actor.scope.association);
    let is_own = (employer.is_some() && employer == row.employer_id)
        || (association.is_some() && association == row.association_id);
    (actor.role == Role::Partner && !is_own)
        .then(|| out_of_scope("enrollmentId", "the enrollments with its own employer or association"))
}

/// Returns the problem of an id without a record that the actor may see.
pub(super) fn not_found(field: &str, message: &str) -> Problem {
    Problem::error(ProblemCode::NotFound, field, message)
}

/// Locks a person who still lives in the actor's scope. The person may have moved since the look-up.
pub(super) async fn lock_one(
    conn: &mut PgConnection,
    actor: &Actor,
    id: i64,
) -> Result<Option<Person>, StoreError> {
    let provinces = &actor.scope.provinces;
    let person = participant::lock(conn, &[id]).await?.remove(&id);
    Ok(person.filter(|person| provinces.is_empty() || provinces.contains(&person.residence.current())))
}

/// An enrollment to be ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// The person.
    pub participant: i64,
    /// The enrollment.
    pub enrollment: i64,
    /// The day of the end. The enrollment ends later if it cannot end that early.
    pub on: NaiveDate,
    /// The reason.
    pub reason: EndReason,
}

/// The actor, the rules and the day of an end.
#[derive(Clone, Copy)]
pub(super) struct EndContext<'a> {
    pub actor: &'a Actor,
    pub rules: &'a Rulebook,
    pub today: NaiveDate,
    /// The channel of the request.
    pub channel: Option<i64>,
}

/// Ends enrollments of locked people: in `people`, in the rows and in the histories. The caller then calls
/// [`write_consequences`](super::changing::write_consequences).
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
        ends.push(EndRow { participant_id, enrollment_id, ends_on, reason });
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
