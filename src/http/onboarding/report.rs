//! Reports: the refused rows of a batch as CSV, in the columns of their file and with what is wrong in a last column.
//!
//! The client that submitted the batch gets its rows as it sent them. Other clients that may see the batch get personal
//! data only with the right to read it and a purpose; otherwise numbers are masked, and cells that are not known to be
//! harmless are left out ([`ReportMask`]).

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;

use super::{FileEndpoints, FileRequest, report_name};
use graphql_front::code::Code;

use crate::graphql::code::RegistryCode;
use crate::graphql::node_id::{NodeId, batch_id};
use crate::http::file_body::{Buffer, PieceSender};
use crate::http::language;
use crate::store::audit::{About, Trail, rows_read};
use crate::store::onboarding::staging::{self, SealedChunk};
use crate::store::onboarding::{self, BatchRow, ReportedRow, retention};
use crate::store::session::Session;
use crate::store::{Database, StoreError};
use domain::access::Purpose;
use domain::actor::Right;
use domain::language::Language;
use domain::onboarding::{OnboardingState, RowOutcome, StagedRow, fields_of_request};
use domain::problem::Problem;
use domain::text;
use roster::{ReportMask, ReportWriter, column_name};

/// The error of a valid row that the onboarding did not reach.
const fn not_reached(language: Language) -> &'static str {
    match language {
        Language::English => "The onboarding ended before this row. It was not enrolled.",
        Language::Indonesian => "Pendaftaran berakhir sebelum baris ini. Orang ini tidak didaftarkan.",
    }
}

pub(super) async fn download(
    State(FileEndpoints(service)): State<FileEndpoints>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let context = FileRequest::of(&request);
    if !context.actor.may(Right::ReadOnboarding) {
        return context.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden);
    }
    let Ok(id) = batch_id(&id) else { return context.not_found() };
    let session = service.database.reading(&context.actor);
    let batch = match onboarding::by_ids(&session, &context.actor, &[id]).await {
        Ok(mut batches) => batches.remove(&id),
        Err(error) => return context.failed(&error),
    };
    let Some(batch) = batch else { return context.not_found() };
    if batch.discarded_at.is_some() {
        return context.refuse(StatusCode::GONE, RegistryCode::ReportGone);
    }
    if let Err(refused) = context.pay(service.rate_limiter.as_deref(), rows_of(&batch).unsigned_abs().into())
    {
        return *refused;
    }
    let purpose = request.extensions().get::<Purpose>();
    let is_own = batch.submitted_by == context.actor.client;
    let in_full = is_own || (purpose.is_some() && context.actor.reads_personal_data());
    if let Err(error) = audit(&service.database, &session, &context, &batch, purpose).await {
        tracing::error!(request_id = %context.id, %error, "a report was refused: its audit entry could not be written");
        return context.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
    }
    let language = language::accepted(&context.headers);
    let pieces = report_of(Arc::clone(&service.database), session, batch, (in_full, language));
    let name = HeaderValue::try_from(report_name(id)).expect("an id is a header value");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(language.into())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, context.recipient().body_of_pieces(pieces)).into_response()
}

/// Writes the audit entry before the first byte is sent: who reads which batch, how many rows, and for what purpose.
async fn audit(
    database: &Database,
    session: &Session,
    context: &FileRequest,
    batch: &BatchRow,
    purpose: Option<&Purpose>,
) -> Result<(), StoreError> {
    let about = About {
        operation: rows_read(NodeId::Batch(batch.id).encode().as_str(), rows_of(batch)),
        purpose: purpose.map(|purpose| purpose.as_str().to_owned()),
        request_id: context.id.uuid(),
    };
    Trail::new(&database.journal, session, Arc::clone(&context.actor), about).close_unnamed().await
}

/// The number of rows of a report; of a batch that is still being applied, so far.
fn rows_of(batch: &BatchRow) -> i32 {
    batch.rejected + if is_stopped(batch) { batch.pending } else { 0 }
}

/// Whether the pending rows belong in the report because they will never be enrolled.
fn is_stopped(batch: &BatchRow) -> bool {
    match batch.state {
        // A plan ends as cancelled; its pending rows would be enrolled.
        OnboardingState::Cancelled => !batch.dry_run,
        state => state == OnboardingState::Failed,
    }
}

/// Writes the report of a batch that the session may see, in pieces. If writing fails, the last piece is an error.
pub fn report_of(
    database: Arc<Database>,
    session: Session,
    batch: BatchRow,
    (in_full, language): (bool, Language),
) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let report = Arc::new(Report { database, session, batch, in_full, language });
    let (send, receive) = mpsc::channel(2);
    tokio::spawn(async move {
        if let Err(error) = report.write(&send).await {
            tracing::warn!(batch = report.batch.id, %error, "a report failed");
            // A partial report must not look complete.
            let _ = send.send(Err(std::io::Error::other("the report failed"))).await;
        }
    });
    receive
}

struct Report {
    database: Arc<Database>,
    session: Session,
    batch: BatchRow,
    in_full: bool,
    language: Language,
}

impl Report {
    /// Writes the header and the rows, chunk by chunk, as fast as the reader takes them.
    async fn write(self: &Arc<Self>, send: &PieceSender) -> Result<(), StoreError> {
        let (columns, separator) = staging::form(&self.database.writer, self.batch.id).await?;
        let columns = Arc::new(columns.unwrap_or_else(fields_of_request));
        let separator = separator.bytes().next().unwrap_or(b',');
        let mut sheet = ReportSheet::new(&columns, separator, self.in_full)?;
        let mut next_row = 1;
        while let Some(chunk) = self.next_chunk(next_row).await? {
            next_row = chunk.first_row.saturating_add(1);
            let report = Arc::clone(self);
            let open = move || staging::open(&report.database.keys, report.batch.id, &chunk);
            let (rows, _) = in_background(open).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
            let outcomes =
                onboarding::reported(&self.session, self.batch.id, (first.number, last.number)).await?;
            let report = Arc::clone(self);
            let names = Arc::clone(&columns);
            sheet = in_background(move || report.write_rows(&rows, outcomes, &names, sheet)).await?;
            if send.send(Ok(sheet.out.take())).await.is_err() {
                // The reader has disconnected.
                return Ok(());
            }
        }
        if retention::is_discarded(&self.database.writer, self.batch.id).await? {
            return Err(StoreError::Unavailable("its rows have been discarded".into()));
        }
        // The reader may have disconnected, which does not matter here.
        let _ = send.send(Ok(sheet.finish()?)).await;
        Ok(())
    }

    /// Returns the next chunk that has rows for the report.
    async fn next_chunk(&self, row: i32) -> Result<Option<SealedChunk>, StoreError> {
        match is_stopped(&self.batch) {
            true => staging::find(&self.database.writer, self.batch.id, row).await,
            false => staging::find_rejected(&self.database.writer, self.batch.id, row).await,
        }
    }

    fn write_rows(
        &self,
        rows: &[StagedRow],
        outcomes: Vec<ReportedRow>,
        columns: &[String],
        mut sheet: ReportSheet,
    ) -> Result<ReportSheet, StoreError> {
        let outcomes: HashMap<i32, ReportedRow> = outcomes.into_iter().map(|row| (row.number, row)).collect();
        for row in rows {
            if let Some(error) = self.error(row, &outcomes, columns) {
                sheet.write(row, &error)?;
            }
        }
        Ok(sheet)
    }

    /// The error of a row in the report; `None` if the row is not in the report.
    fn error(
        &self,
        row: &StagedRow,
        outcomes: &HashMap<i32, ReportedRow>,
        columns: &[String],
    ) -> Option<String> {
        let is_stopped = is_stopped(&self.batch);
        match outcomes.get(&row.number) {
            Some(ReportedRow { outcome: RowOutcome::Rejected, problems, .. }) => {
                let problems = problems.as_ref().map(|problems| problems.0.as_slice()).unwrap_or_default();
                Some(error_of(problems, columns, self.language))
            }
            Some(ReportedRow { outcome: RowOutcome::Pending, .. }) | None if is_stopped => {
                Some(not_reached(self.language).to_owned())
            }
            _ => None,
        }
    }
}

/// Runs work on thousands of rows on another thread, so that other requests do not wait for it.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(StoreError::Fault("writing a report was interrupted".into())))
}

/// A report that is being written, in full or masked.
struct ReportSheet {
    mask: Option<ReportMask>,
    writer: ReportWriter<Buffer>,
    out: Buffer,
}

impl ReportSheet {
    fn new(columns: &[String], separator: u8, in_full: bool) -> Result<Self, StoreError> {
        let mask = (!in_full).then(|| ReportMask::of(columns));
        let columns = mask.as_ref().map_or_else(|| columns.to_vec(), |mask| mask.columns(columns));
        let out = Buffer::default();
        let writer = ReportWriter::new(out.clone(), &columns, separator).map_err(cannot_write)?;
        Ok(Self { mask, writer, out })
    }

    fn write(&mut self, row: &StagedRow, error: &str) -> Result<(), StoreError> {
        let written = match &self.mask {
            None => self.writer.write(row.cells(), error),
            Some(mask) => self.writer.write(&mask.cells(row), error),
        };
        written.map_err(cannot_write)
    }

    fn finish(self) -> Result<Bytes, StoreError> {
        self.writer.finish().map_err(cannot_write)?;
        Ok(self.out.take())
    }
}

/// The error of a refused row: all that is wrong, in which columns of the file, and what to do.
pub fn error_of(problems: &[Problem], columns: &[String], language: Language) -> String {
    let sentences = problems.iter().map(|problem| sentence(problem, columns, language));
    sentences.collect::<Vec<_>>().join(" | ")
}

fn sentence(problem: &Problem, columns: &[String], language: Language) -> String {
    let field = problem.path.last().map_or("", String::as_str);
    // A column may be named like an identity number. The rest of the sentence is ours, and is never masked.
    let column = text::without_numbers(column_name(columns, field).unwrap_or(field));
    let code = problem.code;
    match language {
        Language::English => {
            let hint = problem.hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
            format!("{code} at {column}: {}{hint}", problem.message)
        }
        Language::Indonesian => {
            let translated = problem.in_indonesian();
            format!("{code} pada {column}: {} {}", translated.message, translated.hint)
        }
    }
}

fn cannot_write(_: std::io::Error) -> StoreError {
    StoreError::Fault("a report cannot be written".into())
}
