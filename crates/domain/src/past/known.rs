//! What was known about a person at a moment: the stored state without what was recorded later.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::correction::{Change, CorrectedField};
use crate::count::HeldEnrollment;
use crate::event::EventKind;
use crate::history::{EventRow, History, Incomplete, State, is_of};
use crate::residence::Residence;
use crate::rule::Rulebook;
use crate::wage::WageHistory;

/// An event as stored, with the values that it changed.
#[derive(Clone)]
pub struct DetailedEvent {
    /// The event.
    pub row: EventRow,
    /// The values. Empty unless it is a correction, a move or a change of a wage.
    pub changes: Vec<Change>,
}

redacted_debug!(DetailedEvent);

/// The events of a person, in the order of recording, and the last moment of what is known.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// The events, whenever they were recorded.
    pub events: &'a [DetailedEvent],
    /// What was recorded later is not known.
    pub until: DateTime<Utc>,
}

impl<'a> Knowledge<'a> {
    /// Returns enrollments and death as they were known. `enrollments` and `deceased_on` are stored; `day` is that of the
    /// moment.
    ///
    /// # Errors
    /// The events do not explain what is stored, so that nothing earlier can be told from them.
    pub fn state(
        self,
        enrollments: &BTreeMap<i64, HeldEnrollment>,
        deceased_on: Option<NaiveDate>,
        day: NaiveDate,
        rules: &Rulebook,
    ) -> Result<State, Incomplete> {
        // Of a person the caller may see a part of the enrollments, and so a part of the events. Enrollments that are retracted
        // are not among them.
        let is_there = |row: &EventRow| row.enrollment.is_none_or(|id| enrollments.contains_key(&id));
        let rows = || self.events.iter().map(|event| &event.row);
        let gone = rows().filter(|row| row.kind == EventKind::Enrolled && !is_there(row));
        if gone
            .clone()
            .any(|row| row.recorded_at <= self.until && row.retracted_at.is_some_and(|at| at > self.until))
        {
            // It was in force then.
            return Err(Incomplete::NoEnrollment);
        }
        let is_of_gone = |row: &EventRow| {
            row.kind == EventKind::Transferred
                && row.retracted_at.is_some()
                && gone.clone().any(|gone| is_of(gone, row))
        };
        let rows: Vec<EventRow> = rows().filter(|row| is_there(row) && !is_of_gone(row)).copied().collect();
        Ok(History::read(&rows, enrollments, deceased_on)?.known_at(self.until).state(day, rules))
    }

    /// Returns the residence as it was known. A correction replaces all moves before it.
    pub fn residence(self, stored: &Residence) -> Residence {
        let province = |code: Option<&String>| code.and_then(|code| code.parse::<i16>().ok());
        let changes = || {
            self.events.iter().filter_map(|event| {
                let change = event.changes.iter().find(|change| change.field == CorrectedField::Province)?;
                Some((event, change))
            })
        };
        let first = changes().next().and_then(|(_, change)| province(change.before.as_ref()));
        let mut residence = first.map_or_else(|| stored.clone(), Residence::from);
        for (event, change) in changes().filter(|(event, _)| self.knows(event)) {
            let Some(province) = province(change.after.as_ref()) else { continue };
            match event.row.kind {
                EventKind::Moved => _ = residence.change(event.row.effective_on, province),
                _ => residence = Residence::from(province),
            }
        }
        residence
    }

    /// Returns the wages of an enrollment as they were known, in a history of the wage of its form alone.
    pub fn wages(self, enrollment: i64, mut form: WageHistory) -> WageHistory {
        let changed = self.events.iter().filter(|event| {
            event.row.kind == EventKind::WageChanged
                && event.row.enrollment == Some(enrollment)
                && self.knows(event)
        });
        for event in changed {
            let wage = event.changes.first().and_then(|change| change.after.as_ref()?.parse().ok());
            if let Some(wage) = wage {
                form.change(event.row.effective_on, wage);
            }
        }
        form
    }

    /// Returns the value that a field had, if it was corrected later.
    pub fn corrected_later(self, field: CorrectedField) -> Option<(&'a EventRow, Option<&'a str>)> {
        let later =
            self.events.iter().filter(|event| event.row.kind == EventKind::Corrected && !self.knows(event));
        later
            .filter_map(|event| {
                let change = event.changes.iter().find(|change| change.field == field)?;
                Some((&event.row, change.before.as_deref()))
            })
            .next()
    }

    fn knows(self, event: &DetailedEvent) -> bool {
        event.row.recorded_at <= self.until
            && event.row.retracted_at.is_none_or(|retracted_at| retracted_at > self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn moment(hour: u32) -> DateTime<Utc> {
        day("2014-10-02").and_hms_opt(hour, 0, 0).unwrap().and_utc()
    }

    fn event(hour: u32, kind: EventKind, on: &str, change: (CorrectedField, &str, &str)) -> DetailedEvent {
        let enrollment = (kind == EventKind::WageChanged).then_some(5);
        let row = EventRow {
            id: hour.into(),
            kind,
            enrollment,
            effective_on: day(on),
            recorded_at: moment(hour),
            retracted_at: None,
            end_reason: None,
        };
        let (field, before, after) = change;
        DetailedEvent {
            row,
            changes: vec![Change { field, before: Some(before.into()), after: Some(after.into()) }],
        }
    }

    #[test]
    fn moves_and_corrections_are_known_from_their_recording_on() {
        use CorrectedField::Province;
        let mut events = [
            event(1, EventKind::Moved, "2014-08-01", (Province, "16", "31")),
            event(3, EventKind::Corrected, "2014-10-02", (Province, "31", "15")),
            event(5, EventKind::Moved, "2014-09-01", (Province, "15", "16")),
        ];
        let mut stored = Residence::from(15);
        stored.change(day("2014-09-01"), 16);
        let on = |events: &[DetailedEvent], hour, text| {
            Knowledge { events, until: moment(hour) }.residence(&stored).on(day(text))
        };
        assert_eq!([on(&events, 0, "2014-10-02"), on(&events, 1, "2014-07-31")], [16, 16]);
        assert_eq!([on(&events, 2, "2014-10-02"), on(&events, 4, "2014-07-31")], [31, 15]);
        assert_eq!([on(&events, 5, "2014-10-02"), on(&events, 6, "2014-08-31")], [16, 15]);
        assert_eq!(Knowledge { events: &events, until: moment(6) }.residence(&stored), stored);
        // What was taken back later was known until then.
        events[2].row.retracted_at = Some(moment(8));
        assert_eq!([on(&events, 7, "2014-10-02"), on(&events, 8, "2014-10-02")], [16, 15]);
        let none = Knowledge { events: &[], until: moment(0) };
        assert_eq!(none.residence(&stored), stored);
    }

    #[test]
    fn wages_and_values_that_were_corrected_later_are_those_of_before() {
        use CorrectedField::{FullName, MonthlyWage};
        let events = [
            event(1, EventKind::WageChanged, "2014-05-01", (MonthlyWage, "2000000", "2500000")),
            event(3, EventKind::WageChanged, "2014-04-01", (MonthlyWage, "2000000", "2400000")),
            event(4, EventKind::Corrected, "2014-10-02", (FullName, "Siti", "Siti Rahayu")),
            event(5, EventKind::Corrected, "2014-10-02", (FullName, "Siti Rahayu", "Siti Rahayu, S.E.")),
        ];
        let at = |hour| Knowledge { events: &events, until: moment(hour) };
        let form = || WageHistory::new(Some(2_000_000), (day("2014-01-01"), None));
        let wage = |hour, text| at(hour).wages(5, form()).on(day(text));
        assert_eq!([wage(0, "2014-06-01"), wage(2, "2014-06-01")], [Some(2_000_000), Some(2_500_000)]);
        assert_eq!([wage(2, "2014-04-15"), wage(3, "2014-04-15")], [Some(2_000_000), Some(2_400_000)]);
        assert_eq!(at(9).wages(6, form()), form(), "another enrollment");
        let name = |hour| at(hour).corrected_later(FullName).and_then(|(_, before)| before);
        assert_eq!([name(3), name(4), name(5)], [Some("Siti"), Some("Siti Rahayu"), None]);
    }
}
