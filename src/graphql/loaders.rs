//! Loaders: batched access to everything that relations lead to. Each request has its own, and each sends one statement
//! for all rows of a page, whatever its size. Those of a subscription [forget](Loaders::forget) between events.
//!
//! To add a relation: a [`Source`] here that answers many keys with one statement, a loader in [`Loaders`], and a
//! resolver that calls [`load`]. If lists select it often, prefetch it (`graphql/prefetch.rs`).

mod batch;
mod forgetting;
mod total;
mod turn;

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use batch::{LoaderOf, load, load_many};
use chrono::NaiveDate;
pub use total::{TotalOf, Totals};

use super::caller::Caller;
use super::error::FieldError;
use super::node_id::NodeId;
use crate::store::StoreError;
use crate::store::association::{self, AssociationFilter, AssociationRow};
use crate::store::channel;
use crate::store::count::{self, CountsBy, StatusCounts};
use crate::store::coverage::{self, People};
use crate::store::employer::event::EmployerEventRow;
use crate::store::employer::{self, EmployerFilter, EmployerRow};
use crate::store::enrollment::{self, EnrollmentFilter, EnrollmentRow};
use crate::store::event::{self, EventFilter, EventRow};
use crate::store::onboarding::monthly::{self, AbsentRecord};
use crate::store::onboarding::{self, BatchRow, OnboardingRowRecord, RowFilter, content};
use crate::store::participant::{self, ParticipantFilter, ParticipantRow, PeopleOf};
use crate::store::payment::{self, PaymentRow};
use domain::onboarding::{MAXIMUM_WORK_UNITS, StagedRow};
use domain::page::{Page, Slice};
use domain::problem::ProblemCode;
use domain::timeline::PaidMonths;

/// A source of values that a loader fetches in batches.
pub trait Source: Send + Sync + 'static {
    /// Key of a value.
    type Key: Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// Value of a key. A key may have none.
    type Value: Clone + Send + Sync + 'static;

    /// Returns the value of a key if it is in memory: then nobody waits for others who load.
    fn in_memory(_caller: &Caller, _key: &Self::Key) -> Option<Self::Value> {
        None
    }

    /// Fetches the values of all keys, with one statement per table.
    fn fetch(
        caller: &Caller,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, StoreError>> + Send;
}

/// A value, none, or the fault that all keys of the batch share.
type Answer<S> = Result<Option<<S as Source>::Value>, StoreError>;

/// The loaders of a request.
pub struct Loaders {
    /// People by id.
    pub participants: LoaderOf<Participants>,
    /// Enrollments by person and id.
    pub enrollments: LoaderOf<Enrollments>,
    /// Paid months of enrollments.
    pub paid_months: LoaderOf<PaidMonthsOf>,
    /// Events by person and id.
    pub events: LoaderOf<Events>,
    /// Employers by id.
    pub employers: LoaderOf<Employers>,
    /// Events of employers by employer and id.
    pub employer_events: LoaderOf<EmployerEvents>,
    /// Associations by id.
    pub associations: LoaderOf<Associations>,
    /// Onboarding batches by id.
    pub batches: LoaderOf<Batches>,
    /// Payments by id.
    pub payments: LoaderOf<Payments>,
    /// Pages of people.
    pub people_pages: LoaderOf<PeoplePages>,
    /// Pages of employers of provinces.
    pub employer_pages: LoaderOf<EmployerPages>,
    /// Pages of associations of provinces.
    pub association_pages: LoaderOf<AssociationPages>,
    /// Pages of enrollments of people.
    pub enrollment_pages: LoaderOf<EnrollmentPages>,
    /// Pages of events of people.
    pub event_pages: LoaderOf<EventPages>,
    /// Pages of events of employers.
    pub employer_event_pages: LoaderOf<EmployerEventPages>,
    /// Pages of rows of batches.
    pub row_pages: LoaderOf<RowPages>,
    /// Pages of absent people of monthly lists.
    pub absent_pages: LoaderOf<AbsentPages>,
    /// Rows of batches as they were sent, by batch and number.
    pub sent_rows: LoaderOf<SentRows>,
    /// Rows of batches by work unit.
    pub work_units: LoaderOf<WorkUnits>,
    /// Rows of batches by problem.
    pub row_problems: LoaderOf<RowProblems>,
    /// Maintained counters.
    pub counts: LoaderOf<MaintainedCounts>,
    /// Counts of channels without those below them.
    pub own_counts: LoaderOf<OwnCounts>,
    /// People of provinces by group and status.
    pub workforce: LoaderOf<Workforce>,
    /// Days of the last first-time enrollment through channels.
    pub last_enrollments: LoaderOf<LastEnrollments>,
    /// Sizes of nested lists.
    pub totals: LoaderOf<Totals>,
}

impl Loaders {
    /// Returns the loaders of a new request.
    pub fn new(caller: &Arc<Caller>) -> Self {
        Self {
            participants: LoaderOf::new(caller),
            enrollments: LoaderOf::new(caller),
            paid_months: LoaderOf::new(caller),
            events: LoaderOf::new(caller),
            employers: LoaderOf::new(caller),
            employer_events: LoaderOf::new(caller),
            associations: LoaderOf::new(caller),
            batches: LoaderOf::new(caller),
            payments: LoaderOf::new(caller),
            people_pages: LoaderOf::new(caller),
            employer_pages: LoaderOf::new(caller),
            association_pages: LoaderOf::new(caller),
            enrollment_pages: LoaderOf::new(caller),
            event_pages: LoaderOf::new(caller),
            employer_event_pages: LoaderOf::new(caller),
            row_pages: LoaderOf::new(caller),
            absent_pages: LoaderOf::new(caller),
            sent_rows: LoaderOf::new(caller),
            work_units: LoaderOf::new(caller),
            row_problems: LoaderOf::new(caller),
            counts: LoaderOf::new(caller),
            own_counts: LoaderOf::new(caller),
            workforce: LoaderOf::new(caller),
            last_enrollments: LoaderOf::new(caller),
            totals: LoaderOf::new(caller),
        }
    }
}

/// Returns the fault of a loader that has no answer for a key whose row must exist.
pub fn missing() -> FieldError {
    FieldError::Store(StoreError::Fault("a loader has no answer for a key".into()))
}

/// Declares sources whose keys are ids of rows.
macro_rules! by_key {
    ($($(#[$meta:meta])* $name:ident: $key:ty => $value:ty, |$caller:ident, $keys:ident| $fetch:expr;)+) => {$(
        $(#[$meta])*
        pub struct $name;

        impl Source for $name {
            type Key = $key;
            type Value = $value;

            async fn fetch($caller: &Caller, $keys: &[$key]) -> Result<HashMap<$key, $value>, StoreError> {
                $fetch.await
            }
        }
    )+};
}

by_key! {
    /// Enrollments by person and id.
    Enrollments: (i64, i64) => EnrollmentRow, |caller, ids| enrollment::by_ids(&caller.session, &caller.actor, ids);
    /// Paid months of enrollments.
    PaidMonthsOf: (i64, i64) => PaidMonths,
        |caller, ids| enrollment::paid_months(&caller.session, &caller.actor, ids);
    /// Events by person and id.
    Events: (i64, i64) => EventRow, |caller, ids| event::by_ids(&caller.session, &caller.actor, ids);
    /// Events of employers by employer and id.
    EmployerEvents: (i64, i64) => EmployerEventRow, |caller, ids|
        employer::event::by_ids(&caller.session, &caller.actor, ids);
    /// Associations by id.
    Associations: i64 => AssociationRow, |caller, ids| association::by_ids(&caller.session, ids);
    /// Rows of batches as they were sent, by batch and number.
    SentRows: (i64, i32) => StagedRow, |caller, rows|
        content::sent_rows(&caller.database, &caller.session, rows, |id| NodeId::Batch(id).encode().to_string());
    /// Outcomes of rows by work unit, by batch.
    WorkUnits: i64 => onboarding::WorkUnits,
        |caller, ids| onboarding::by_work_unit(&caller.session, ids, MAXIMUM_WORK_UNITS as i64);
    /// Number of rows with each problem, by batch.
    RowProblems: i64 => Vec<(ProblemCode, i32)>, |caller, ids| onboarding::by_problem(&caller.session, ids);
    /// Counts of channels without those below them.
    OwnCounts: i64 => StatusCounts, |caller, ids| of(caller, CountsBy::Channel, ids);
    /// People of provinces by group and status.
    Workforce: i16 => People, |caller, provinces| coverage::workforce(&caller.session, &caller.actor, provinces);
    /// Days of the last first-time enrollment through channels.
    LastEnrollments: i64 => NaiveDate, |caller, ids|
        channel::last_enrollments(&caller.session, &caller.actor, caller.reference.calendar, ids);
    /// Onboarding batches by id.
    Batches: i64 => BatchRow, |caller, ids| onboarding::by_ids(&caller.session, &caller.actor, ids);
    /// Payments by id.
    Payments: i64 => PaymentRow, |caller, ids| payment::by_ids(&caller.session, &caller.actor, ids);
}

/// People by id.
pub struct Participants;

impl Source for Participants {
    type Key = i64;
    type Value = Arc<ParticipantRow>;

    async fn fetch(caller: &Caller, ids: &[i64]) -> Result<HashMap<i64, Arc<ParticipantRow>>, StoreError> {
        let Caller { session, actor, participant_columns, .. } = caller;
        match *ids {
            [id] => {
                let found =
                    participant::by_id(caller.people(), (session, actor), id, *participant_columns).await?;
                Ok(found.into_iter().map(|row| (id, row)).collect())
            }
            _ => participant::by_ids(session, actor, ids, *participant_columns).await,
        }
    }
}

/// Employers by id.
pub struct Employers;

impl Source for Employers {
    type Key = i64;
    type Value = EmployerRow;

    fn in_memory(caller: &Caller, id: &i64) -> Option<EmployerRow> {
        caller.session.employers().get(*id)
    }

    async fn fetch(caller: &Caller, ids: &[i64]) -> Result<HashMap<i64, EmployerRow>, StoreError> {
        employer::by_ids(&caller.session, ids).await
    }
}

/// Key of a page of a nested list. Pages that differ in their parent alone are fetched together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested<F> {
    /// Internal id of the parent.
    pub parent: i64,
    /// Filter of the list.
    pub filter: F,
    /// Page of the list.
    pub page: Page,
}

impl<F> Hash for Nested<F> {
    /// Hashes the parent alone: most lists of a request differ in nothing else, and a filter is large.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parent.hash(state);
    }
}

/// Loads a page of a nested list.
///
/// # Errors
/// The database is unavailable.
pub async fn load_page<F, V, S>(
    loader: &LoaderOf<S>,
    parent: i64,
    filter: F,
    page: &Page,
) -> Result<Slice<V>, FieldError>
where
    S: Source<Key = Nested<F>, Value = Slice<V>>,
{
    let key = Nested { parent, filter, page: page.clone() };
    load(loader, key).await?.ok_or_else(missing)
}

/// Groups the keys of a batch by what one statement can answer.
fn groups<'a, K, G: Eq>(
    keys: &'a [K],
    group: impl Fn(&'a K) -> G,
    parent: impl Fn(&'a K) -> i64,
) -> Vec<(G, Vec<i64>)> {
    // There are as many as the document has lists of this kind, so nearly always one.
    let mut groups: Vec<(G, Vec<i64>)> = Vec::new();
    for key in keys {
        let (of, parent) = (group(key), parent(key));
        match groups.iter_mut().find(|(known, _)| *known == of) {
            Some((_, parents)) => parents.push(parent),
            None => groups.push((of, vec![parent])),
        }
    }
    groups
}

/// Pages of the people of provinces, employers and associations.
pub struct PeoplePages;

impl Source for PeoplePages {
    type Key = (PeopleOf, Nested<ParticipantFilter>);
    type Value = Slice<Arc<ParticipantRow>>;

    async fn fetch(
        caller: &Caller,
        keys: &[Self::Key],
    ) -> Result<HashMap<Self::Key, Self::Value>, StoreError> {
        let mut pages = HashMap::new();
        for ((of, filter, page), parents) in
            groups(keys, |(of, n)| (*of, &n.filter, &n.page), |(_, n)| n.parent)
        {
            let Caller { session, actor, participant_columns, .. } = caller;
            let parents = (of, parents.as_slice());
            let lists =
                participant::list_of(session, actor, parents, (filter, page), *participant_columns).await?;
            let key = |parent| (of, Nested { parent, filter: filter.clone(), page: page.clone() });
            pages.extend(lists.into_iter().map(|(parent, list)| (key(parent), list)));
        }
        Ok(pages)
    }
}

/// Declares sources of pages of one kind of parent.
macro_rules! pages_of {
    ($($(#[$meta:meta])* $name:ident: $filter:ty => $value:ty,
        |$caller:ident, $parents:ident, $by:ident, $page:ident| $fetch:expr;)+) => {$(
        $(#[$meta])*
        pub struct $name;

        impl Source for $name {
            type Key = Nested<$filter>;
            type Value = Slice<$value>;

            async fn fetch($caller: &Caller, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>, StoreError> {
                let mut pages = HashMap::new();
                for (($by, $page), parents) in groups(keys, |n| (&n.filter, &n.page), |n| n.parent) {
                    let $parents = parents.as_slice();
                    let key = |parent| Nested { parent, filter: $by.clone(), page: $page.clone() };
                    pages.extend($fetch.await?.into_iter().map(|(parent, list)| (key(parent), list)));
                }
                Ok(pages)
            }
        }
    )+};
}

pages_of! {
    /// Pages of the employers of provinces.
    EmployerPages: EmployerFilter => EmployerRow, |caller, parents, filter, page|
        employer::list_of_provinces(&caller.session, parents, filter, page);
    /// Pages of the events of employers.
    EmployerEventPages: () => EmployerEventRow, |caller, parents, _filter, page|
        employer::event::list_of(&caller.session, &caller.actor, parents, page);
    /// Pages of the associations of provinces.
    AssociationPages: AssociationFilter => AssociationRow, |caller, parents, filter, page|
        association::list_of_provinces(&caller.session, parents, filter, page);
    /// Pages of the rows of batches.
    RowPages: RowFilter => OnboardingRowRecord, |caller, parents, filter, page|
        onboarding::rows_of(&caller.session, parents, filter, page);
    /// Pages of the absent people of monthly lists.
    AbsentPages: () => AbsentRecord, |caller, parents, _filter, page|
        monthly::absent_of((&caller.session, &caller.actor), parents, page);
    /// Pages of the events of people.
    EventPages: EventFilter => EventRow, |caller, parents, filter, page|
        event::list_of(&caller.session, &caller.actor, parents, *filter, page);
    /// Pages of the enrollments of people.
    EnrollmentPages: EnrollmentFilter => EnrollmentRow, |caller, parents, filter, page|
        enrollment::list_of(&caller.session, &caller.actor, parents, filter, page);
}

/// Counts of people. For an actor who sees the whole country they come from maintained counters; for others, people in
/// scope are counted.
pub struct MaintainedCounts;

impl Source for MaintainedCounts {
    type Key = (CountsBy, i64);
    type Value = StatusCounts;

    async fn fetch(
        caller: &Caller,
        keys: &[Self::Key],
    ) -> Result<HashMap<Self::Key, Self::Value>, StoreError> {
        let mut counts = HashMap::new();
        for (by, ids) in groups(keys, |(by, _)| *by, |(_, id)| *id) {
            let found = if by == CountsBy::Channel {
                of_trees(caller, &ids).await?
            } else {
                of(caller, by, &ids).await?
            };
            counts.extend(found.into_iter().map(|(id, counts)| ((by, id), counts)));
        }
        Ok(counts)
    }
}

async fn of(caller: &Caller, by: CountsBy, ids: &[i64]) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    if caller.actor.scope.is_everything() {
        return count::of(&caller.session, by, ids).await;
    }
    let people = match by {
        CountsBy::Province => PeopleOf::Province,
        CountsBy::Channel => PeopleOf::Channel,
        CountsBy::Employer => PeopleOf::Employer,
        CountsBy::Association => PeopleOf::Association,
    };
    participant::status_counts_of(&caller.session, &caller.actor, (people, ids)).await
}

/// Returns the counts of channels, with those of all channels below them.
async fn of_trees(caller: &Caller, ids: &[i64]) -> Result<HashMap<i64, StatusCounts>, StoreError> {
    let trees: HashMap<i64, Vec<i64>> =
        ids.iter().map(|&id| (id, caller.reference.with_descendants(id))).collect();
    let mut all: Vec<i64> = trees.values().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    let each = of(caller, CountsBy::Channel, &all).await?;
    let sum = |tree: Vec<i64>| tree.iter().filter_map(|id| each.get(id)).copied().sum();
    Ok(trees.into_iter().map(|(id, tree)| (id, sum(tree))).collect())
}
