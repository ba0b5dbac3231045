//! A person as of a past day. The same type and the same resolvers as of now: only the rows are those of the day.

use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::NaiveDate;

use super::Participant;
use super::key::{self, Key, ParticipantKey};
use crate::graphql::connection::Total;
use crate::graphql::context::{caller, request};
use crate::graphql::enrollment::{Enrollment, EnrollmentConnection};
use crate::graphql::error::FieldError;
use crate::graphql::input::Lenient;
use crate::graphql::scalar::Date;
use crate::store::enrollment::{EnrollmentFilter, EnrollmentRow};
use crate::store::event::EventFilter;
use crate::store::participant::{self as store, PastPerson, Visible};
use domain::access::Right;
use domain::page::Page;

/// What belongs to a person as of a day. It was read together with the person.
#[derive(Debug)]
pub(super) struct Past {
    day: NaiveDate,
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
        EventFilter { effective_until: Some(self.day), recorded_before: None }
    }
}

impl Participant {
    /// Returns the day as of which the person is shown; `None`: now.
    pub(in crate::graphql) fn day(&self) -> Option<NaiveDate> {
        self.past.as_ref().map(|past| past.day)
    }

    fn on(day: NaiveDate, person: PastPerson) -> Self {
        let PastPerson { row, enrollments } = person;
        Self { past: Some(Arc::new(Past { day, enrollments })), ..Self::new(row) }
    }
}

/// Finds a person as of a day; `None` too if the person was not registered yet.
pub(super) async fn find(
    ctx: &Context<'_>,
    by: ParticipantKey,
    day: Lenient<Date>,
) -> Result<Option<Participant>, FieldError> {
    let caller = caller(ctx);
    caller.require(Right::ReadPeople)?;
    let day = day.argument("asOf")?;
    if caller.today() < day {
        let message = "`asOf` must not be in the future.".into();
        return Err(FieldError::Argument { path: "asOf", message });
    }
    let rules = &caller.reference.rules;
    let find = async |key: store::ParticipantKey<'_>| {
        Ok(store::find_on(&caller.session, &caller.actor, key, day, rules).await?)
    };
    let found = match key::read(caller, &by)? {
        Key::Id(id) => find(store::ParticipantKey::Id(id)).await?,
        Key::CardNumber(id) => request(ctx).by_number(find(store::ParticipantKey::Id(id))).await?,
        Key::Number(kind, index) => {
            request(ctx).by_number(find(store::ParticipantKey::Number(kind, &index))).await?
        }
    };
    Ok(found.and_then(|visible| match visible {
        Visible::Registered(person) => Some(Participant::on(day, *person)),
        Visible::NotYet => None,
    }))
}
