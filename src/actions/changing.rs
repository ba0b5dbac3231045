//! The common part of all changes of people. It updates the counters, and the columns of a person that are derived from
//! the enrollments.
//!
//! An action that changes an enrollment locks its people ([`lock`](crate::store::participant::lock)), keeps a copy, changes
//! the enrollments, and calls [`write_consequences`] with both states.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::event::{self, NewEvent};
use crate::store::participant::{self, Person, Summary};
use crate::store::{StoreError, count};
use domain::actor::Actor;
use domain::count::{Deltas, HeldEnrollment, add};
use domain::enrollment::EnrollmentStatus;
use domain::event::EventKind;
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// A changed person.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Internal id.
    pub participant: i64,
    /// The state before, or `None` for a new person.
    pub before: Option<Person>,
    /// The state after.
    pub after: Person,
}

/// Writes the consequences of changes of people: counter deltas, and the status and payers of each person.
pub(super) async fn write_consequences(
    conn: &mut PgConnection,
    rules: &Rulebook,
    changes: &[Change],
) -> Result<(), StoreError> {
    let (mut deltas, mut summaries) = (Deltas::new(), Vec::new());
    let mut changed = HashSet::with_capacity(changes.len());
    for Change { participant, before, after } in changes {
        // A person who occurs twice would be counted twice, because each change is compared with its own state before.
        if !changed.insert(participant) {
            return Err(StoreError::Fault("a person was changed twice in one step".into()));
        }
        add(&mut deltas, &after.counted(), 1, rules);
        if let Some(before) = before {
            add(&mut deltas, &before.counted(), -1, rules);
            let now = Summary::of(*participant, after);
            if now != Summary::of(*participant, before) {
                summaries.push(now);
            }
        }
    }
    participant::summarize_many(conn, &summaries).await?;
    count::append(conn, &deltas).await
}

/// Events for the histories of people, by kind.
#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<EventKind, Vec<NewEvent>>);

impl History {
    /// Adds an event.
    pub(super) fn add(&mut self, kind: EventKind, event: NewEvent) {
        self.0.entry(kind).or_default().push(event);
    }

    /// Adds the event of an enrollment that has lapsed or resumed. `event` makes it for a day. The day is found by
    /// comparing both timelines, because a gap that was closed is no longer in the new one.
    pub(super) fn add_change(
        &mut self,
        was: &Timeline,
        held: &HeldEnrollment,
        event: impl FnOnce(NaiveDate) -> NewEvent,
        rules: &Rulebook,
    ) {
        use EnrollmentStatus::{Active, Inactive, Registered};
        let kind = match (was.status(), held.timeline.status()) {
            // The first paid month may be long ago.
            (Active | Registered, Inactive) => EventKind::Lapsed,
            (Inactive, Active) => EventKind::Resumed,
            _ => return,
        };
        if let Some(day) = held.timeline.changed_on(was, held.segment, rules) {
            self.add(kind, event(day));
        }
    }

    /// Writes all events, with one statement for each kind.
    pub(super) async fn write(&self, conn: &mut PgConnection, actor: &Actor) -> Result<(), StoreError> {
        for (&kind, events) in &self.0 {
            event::insert_many(conn, actor, kind, events).await?;
        }
        Ok(())
    }
}
