//! Events in the history of employers.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::{Employer, shown_tax_number};
use crate::graphql::caller::Caller;
use crate::graphql::connection::{PageArguments, Total, load_counted};
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::loaders::{TotalOf, load, load_page, missing};
use crate::graphql::node_id::NodeId;
use crate::graphql::retraction::RetractionState;
use crate::graphql::scalar::{Date, DateTime};
use crate::store::StoreError;
use crate::store::employer::event::EmployerEventRow;
use domain::employer::{EmployerField, FactStep};

/// An event in the history of an employer.
#[derive(Clone, Debug)]
pub struct EmployerEvent(EmployerEventRow);

connection!(EmployerEventConnection, EmployerEventEdge, EmployerEvent, "events", "event");

impl EmployerEvent {
    /// Loads the event of an employer with an internal id, if the caller may see it.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, employer: i64, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.employer_events, (employer, id)).await?.map(Self))
    }
}

/// Returns a page of the events of an employer, newest first.
pub(super) async fn page_of(
    ctx: &Context<'_>,
    employer: i64,
    arguments: PageArguments,
) -> Result<EmployerEventConnection, FieldError> {
    let page = arguments.newest_first()?;
    let total = Total::Nested(TotalOf::EmployerEvents(employer));
    let slice = load_page(&request(ctx).loaders.employer_event_pages, employer, (), &page);
    let (slice, total) = load_counted(ctx, slice, total).await?;
    let slice = slice.map(|row| (row.position(), EmployerEvent(row)));
    Ok(EmployerEventConnection::new(slice, &page, total))
}

/// An event in the history of an employer: facts that hold from a day on, and who recorded them.
#[rows::row]
#[Object]
impl EmployerEvent {
    /// Opaque, stable id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        NodeId::EmployerEvent(self.0.employer_id, self.0.id).encode()
    }

    /// The employer, as it is today.
    async fn employer(&self, ctx: &Context<'_>) -> Result<Employer, FieldError> {
        Employer::load(ctx, self.0.employer_id).await?.ok_or_else(missing)
    }

    /// Day from which the facts hold, until their next change.
    fn effective_on(&self) -> Date {
        self.0.effective_on.into()
    }

    /// Changed facts.
    fn changes(&self, ctx: &Context<'_>) -> Result<Vec<EmployerChange>, FieldError> {
        self.0.details.steps.iter().map(|step| self.visible(caller(ctx), step)).collect()
    }

    /// Reason, as the client stated it. Null if none was stated.
    fn reason(&self) -> Option<&str> {
        self.0.details.reason.as_deref()
    }

    /// Time of recording.
    fn recorded_at(&self) -> DateTime {
        self.0.recorded_at.into()
    }

    /// Name of the client that recorded it.
    fn recorded_by(&self) -> &str {
        &self.0.recorded_by
    }

    /// RETRACTED if it was taken back (`retractEvent`): then it counts as never recorded. Null otherwise.
    fn retraction_state(&self) -> Option<RetractionState> {
        self.0.retracted_at.map(|_| RetractionState::Retracted)
    }

    /// Time of its retraction. Null unless it is retracted.
    fn retracted_at(&self) -> Option<DateTime> {
        self.0.retracted_at.map(Into::into)
    }

    /// Name of the client that retracted it. Null unless it is retracted.
    fn retracted_by(&self) -> Option<&str> {
        self.0.retracted_by.as_deref()
    }

    /// Reason of the retraction, as the client stated it. Null unless it is retracted.
    fn retraction_reason(&self) -> Option<&str> {
        self.0.retraction_reason.as_deref()
    }
}

impl EmployerEvent {
    /// Returns a change as far as it is visible to the caller, as for the field itself.
    fn visible(&self, caller: &Caller, step: &FactStep) -> Result<EmployerChange, FieldError> {
        let row = &self.0;
        let shown = |sealed: &Option<Vec<u8>>| {
            sealed.as_deref().map(|sealed| shown_tax_number(caller, row.kind, sealed)).transpose()
        };
        let (before, after) = match step.field {
            EmployerField::TaxNumber => (shown(&row.tax_number_before)?, shown(&row.tax_number_sealed)?),
            _ => (step.before.clone(), step.after.clone()),
        };
        Ok(EmployerChange { field: step.field.into(), before, after })
    }
}

/// One changed fact of an employer.
#[derive(SimpleObject, rows::Row)]
pub struct EmployerChange {
    /// The fact.
    field: ChangedEmployerField,
    /// Value before. Null if there was none. A tax number is masked like the field itself.
    before: Option<String>,
    /// Value after. A tax number is masked like the field itself.
    after: Option<String>,
}

/// Facts of an employer that change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "EmployerField")]
pub enum ChangedEmployerField {
    /// Name.
    Name,
    /// Tax number (NPWP).
    TaxNumber,
    /// Business number (NIB).
    BusinessNumber,
    /// Work-accident risk class, from 1 to 5.
    RiskClass,
    /// Size of the business.
    Size,
}
