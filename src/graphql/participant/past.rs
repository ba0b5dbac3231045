//! A person as of a past day. The same type and the same resolvers as of now: only the rows are those of the day.

use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::{NaiveDate, TimeDelta};

use super::Participant;
use super::key::{self, Key, ParticipantKey};
use crate::graphql::caller::Caller;
use crate::graphql::connection::Total;
use crate::graphql::context::{caller, request};
use crate::graphql::enrollment::{Enrollment, EnrollmentConnection};
use crate::graphql::error::FieldError;
use crate::graphql::input::Lenient;
use crate::graphql::scalar::Date;
use crate::store::enrollment::{EnrollmentFilter, EnrollmentRow};
use crate::store::event::EventFilter;
use crate::store::participant::{self as store, AsOf, KnownOn, PastPerson, Visible};
use domain::access::Right;
use domain::page::Page;

/// What belongs to a person as of a day. It was read together with the person.
#[derive(Debug)]
pub(super) struct Past {
    as_of: AsOf,
    enrollments: Vec<EnrollmentRow>,
}

impl Past {
    /// Returns a page of the enrollments, newest first.
    pub(super) fn enrollments(
        &self,
        person: &Participant,
        filter: &EnrollmentFilter,
        page: &Page,
    ) -> EnrollmentConnection {
        let rows = self.enrollments.iter().filter(|row| filter.selects(row));
        let rows: Vec<_> = rows
            .map(|row| (row.position(), (row.position(), Enrollment::of(row.clone(), person.clone()))))
            .collect();
        let total = Total::Known(rows.len());
        EnrollmentConnection::new(page.of(rows), page, total)
    }

    /// Returns the filter for the events of the person until that day.
    pub(super) fn events(&self) -> EventFilter {
        let recorded_until = self.as_of.known.map(|known| known.until);
        EventFilter { effective_until: Some(self.as_of.day), recorded_until }
    }
}

impl Participant {
    /// Returns the day as of which the person is shown; `None`: now.
    pub(in crate::graphql) fn day(&self) -> Option<NaiveDate> {
        self.past.as_ref().map(|past| past.as_of.day)
    }

    /// Returns an enrollment as of the past day as of which the person is shown.
    pub(in crate::graphql) fn past_enrollment(&self, id: i64) -> Option<Enrollment> {
        let row = self.past.as_ref()?.enrollments.iter().find(|row| row.id == id)?;
        Some(Enrollment::of(row.clone(), self.clone()))
    }

    fn on(as_of: AsOf, person: PastPerson) -> Self {
        let PastPerson { row, enrollments } = person;
        Self { past: Some(Arc::new(Past { as_of, enrollments })), ..Self::new(row) }
    }
}

/// Reads the day as of which a person is shown; `None`: now.
///
/// # Errors
/// `BAD_FILTER`.
pub(super) fn read(
    caller: &Caller,
    as_of: Option<Lenient<Date>>,
    known_on: Option<Lenient<Date>>,
) -> Result<Option<AsOf>, FieldError> {
    let read = |day: Option<Lenient<Date>>, path| {
        let day = day.map(|day| day.argument(path)).transpose()?;
        if day.is_some_and(|day| caller.today() < day) {
            let message = format!("`{path}` must not be in the future.");
            return Err(FieldError::Argument { path, message });
        }
        Ok(day)
    };
    let (as_of, known_on) = (read(as_of, "asOf")?, read(known_on, "knownOn")?);
    let known = known_on.map(|day| {
        let next = caller.reference.calendar.begin_of(day.succ_opt().unwrap_or(day));
        KnownOn { day, until: next - TimeDelta::microseconds(1) }
    });
    Ok(as_of.or(known_on).map(|day| AsOf { day, known }))
}

/// Finds a person as of a day; `None` too if the person was not registered yet.
pub(super) async fn find(
    ctx: &Context<'_>,
    by: ParticipantKey,
    as_of: AsOf,
) -> Result<Option<Participant>, FieldError> {
    let caller = caller(ctx);
    caller.require(Right::ReadPeople)?;
    let reference = (&caller.reference.rules, &caller.reference.detached_events);
    let find = async |key: store::ParticipantKey<'_>| {
        Ok(store::find_on(&caller.session, &caller.actor, key, as_of, reference).await?)
    };
    let found = match key::read(caller, &by)? {
        Key::Id(id) => find(store::ParticipantKey::Id(id)).await?,
        Key::CardNumber(id) => request(ctx).by_number(find(store::ParticipantKey::Id(id))).await?,
        Key::Number(kind, index) => {
            request(ctx).by_number(find(store::ParticipantKey::Number(kind, &index))).await?
        }
    };
    match found {
        Some(Visible::Registered(person)) => Ok(Some(Participant::on(as_of, *person))),
        Some(Visible::NotYet) | None => Ok(None),
        Some(Visible::Detached(until)) => Err(FieldError::EventsDetached(until)),
        Some(Visible::Unexplained(incomplete)) => {
            let message = format!("What was known on this day cannot be told: {incomplete}.");
            Err(FieldError::Argument { path: "knownOn", message })
        }
    }
}
