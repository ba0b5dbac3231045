//! The rows of a batch that were refused, as CSV in the columns they came in, with what is wrong in a last column.
//!
//! Who has sent the batch gets back what it sent. Everybody else who sees the batch is told personal data under the rule
//! that holds everywhere: by who has the right and says for what; else numbers are masked, and what is not known to be
//! harmless is left out ([`Mask`]).

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use graphql_front::code::Code;
use graphql_front::cost::RateLimited;
use graphql_front::request_id::ClientId;

use super::{Asked, Desk, Inner, report_name};
use crate::graphql::code::RegistryCode;
use crate::graphql::node_id::{NodeId, batch_id};
use crate::http::language;
use crate::store::audit::{About, Trail};
use crate::store::onboarding::staging::{self, SealedChunk};
use crate::store::onboarding::{self, BatchRow, ReportedRow, retention};
use crate::store::session::Session;
use crate::store::{Database, StoreError};
use domain::access::Purpose;
use domain::actor::Operation;
use domain::language::Language;
use domain::onboarding::{OnboardingState, RowOutcome, StagedRow, fields_of_request};
use domain::problem::Problem;
use domain::text;
use roster::{Mask, ReportWriter, named};

/// What is said of a row that nothing is wrong with.
const fn stopped(language: Language) -> &'static str {
    match language {
        Language::English => "The onboarding ended before this row. It was not enrolled.",
        Language::Indonesian => "Pendaftaran berakhir sebelum baris ini. Orang ini tidak didaftarkan.",
    }
}

pub(super) async fn give(
    State(Desk(desk)): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    if !asked.actor.may(Operation::ReadOnboarding) {
        return asked.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden);
    }
    let Ok(id) = batch_id(&id) else { return asked.absent() };
    let session = desk.database.reading(&asked.actor);
    let batch = match onboarding::by_ids(&session, &asked.actor, &[id]).await {
        Ok(mut batches) => batches.remove(&id),
        Err(error) => return asked.failed(&error),
    };
    let Some(batch) = batch else { return asked.absent() };
    if batch.discarded_at.is_some() {
        return asked.refuse(StatusCode::GONE, RegistryCode::ReportGone);
    }
    if let Err(refused) = pay(&desk, &asked, &batch) {
        return *refused;
    }
    let purpose = request.extensions().get::<Purpose>();
    let is_own = batch.submitted_by == asked.actor.client;
    let in_full = is_own || (purpose.is_some() && asked.actor.reads_personal_data());
    if let Err(error) = put_on_record(&desk.database, &session, &asked, &batch, purpose).await {
        tracing::error!(request_id = %asked.id, %error, "a report was not given: no entry for it");
        return asked.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable);
    }
    let language = language::accepted(&asked.headers);
    let receive = report_of(Arc::clone(&desk.database), session, batch, (in_full, language));
    let pieces = stream::unfold(receive, |mut receive| async move { Some((receive.recv().await?, receive)) });
    let name = HeaderValue::try_from(report_name(id)).expect("an id is a header value");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// A report costs a point for itself and one for each row, and never more than a client has after a rest.
fn pay(desk: &Inner, asked: &Asked, batch: &BatchRow) -> Result<(), Box<Response>> {
    let Some(rate_limiter) = &desk.rate_limiter else { return Ok(()) };
    let cost = rows_of(batch).unsigned_abs().saturating_add(1).min(rate_limiter.burst());
    rate_limiter.pay(ClientId(asked.actor.client_id), cost, Instant::now()).map_err(|unpaid| {
        let mut response = asked.refuse(StatusCode::TOO_MANY_REQUESTS, Code::CostLimitReached);
        if let RateLimited::Wait(seconds, _) = unpaid {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        Box::new(response)
    })?;
    Ok(())
}

/// Masked or in full: before the first byte leaves it is on record who reads it, of which batch, how many rows and what for.
async fn put_on_record(
    database: &Database,
    session: &Session,
    asked: &Asked,
    batch: &BatchRow,
    purpose: Option<&Purpose>,
) -> Result<(), StoreError> {
    let about = About {
        operation: format!(
            "onboardingReport {} rows={}",
            NodeId::Batch(batch.id).encode().as_str(),
            rows_of(batch)
        ),
        purpose: purpose.map(|purpose| purpose.as_str().to_owned()),
        request_id: asked.id.uuid(),
    };
    Trail::new(&database.journal, session, Arc::clone(&asked.actor), about).close_unnamed().await
}

/// How many rows a report has; of a batch that is still applied, has so far.
fn rows_of(batch: &BatchRow) -> i32 {
    batch.rejected + if is_stopped(batch) { batch.pending } else { 0 }
}

/// Are its pending rows in the report, because they will never be enrolled?
fn is_stopped(batch: &BatchRow) -> bool {
    match batch.state {
        // A trial ends with its plan: what is pending would be enrolled.
        OnboardingState::Cancelled => !batch.dry_run,
        state => state == OnboardingState::Failed,
    }
}

/// The report of a batch that somebody has been shown, piece by piece; the last one is an error where it broke off.
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
    language: Language,
}

type Taker = mpsc::Sender<std::io::Result<Bytes>>;

impl Report {
    /// Writes header and rows, chunk by chunk, as fast as somebody takes them.
    async fn write(self: &Arc<Self>, send: &Taker) -> Result<(), StoreError> {
        let (columns, separator) = staging::form(&self.database.writer, self.batch.id).await?;
        let columns = Arc::new(columns.unwrap_or_else(fields_of_request));
        let separator = separator.bytes().next().unwrap_or(b',');
        let mut sheet = Sheet::new(&columns, separator, self.in_full)?;
        let mut next_row = 1;
        while let Some(chunk) = self.next_chunk(next_row).await? {
            next_row = chunk.first_row.saturating_add(1);
            let report = Arc::clone(self);
            let open = move || staging::open(&report.database.keys, report.batch.id, &chunk);
            let (rows, _) = aside(open).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
            let told =
                onboarding::reported(&self.session, self.batch.id, (first.number, last.number)).await?;
            let report = Arc::clone(self);
            let names = Arc::clone(&columns);
            sheet = aside(move || report.write_rows(&rows, told, &names, sheet)).await?;
            if send.send(Ok(sheet.out.take())).await.is_err() {
                // Nobody reads on.
                return Ok(());
            }
        }
        if retention::is_discarded(&self.database.writer, self.batch.id).await? {
            return Err(StoreError::Unavailable("its rows were discarded meanwhile".into()));
        }
        // Who has hung up needs the end no more.
        let _ = send.send(Ok(sheet.finish()?)).await;
        Ok(())
    }

    /// The next chunk with a row that the report is about.
    async fn next_chunk(&self, row: i32) -> Result<Option<SealedChunk>, StoreError> {
        match is_stopped(&self.batch) {
            true => staging::find(&self.database.writer, self.batch.id, row).await,
            false => staging::find_rejected(&self.database.writer, self.batch.id, row).await,
        }
    }

    fn write_rows(
        &self,
        rows: &[StagedRow],
        told: Vec<ReportedRow>,
        columns: &[String],
        mut sheet: Sheet,
    ) -> Result<Sheet, StoreError> {
        let told: HashMap<i32, ReportedRow> = told.into_iter().map(|row| (row.number, row)).collect();
        for row in rows {
            if let Some(error) = self.error(row, &told, columns) {
                sheet.write(row, &error)?;
            }
        }
        Ok(sheet)
    }

    /// What a row is in the report for; `None`: it is not.
    fn error(&self, row: &StagedRow, told: &HashMap<i32, ReportedRow>, columns: &[String]) -> Option<String> {
        let is_stopped = is_stopped(&self.batch);
        match told.get(&row.number) {
            Some(ReportedRow { outcome: RowOutcome::Rejected, problems, .. }) => {
                let problems = problems.as_ref().map(|problems| problems.0.as_slice()).unwrap_or_default();
                let said = problems.iter().map(|problem| said(problem, columns, self.language));
                Some(said.collect::<Vec<_>>().join(" | "))
            }
            Some(ReportedRow { outcome: RowOutcome::Pending, .. }) | None if is_stopped => {
                Some(stopped(self.language).to_owned())
            }
            _ => None,
        }
    }
}

/// Does what takes longer, for thousands of rows, than other requests should wait for this thread.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(StoreError::Fault("writing a report broke off".into())))
}

/// A report on its way: in full, or masked.
struct Sheet {
    mask: Option<Mask>,
    writer: ReportWriter<Buffer>,
    out: Buffer,
}

impl Sheet {
    fn new(columns: &[String], separator: u8, in_full: bool) -> Result<Self, StoreError> {
        let mask = (!in_full).then(|| Mask::of(columns));
        let columns = mask.as_ref().map_or_else(|| columns.to_vec(), |mask| mask.columns(columns));
        let out = Buffer::default();
        let writer = ReportWriter::new(out.clone(), &columns, separator).map_err(cannot_write)?;
        Ok(Self { mask, writer, out })
    }

    fn write(&mut self, row: &StagedRow, error: &str) -> Result<(), StoreError> {
        let written = match &self.mask {
            None => self.writer.write(row.cells(), error),
            // What a message repeats of a file is no identity number, unless a column is called by one.
            Some(mask) => self.writer.write(&mask.cells(row), &text::without_numbers(error)),
        };
        written.map_err(cannot_write)
    }

    fn finish(self) -> Result<Bytes, StoreError> {
        self.writer.finish().map_err(cannot_write)?;
        Ok(self.out.take())
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

/// What is wrong, where by the file's own header, and what to do.
fn said(problem: &Problem, columns: &[String], language: Language) -> String {
    let field = problem.path.last().map_or("", String::as_str);
    let (code, column) = (problem.code, named(columns, field).unwrap_or(field));
    match language {
        Language::English => {
            let hint = problem.hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
            format!("{code} at {column}: {}{hint}", problem.message)
        }
        Language::Indonesian => {
            let said = problem.in_indonesian();
            format!("{code} pada {column}: {} {}", said.message, said.hint)
        }
    }
}

fn cannot_write(_: std::io::Error) -> StoreError {
    StoreError::Fault("a report cannot be written".into())
}
