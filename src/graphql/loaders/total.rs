//! Sizes of nested lists.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::{Source, groups};
use crate::graphql::caller::Caller;
use crate::store::StoreError;
use crate::store::association::{self, AssociationFilter};
use crate::store::employer::{self, EmployerFilter};
use crate::store::enrollment::{self, EnrollmentFilter};
use crate::store::event::{self, EventFilter};
use crate::store::onboarding::monthly;
use crate::store::onboarding::{self, RowFilter};
use crate::store::participant::{self, ParticipantFilter, PeopleOf};

/// Key of the size of a nested list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TotalOf {
    /// People of a province, employer, association or channel.
    People(PeopleOf, i64, ParticipantFilter),
    /// Employers of a province.
    Employers(i64, EmployerFilter),
    /// Associations of a province.
    Associations(i64, AssociationFilter),
    /// Enrollments of a person.
    Enrollments(i64, EnrollmentFilter),
    /// Events of a person.
    Events(i64, EventFilter),
    /// Events of an employer.
    EmployerEvents(i64),
    /// Rows of an onboarding batch.
    Rows(i64, RowFilter),
    /// Absent people of a monthly list.
    Absent(i64),
}

impl Hash for TotalOf {
    /// Hashes the parent alone, as for [`Nested`](super::Nested).
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parent().hash(state);
    }
}

/// Sizes of nested lists.
pub struct Totals;

impl Source for Totals {
    type Key = TotalOf;
    type Value = i64;

    async fn fetch(caller: &Caller, keys: &[TotalOf]) -> Result<HashMap<TotalOf, i64>, StoreError> {
        let (session, actor) = (&caller.session, &caller.actor);
        let mut totals = HashMap::new();
        // The group is the key without its parent.
        for (group, parents) in groups(keys, |key| key.with_parent(0), TotalOf::parent) {
            let found = match &group {
                TotalOf::People(of, _, filter) => {
                    participant::count_of(session, actor, (*of, &parents), filter).await?
                }
                TotalOf::Employers(_, filter) => {
                    employer::count_of_provinces(session, &parents, filter).await?
                }
                TotalOf::Associations(_, filter) => {
                    association::count_of_provinces(session, &parents, filter).await?
                }
                TotalOf::Enrollments(_, filter) => {
                    enrollment::count_of(session, actor, &parents, filter).await?
                }
                TotalOf::Events(_, filter) => event::count_of(session, actor, &parents, *filter).await?,
                TotalOf::EmployerEvents(_) => employer::event::count_of(session, actor, &parents).await?,
                TotalOf::Absent(_) => monthly::count_absent_of((session, actor), &parents).await?,
                TotalOf::Rows(_, filter) => onboarding::count_rows_of(session, &parents, filter).await?,
            };
            totals.extend(found.into_iter().map(|(parent, total)| (group.with_parent(parent), total)));
        }
        Ok(totals)
    }
}

impl TotalOf {
    fn parent(&self) -> i64 {
        match self {
            Self::People(_, parent, _)
            | Self::Employers(parent, _)
            | Self::Associations(parent, _)
            | Self::Enrollments(parent, _)
            | Self::Events(parent, _)
            | Self::Absent(parent)
            | Self::EmployerEvents(parent)
            | Self::Rows(parent, _) => *parent,
        }
    }

    fn with_parent(&self, new: i64) -> Self {
        let mut other = self.clone();
        match &mut other {
            Self::People(_, parent, _)
            | Self::Employers(parent, _)
            | Self::Associations(parent, _)
            | Self::Enrollments(parent, _)
            | Self::Events(parent, _)
            | Self::Absent(parent)
            | Self::EmployerEvents(parent)
            | Self::Rows(parent, _) => *parent = new,
        }
        other
    }
}
