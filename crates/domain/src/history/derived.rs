//! Events that follow from others: that an enrollment lapsed, resumed, or ended by a death.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Event, Fact, History, State};
use crate::count::HeldEnrollment;
use crate::event::EventKind;
use crate::rule::Rulebook;
use crate::vocabulary::{EndReason, EnrollmentStatus};

/// A lapse or its end, as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedEvent {
    /// Its id.
    pub id: i64,
    /// The enrollment.
    pub enrollment: i64,
    /// [`EventKind::Lapsed`] or [`EventKind::Resumed`].
    pub kind: EventKind,
    /// When it took effect.
    pub effective_on: NaiveDate,
    /// The moment of the transaction that recorded it.
    pub recorded_at: DateTime<Utc>,
}

/// What follows from a changed history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequences {
    /// Recorded events that follow no longer, by id.
    pub gone: Vec<i64>,
    /// Events that follow instead: kind, enrollment, day.
    pub new: Vec<(EventKind, i64, NaiveDate)>,
}

impl History {
    /// Returns what follows from the state without some events, for the enrollments that changed.
    pub(super) fn consequences(
        &self,
        left_out: &[i64],
        state: &State,
        changed: &BTreeSet<i64>,
        rules: &Rulebook,
    ) -> Consequences {
        let mut found = Consequences::default();
        for &id in changed {
            match state.enrollments.get(&id) {
                None => {
                    found.gone.extend(self.derived_of(id).map(|derived| derived.id));
                    // Those that contradict this are refused. The others are its end by a death, and contributions that were
                    // reversed.
                    let of_it = self.in_force().filter(|event| event.fact.enrollment() == Some(id));
                    let of_it = of_it.filter(|event| !left_out.contains(&event.id));
                    found.gone.extend(of_it.map(|event| event.id));
                }
                Some(held) => {
                    self.follow_lapses(id, held, left_out, rules, &mut found);
                    self.follow_death(id, held, left_out, &mut found);
                }
            }
        }
        found.gone.sort_unstable();
        found
    }

    fn derived_of(&self, enrollment: i64) -> impl DoubleEndedIterator<Item = &DerivedEvent> {
        self.derived.iter().filter(move |derived| derived.enrollment == enrollment)
    }

    /// Lets the last lapse or its end agree with the status that the enrollment has, or had before it ended.
    fn follow_lapses(
        &self,
        id: i64,
        held: &HeldEnrollment,
        left_out: &[i64],
        rules: &Rulebook,
        found: &mut Consequences,
    ) {
        let was_recorded_with = |derived: &DerivedEvent| {
            let of_it = |event: &&Event| {
                event.fact.enrollment() == Some(id) && event.recorded_at == derived.recorded_at
            };
            self.events.iter().filter(|event| left_out.contains(&event.id)).any(|event| of_it(&event))
        };
        let (gone, rest): (Vec<&DerivedEvent>, Vec<_>) =
            self.derived_of(id).partition(|derived| was_recorded_with(derived));
        found.gone.extend(gone.iter().map(|derived| derived.id));
        let mut history = held.timeline.history(held.segment, rules);
        history.retain(|&(_, status)| status != EnrollmentStatus::Ended);
        match (history.pop(), rest.last()) {
            (Some((day, EnrollmentStatus::Inactive)), last) => {
                let is_said =
                    last.is_some_and(|last| (last.kind, last.effective_on) == (EventKind::Lapsed, day));
                if !is_said {
                    found.gone.extend(last.filter(|last| last.kind == EventKind::Lapsed).map(|last| last.id));
                    found.new.push((EventKind::Lapsed, id, day));
                }
            }
            (Some((day, EnrollmentStatus::Active)), Some(last)) if last.kind == EventKind::Lapsed => {
                found.new.push((EventKind::Resumed, id, day.max(last.effective_on)));
            }
            (Some((_, EnrollmentStatus::Registered)) | None, _) => {
                found.gone.extend(rest.iter().map(|derived| derived.id));
            }
            _ => {}
        }
    }

    /// Records the end of an enrollment that the death ends now, because an earlier end was left out.
    fn follow_death(&self, id: i64, held: &HeldEnrollment, left_out: &[i64], found: &mut Consequences) {
        let (Some(on), Some(EndReason::Deceased)) = (held.timeline.ends_on, held.end_reason) else { return };
        if !self.in_force().any(|event| ends(event, id) && !left_out.contains(&event.id)) {
            found.new.push((EventKind::Ended, id, on));
        }
    }
}

/// Returns whether an event is the end of an enrollment.
fn ends(event: &Event, id: i64) -> bool {
    matches!(event.fact, Fact::Ended { enrollment, .. } if enrollment == id)
}
