//! An export from the snapshot to its first byte: at a standby, or else at the primary.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use graphql_front::code::Code;
use tokio::time::{Instant, timeout_at};

use super::permit::ExportPermit;
use super::{
    Export, Failed, Format, ROWS, Refused, Service, failed_export, refuse_full_sheet, rows, workbook,
};
use crate::graphql::caller::Caller;
use crate::graphql::export::{Dataset, Selection};
use crate::http::onboarding::FileRequest;
use crate::http::position::AtStandby;
use crate::store::StoreError;
use crate::store::audit::About;
use crate::store::session::Session;
use crate::store::snapshot::Snapshot;

/// An export that was asked for and that may run.
pub(super) struct PermittedExport<'a> {
    pub(super) service: &'a Service,
    pub(super) context: &'a FileRequest,
    pub(super) caller: Caller,
    pub(super) dataset: Dataset,
    pub(super) selection: Selection,
    pub(super) format: Format,
    pub(super) deadline: Instant,
    pub(super) permit: Arc<ExportPermit>,
    /// Whether its rows are paid for: once, even if it begins again at the primary.
    pub(super) is_paid: bool,
}

impl PermittedExport<'_> {
    /// Reads at the standby, or at the primary if there is none or it fails before the first byte has left.
    pub(super) async fn run(mut self, at: Option<AtStandby>) -> Result<Response, Stopped> {
        if let Some(at) = at {
            let session = at.standby.exporting(&self.context.actor);
            let begun = tokio::select! {
                begun = self.begin(&session) => Some(begun),
                () = at.standby.is_lost() => None,
            };
            let answered = match begun {
                Some(Ok(export)) => Some(self.deliver(export).await),
                Some(Err(stopped)) => Some(Err(stopped)),
                None => None,
            };
            match answered {
                Some(answered) if !session.has_failed() => {
                    at.answered();
                    return answered;
                }
                Some(_) => at.standby.suspect(),
                None => {}
            }
            tracing::info!(request_id = %self.context.id, "an export begins again at the primary");
        }
        let session = self.service.database.exporting(&self.context.actor);
        let export = self.begin(&session).await?;
        self.deliver(export).await
    }

    /// Takes the snapshot, charges for the rows, and reads the first of them.
    async fn begin(&mut self, session: &Session) -> Result<Export, Stopped> {
        let Self { service, context, dataset, format, .. } = *self;
        let Some(mut snapshot) = Snapshot::open(session.clone()).await? else {
            return Err(Stopped::Refused(Box::new(
                context.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            )));
        };
        let (caller, selection) = (&self.caller, &self.selection);
        let count = rows::count(&mut snapshot, caller, dataset, selection).await?;
        refuse_full_sheet(context, format, count)?;
        if !self.is_paid {
            context.pay(service.rate_limiter.as_deref(), count)?;
            self.is_paid = true;
        }
        rows::select(&mut snapshot, caller, selection).await?;
        let about = About {
            operation: format!("export {dataset}.{format} rows={count}"),
            purpose: caller.purpose.clone(),
            request_id: context.id.uuid(),
        };
        let (caller, session, permit) = (caller.clone(), session.clone(), Arc::clone(&self.permit));
        let deadline = self.deadline;
        let mut export =
            Export { caller, dataset, about, count, snapshot, session, first: None, deadline, permit };
        export.first = export.next().await?;
        Ok(export)
    }

    /// Sends a CSV while it is read, or a workbook once it is made.
    async fn deliver(&self, export: Export) -> Result<Response, Stopped> {
        let count = export.count;
        let mut response = match self.format {
            Format::Csv => export.send_csv(self.service.limits, self.context.recipient())?,
            Format::Xlsx => {
                let saved = export.save_workbook(self.service.spool.clone());
                let saved = timeout_at(self.deadline, saved).await.unwrap_or(Err(Failed::Deadline));
                workbook(saved?, self.context.recipient())
            }
        };
        // Of contributions the number is only an upper bound.
        if self.dataset != Dataset::Contributions {
            response.headers_mut().insert(ROWS, count.into());
        }
        Ok(response)
    }
}

/// Why nothing of an export was sent.
pub(super) enum Stopped {
    Refused(Refused),
    Failed(Failed),
}

impl Stopped {
    pub(super) fn refusal(self, context: &FileRequest) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            Self::Failed(error) => failed_export(context, &error),
        }
    }
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Failed> for Stopped {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
