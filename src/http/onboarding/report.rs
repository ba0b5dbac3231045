//! The rows of a batch that were refused, as CSV in the columns they came in, with what is wrong in a last column.
//!
//! Who has sent the batch gets back what it sent. Everybody else who sees the batch is told personal data under the rule
//! that holds everywhere: by who has the right and says for what; else numbers are masked, and birth date, wage and
//! telephone are left out.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use super::{Asked, Desk, report_name};
use crate::domain::access::Purpose;
use crate::domain::actor::Operation;
use crate::domain::onboarding::{OnboardingState, RowOutcome, StagedRow, fields_of_request};
use crate::domain::problem::Problem;
use crate::graphql::node_id::batch_id;
use crate::http::code::Code;
use crate::roster::ReportWriter;
use crate::store::onboarding::{self, BatchRow, ReportedRow, staging};
use crate::store::session::Session;
use crate::store::{Database, StoreError};

const STOPPED: &str = "The onboarding ended before this row. It was not enrolled.";

pub(super) async fn give(
    State(Desk(desk)): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    if !asked.actor.may(Operation::ReadOnboarding) {
        return asked.refuse(StatusCode::FORBIDDEN, Code::Forbidden);
    }
    let Ok(id) = batch_id(&id) else { return asked.absent() };
    let session = desk.database.reading(&asked.actor);
    let batch = match onboarding::by_ids(&session, &asked.actor, &[id]).await {
        Ok(mut batches) => batches.remove(&id),
        Err(error) => return asked.failed(&error),
    };
    let Some(batch) = batch else { return asked.absent() };
    let has_purpose = request.extensions().get::<Purpose>().is_some();
    let is_own = batch.submitted_by == asked.actor.client;
    let in_full = is_own || (has_purpose && asked.actor.reads_personal_data());
    let receive = report_of(Arc::clone(&desk.database), session, batch, in_full);
    let pieces = stream::unfold(receive, |mut receive| async move { Some((receive.recv().await?, receive)) });
    let name = HeaderValue::try_from(report_name(id)).expect("an id is a header value");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// The report of a batch that somebody has been shown, piece by piece; the last one is an error where it broke off.
pub fn report_of(
    database: Arc<Database>,
    session: Session,
    batch: BatchRow,
    in_full: bool,
) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let report = Report { database, session, batch, in_full };
    let (send, receive) = mpsc::channel(2);
    tokio::spawn(async move {
        if let Err(error) = report.write(&send).await {
            tracing::warn!(batch = report.batch.id, %error, "a report broke off");
            // A report that breaks off must not look like a whole one.
            let _ = send.send(Err(std::io::Error::other("the report broke off"))).await;
        }
    });
    receive
}

struct Report {
    database: Arc<Database>,
    session: Session,
    batch: BatchRow,
    in_full: bool,
}

type Send = mpsc::Sender<std::io::Result<Bytes>>;

impl Report {
    /// Writes header and rows, chunk by chunk, as fast as somebody takes them.
    async fn write(&self, send: &Send) -> Result<(), StoreError> {
        let (columns, separator) = staging::form(&self.database.writer, self.batch.id).await?;
        let columns = columns.unwrap_or_else(fields_of_request);
        let separator = separator.bytes().next().unwrap_or(b',');
        let out = Buffer::default();
        let mut writer = ReportWriter::new(out.clone(), &columns, separator).map_err(cannot_write)?;
        let mut next_row = 1;
        while let Some(chunk) = staging::find(&self.database.writer, self.batch.id, next_row).await? {
            next_row = chunk.first_row.saturating_add(1);
            let (rows, _) = staging::open(&self.database.keys, self.batch.id, &chunk)?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
            let told =
                onboarding::reported(&self.session, self.batch.id, (first.number, last.number)).await?;
            let told: HashMap<i32, ReportedRow> = told.into_iter().map(|row| (row.number, row)).collect();
            for row in &rows {
                if let Some(error) = self.error(row, &told) {
                    let cells = if self.in_full { row.cells().to_vec() } else { row.masked_cells() };
                    writer.write(&cells, &error).map_err(cannot_write)?;
                }
            }
            if send.send(Ok(out.take())).await.is_err() {
                // Nobody reads on.
                return Ok(());
            }
        }
        writer.finish().map_err(cannot_write)?;
        // Who has hung up needs the end no more.
        let _ = send.send(Ok(out.take())).await;
        Ok(())
    }

    /// What a row is in the report for; `None`: it is not.
    fn error(&self, row: &StagedRow, told: &HashMap<i32, ReportedRow>) -> Option<String> {
        let stopped = matches!(self.batch.state, OnboardingState::Cancelled | OnboardingState::Failed);
        match told.get(&row.number) {
            Some(ReportedRow { outcome: RowOutcome::Rejected, problems, .. }) => {
                let problems = problems.as_ref().map(|problems| problems.0.as_slice()).unwrap_or_default();
                Some(problems.iter().map(said).collect::<Vec<_>>().join(" | "))
            }
            Some(ReportedRow { outcome: RowOutcome::Pending, .. }) | None if stopped => {
                Some(STOPPED.to_owned())
            }
            _ => None,
        }
    }
}

/// What is written and not sent yet: a chunk's rows at most.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn said(problem: &Problem) -> String {
    let Problem { code, path, message, hint, .. } = problem;
    let field = path.last().map_or("", String::as_str);
    let hint = hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
    format!("{code} at {field}: {message}{hint}")
}

fn cannot_write(_: std::io::Error) -> StoreError {
    StoreError::Fault("a report cannot be written".into())
}
