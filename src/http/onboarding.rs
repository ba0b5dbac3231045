//! The files of onboardings: uploads of rosters (`PUT /onboarding/{id}/file`) and reports of refused rows
//! (`GET /onboarding/{id}/report.csv`), and differences of monthly lists (`GET /onboarding/{id}/differences.csv`, `.xlsx`).
//!
//! Tokens and scopes are those of the API: a batch that the caller may not see is not found.

mod differences;
mod report;
mod slots;
pub(super) mod spool;

pub use differences::Differences;
pub use report::{error_of, report_of};

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::json;
use tokio::time::Instant;
use tracing::Instrument as _;

use self::slots::{NoSlot, Superseded, UploadSlot, UploadSlots};
use graphql_front::answer::refusal;
use graphql_front::code::{Code, ErrorCode};
use graphql_front::cost::{RateLimited, RateLimiter};
use graphql_front::media;
use graphql_front::request_id::{ClientId, RequestId};
use graphql_front::streams::Lease;
use graphql_front::writes::Writes;

use super::file_body::FileRecipient;
use super::language;
use super::settings::Upload;
use crate::actions::onboarding::receive::{self, AcceptedFile, Expected, File, Refused};
use crate::clock::Clock;
use crate::graphql::code::RegistryCode;
use crate::graphql::node_id::{NodeId, batch_id};
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::language::Language;
use domain::onboarding::{OnboardingState, StagedRow};
use domain::problem::{Problem, ProblemCode, Severity};
use roster::{self, Record, RosterError, ignored_columns};

/// The endpoints for files.
#[derive(Clone)]
pub(super) struct FileEndpoints(Arc<FileService>);

struct FileService {
    database: Arc<Database>,
    clock: Clock,
    settings: Upload,
    writes: Writes,
    /// `None` where requests are not limited by cost.
    rate_limiter: Option<Arc<RateLimiter>>,
    slots: Arc<UploadSlots>,
}

impl FileEndpoints {
    /// Creates the endpoints. An upload continues as a write when its connection breaks; a report has a cost.
    pub(super) fn new(
        database: Arc<Database>,
        clock: Clock,
        settings: Upload,
        (writes, rate_limiter): (Writes, Option<Arc<RateLimiter>>),
    ) -> Self {
        let slots = UploadSlots::new(&settings);
        Self(Arc::new(FileService { database, clock, settings, writes, rate_limiter, slots }))
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/onboarding/{id}/file", put(upload))
            .route("/onboarding/{id}/report.csv", get(report::download))
            .route("/onboarding/{id}/differences.csv", get(differences::csv))
            .route("/onboarding/{id}/differences.xlsx", get(differences::workbook))
            .with_state(self)
    }
}

/// A request for a file: its id, who sends it, and the headers that decide the form of the response.
pub(super) struct FileRequest {
    pub(super) id: RequestId,
    pub(super) actor: Arc<Actor>,
    pub(super) headers: HeaderMap,
    lease: Option<Lease>,
}

impl FileRequest {
    pub(super) fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            id: extensions.get().copied().unwrap_or_else(RequestId::new),
            actor: Arc::clone(extensions.get().expect("`authenticate` runs before these routes")),
            headers: request.headers().clone(),
            lease: extensions.get().cloned(),
        }
    }

    /// Returns who gets the file of the answer.
    pub(super) fn recipient(&self) -> FileRecipient {
        FileRecipient::new(self.lease.clone(), self.id)
    }

    /// Refuses the request in the form of the API. The status is never 200, because there is no data.
    pub(super) fn refuse(&self, status: StatusCode, code: impl Into<ErrorCode>) -> Response {
        let code = code.into();
        self.refuse_with(status, code, code.sentence.english)
    }

    pub(super) fn refuse_with(
        &self,
        status: StatusCode,
        code: impl Into<ErrorCode>,
        message: impl Into<Cow<'static, str>>,
    ) -> Response {
        let mut response = refusal(&self.headers, self.id, code, message);
        *response.status_mut() = status;
        response
    }

    /// Charges rows of a file to the rate limit: one point, plus one for each row, up to the burst size.
    pub(super) fn pay(&self, rate_limiter: Option<&RateLimiter>, rows: u64) -> Result<(), Box<Response>> {
        let Some(rate_limiter) = rate_limiter else { return Ok(()) };
        let cost = u32::try_from(rows.saturating_add(1)).unwrap_or(u32::MAX).min(rate_limiter.burst());
        rate_limiter.pay(ClientId(self.actor.client_id), cost, Instant::now()).map_err(|unpaid| {
            let mut response = self.refuse(StatusCode::TOO_MANY_REQUESTS, Code::CostLimitReached);
            if let RateLimited::Wait(seconds, _) = unpaid {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            Box::new(response)
        })?;
        Ok(())
    }

    /// Refuses an upload because of the state of its batch.
    fn conflict(&self, message: &str, hint: &str) -> Response {
        let problem = Problem::error(ProblemCode::Conflict, "batchId", message).hint(hint);
        self.problems(StatusCode::CONFLICT, &[problem])
    }

    fn no_slot(&self, reason: NoSlot) -> Response {
        match reason {
            NoSlot::AllTaken => self.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            NoSlot::ClientLimit => {
                let message = "This client is uploading as many files as it may at once. Send this one when one of them has arrived.";
                self.refuse_with(StatusCode::TOO_MANY_REQUESTS, RegistryCode::TooManyRequests, message)
            }
            NoSlot::BeingRead => self.conflict(
                "The file of this batch has arrived already and is being read.",
                "Query the state of the batch. If it is still RECEIVING after a few minutes, send the file again.",
            ),
        }
    }

    /// Refuses a file that did not arrive completely.
    fn not_spooled(&self, code: Code, most: u64) -> Response {
        match code {
            Code::BodyTooLarge => {
                let message =
                    format!("{} Split it into several files.", RosterError::TooLarge { bytes: most });
                self.refuse_with(StatusCode::PAYLOAD_TOO_LARGE, code, message)
            }
            Code::RequestTimeout => self.refuse(StatusCode::REQUEST_TIMEOUT, code),
            Code::Unavailable => {
                let message = "The server has no room for this file right now, and kept none of it. Send it again later.";
                self.refuse_with(StatusCode::SERVICE_UNAVAILABLE, code, message)
            }
            code => {
                let message = "The file did not arrive completely: the connection broke, or the length differs from Content-Length.";
                self.refuse_with(StatusCode::BAD_REQUEST, code, message)
            }
        }
    }

    fn superseded(&self) -> Response {
        self.conflict(
            "A newer request is uploading the file of this batch.",
            "Wait for that request. If it fails, send the file again.",
        )
    }

    fn not_found(&self) -> Response {
        self.refuse(StatusCode::NOT_FOUND, RegistryCode::NotFound)
    }

    /// Returns what is wrong with the file, in the form of the API.
    fn problems(&self, status: StatusCode, problems: &[Problem]) -> Response {
        let language = language::accepted(&self.headers);
        let mut response = (status, Json(json!({ "errors": self.translated(problems) }))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.into()));
        response
    }

    fn translated(&self, problems: &[Problem]) -> Vec<serde_json::Value> {
        let language = language::accepted(&self.headers);
        let translate = |problem: &Problem| match language {
            Language::English => json!(problem),
            Language::Indonesian => {
                let translated = problem.in_indonesian();
                let (message, hint) = (translated.message.to_owned(), Some(translated.hint));
                json!(Problem { message, hint, ..problem.clone() })
            }
        };
        problems.iter().map(translate).collect()
    }

    pub(super) fn failed(&self, error: &StoreError) -> Response {
        match error {
            error if error.is_transient() => {
                tracing::warn!(request_id = %self.id, %error, "database unavailable for a file request");
                self.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            error => {
                tracing::error!(request_id = %self.id, %error, "a file request failed");
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
            }
        }
    }
}

async fn upload(
    State(FileEndpoints(service)): State<FileEndpoints>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let context = FileRequest::of(&request);
    if request.headers().contains_key(header::CONTENT_RANGE) {
        let message = "Content-Range is not supported: this would be a part of a file, and it would be read as all of \
                       it. Send the whole file in one request (curl: without -C and --continue-at).";
        return context.refuse_with(StatusCode::BAD_REQUEST, Code::BadRequest, message);
    }
    if media::is_encoded(request.headers()) {
        let code = Code::UnsupportedMediaType;
        return context.refuse_with(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, media::NOT_DECODED);
    }
    match receive_file(&service, &context, &id, request).await {
        Ok(ReceivedFile { rows, ignored_columns, warnings }) => {
            let warnings = context.translated(&warnings);
            let answer =
                json!({ "batch": id, "rows": rows, "ignoredColumns": ignored_columns, "warnings": warnings });
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::OK, headers, Json(answer)).into_response()
        }
        Err(response) => *response,
    }
}

/// What the response says about a file that was staged.
struct ReceivedFile {
    rows: i32,
    /// The names of the columns that were not read.
    ignored_columns: Vec<String>,
    warnings: Vec<Problem>,
}

/// Receives a file: spools it to disk, checks that it is the announced one, and then stages its rows in the database.
async fn receive_file(
    service: &Arc<FileService>,
    context: &FileRequest,
    id: &str,
    request: Request,
) -> Result<ReceivedFile, Box<Response>> {
    let batch = batch_id(id).map_err(|_| context.not_found())?;
    let expected = match receive::expect(&service.database, &context.actor, batch).await {
        Ok(expected) => expected,
        Err(Refused::NotWaiting) => return receive_again(service, context, batch, request).await,
        Err(refused) => return Err(Box::new(refused_file(context, &refused))),
    };
    let (slot, spooled) = spool_file(service, context, batch, request).await?;
    if expected.sha256.as_ref().is_some_and(|announced| *announced != spooled.sha256) {
        let message = "This is not the announced file: its SHA-256 differs.";
        let problem = Problem::error(ProblemCode::Conflict, "sha256", message);
        let problem = problem.hint("Send the announced file, or start another onboarding.");
        return Err(Box::new(context.problems(StatusCode::UNPROCESSABLE_ENTITY, &[problem])));
    }
    let (service, today) = (Arc::clone(service), service.clock.today());
    let writes = service.writes.clone();
    // Like every write, this completes even if the client disconnects.
    let work = async move {
        let _slot = slot;
        stage(&service, today, expected, spooled).await
    };
    let staged = tokio::spawn(writes.enter(work).instrument(tracing::Span::current())).await;
    let staged = staged.unwrap_or_else(|error| {
        Err(Refused::Store(match error.is_panic() {
            true => StoreError::Fault("receiving a file panicked".into()),
            false => StoreError::Unavailable("stopping".into()),
        }))
    });
    staged.map_err(|refused| Box::new(refused_file(context, &refused)))
}

/// Spools a file to disk. The slot stays taken until the file is read.
async fn spool_file(
    service: &FileService,
    context: &FileRequest,
    batch: i64,
    request: Request,
) -> Result<(UploadSlot, spool::SpooledFile), Box<Response>> {
    let slot = service.slots.enter(batch, context.actor.client_id);
    let mut slot = slot.map_err(|reason| context.no_slot(reason))?;
    let spooled = slot.receive(spool::spool(&service.settings, request)).await;
    let spooled = spooled.map_err(|Superseded| context.superseded())?;
    let spooled = spooled.map_err(|code| context.not_spooled(code, service.settings.limits.bytes))?;
    Ok((slot, spooled))
}

/// Answers an upload for a batch that has its file already. If it is the same file, sent again because the response was
/// lost, the response is the same.
async fn receive_again(
    service: &Arc<FileService>,
    context: &FileRequest,
    batch: i64,
    request: Request,
) -> Result<ReceivedFile, Box<Response>> {
    let (_slot, spooled) = spool_file(service, context, batch, request).await?;
    let found = receive::find_own(&service.database, &context.actor, batch).await;
    let found = found.map_err(|refused| refused_file(context, &refused))?;
    if found.digest.is_some_and(|digest| digest == service.database.keys.fingerprint(&spooled.sha256)) {
        let problems = found.problems.map(|problems| problems.0).unwrap_or_default();
        let warnings = problems.into_iter().filter(|problem| problem.severity == Severity::Warning).collect();
        let ignored_columns =
            found.columns.as_deref().map(|columns| ignored_columns(found.kind, columns)).unwrap_or_default();
        return Ok(ReceivedFile { rows: found.received, ignored_columns, warnings });
    }
    let message = match found.state {
        OnboardingState::Receiving => "Another request is uploading the file of this batch.",
        state if state.is_final() => "This batch has ended and accepts no file.",
        _ => "This batch already has another file.",
    };
    Err(Box::new(context.conflict(message, "Start another onboarding for this file: startOnboarding.")))
}

async fn stage(
    service: &FileService,
    today: chrono::NaiveDate,
    expected: Expected,
    spooled: spool::SpooledFile,
) -> Result<ReceivedFile, Refused> {
    let (kind, limits) = (expected.kind(), service.settings.limits);
    let is_list = expected.is_monthly_list();
    let opened = tokio::task::spawn_blocking(move || match is_list {
        true => roster::open_monthly_list(kind, spooled.file, &limits),
        false => roster::open_for(kind, spooled.file, &limits),
    });
    let opened = opened.await.map_err(|_| StoreError::Fault("reading the file was interrupted".into()))?;
    let roster = opened.map_err(|error| Refused::Problems(vec![error.problem()]))?;
    let (ignored_columns, warnings) = (roster.ignored_columns().to_vec(), roster.warnings());
    let file = File {
        sha256: spooled.sha256,
        columns: Some(roster.columns().to_vec()),
        separator: char::from(roster.separator()),
        chunk_rows: service.settings.chunk_rows,
        warnings: Box::new(move || warnings.problems()),
        rows: roster.map(staged),
    };
    let AcceptedFile { rows, warnings } = receive::receive(&service.database, today, expected, file).await?;
    Ok(ReceivedFile { rows, ignored_columns, warnings })
}

fn refused_file(context: &FileRequest, refused: &Refused) -> Response {
    match refused {
        Refused::Absent => context.not_found(),
        Refused::Forbidden => context.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden),
        Refused::NotYours => {
            let message = "Another client started this batch. Only that client can send its file.";
            let problem = Problem::error(ProblemCode::OutOfScope, "batchId", message);
            let problem = problem.hint("Start an onboarding of your own: startOnboarding.");
            context.problems(StatusCode::FORBIDDEN, &[problem])
        }
        Refused::NotWaiting => {
            let message = "This batch is not waiting for a file, or another request is uploading it.";
            context.conflict(message, "Query its state.")
        }
        Refused::Problems(problems) => context.problems(StatusCode::UNPROCESSABLE_ENTITY, problems),
        Refused::Store(error) => context.failed(error),
    }
}

/// Converts a row of a roster for staging.
///
/// # Errors
/// The file is refused as a whole.
pub fn staged(record: Result<Record, RosterError>) -> Result<StagedRow, Problem> {
    let Record { number, line, row, original } = record.map_err(|error| error.problem())?;
    Ok(StagedRow::new(number, Some(line), row, original))
}

/// The file name of a report, for browsers.
fn report_name(batch: i64) -> String {
    format!("attachment; filename=\"report-{}.csv\"", NodeId::Batch(batch).encode().as_str())
}
