//! `GET /export/{table}.csv` and `.xlsx`: the lists of the API as files, as they were at one moment.
//!
//! The scope of the caller is that of the API, in the statement and by row security. Numbers, birth dates and wages are
//! masked together, unless the caller may read personal data and states a purpose. The audit trail names the people of each
//! piece before the piece leaves. A row costs a point.
//!
//! A CSV is sent while it is read. Its last row tells the number of rows and the digest, so a cut file is known. A workbook
//! is made on the disk first, because its table of contents is at its end.
//!
//! Exports read from a standby that shows the client what it wrote, if there is one. Until the first byte has left, an export
//! that fails there begins again at the primary. Later the file is cut, and the client's next export reads from the primary.

mod beginning;
mod conditions;
mod coverage;
mod permit;
mod rows;
mod sheet;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_graphql::Error;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graphql_front::code::Code;
use graphql_front::cost::RateLimiter;
use roster::WorkbookTable;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use self::beginning::PermittedExport;
use self::permit::{ExportPermit, ExportPermits};
use self::rows::{Rows, WriteError};
use self::sheet::{SavedWorkbook, Sheet};
use super::file_body::{FileRecipient, PieceSender};
use super::onboarding::FileRequest;
use super::position::{AtStandby, Positions};
use super::settings::Export as Limits;
use crate::clock::Clock;
use crate::graphql::caller::Caller;
use crate::graphql::code::RegistryCode;
use crate::graphql::error::FieldError;
use crate::graphql::export::{BadCondition, Dataset, Selection};
use crate::store::audit::{About, Trail};
use crate::store::session::Session;
use crate::store::snapshot::Snapshot;
use crate::store::{Database, StoreError};
use domain::access::{Purpose, Right};

/// The number of rows, where it is known before they are written.
const ROWS: HeaderName = HeaderName::from_static("export-rows");
/// The digest of a workbook (RFC 9530).
const DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The endpoint for exports.
#[derive(Clone)]
pub(super) struct ExportEndpoint(Arc<Service>);

struct Service {
    database: Arc<Database>,
    clock: Clock,
    limits: Limits,
    /// Folder for workbooks while they are made.
    spool: PathBuf,
    /// `None` where requests are not limited by cost.
    rate_limiter: Option<Arc<RateLimiter>>,
    permits: ExportPermits,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum Format {
    Csv,
    Xlsx,
}

impl Format {
    const fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        })
    }
}

impl ExportEndpoint {
    /// Creates the endpoint. Workbooks are made in the folder.
    pub(super) fn new(
        database: Arc<Database>,
        clock: Clock,
        (limits, spool): (Limits, PathBuf),
        rate_limiter: Option<Arc<RateLimiter>>,
    ) -> Self {
        Self(Arc::new(Service {
            database,
            clock,
            limits,
            spool,
            rate_limiter,
            permits: ExportPermits::default(),
        }))
    }

    /// The route.
    pub(super) fn routes(self) -> Router {
        Router::new().route("/export/{file}", get(download)).with_state(self)
    }
}

async fn download(
    State(ExportEndpoint(service)): State<ExportEndpoint>,
    Path(file): Path<String>,
    request: Request,
) -> Response {
    let context = FileRequest::of(&request);
    let purpose = request.extensions().get::<Purpose>().cloned();
    let positions = request.extensions().get::<Arc<Positions>>().cloned();
    export(&service, &context, (&file, request.uri().clone()), purpose, positions)
        .await
        .unwrap_or_else(|refused| *refused)
}

type Refused = Box<Response>;

/// Checks everything that can be refused, and starts the export.
async fn export(
    service: &Arc<Service>,
    context: &FileRequest,
    (file, address): (&str, Uri),
    purpose: Option<Purpose>,
    positions: Option<Arc<Positions>>,
) -> Result<Response, Refused> {
    let known = file.split_once('.').and_then(|(name, form)| Some((name.parse().ok()?, form.parse().ok()?)));
    let Some((dataset, format)): Option<(Dataset, Format)> = known else {
        let message = "There is no such export: query `exports` for the paths of those that there are.";
        return Err(Box::new(context.refuse_with(StatusCode::NOT_FOUND, RegistryCode::NotFound, message)));
    };
    let caller = Caller::new(Arc::clone(&service.database), Arc::clone(&context.actor), service.clock);
    let caller = caller.for_purpose(purpose.as_ref());
    require_right(context, &caller, dataset)?;
    let bad =
        |message| Box::new(context.refuse_with(StatusCode::BAD_REQUEST, RegistryCode::BadFilter, message));
    let conditions = conditions::read(dataset, &address).map_err(bad)?;
    let selection = Selection::read(&caller, dataset, &conditions);
    let selection = selection.map_err(|wrong| refuse_condition(context, wrong))?;
    let client = context.actor.client_id;
    let choose = || AtStandby::choose(&service.database, client, positions.as_ref());
    if let Selection::Coverage(filter) = selection {
        return coverage::export(service, context, (caller, choose()), filter, format).await;
    }
    let Some(permit) = service.permits.take(client) else {
        let message = "An export of this client is running. Start this one when it has ended.";
        let code = RegistryCode::TooManyRequests;
        return Err(Box::new(context.refuse_with(StatusCode::TOO_MANY_REQUESTS, code, message)));
    };
    let at = if permit.was_cut { None } else { choose() };
    let deadline = Instant::now() + service.limits.deadline;
    let permit = Arc::new(permit);
    let export = PermittedExport {
        service,
        context,
        caller,
        dataset,
        selection,
        format,
        deadline,
        permit,
        is_paid: false,
    };
    let mut response = export.run(at).await.map_err(|stopped| stopped.refusal(context))?;
    name_file(&mut response, dataset, format);
    Ok(response)
}

/// Refuses a caller without the right.
fn require_right(context: &FileRequest, caller: &Caller, dataset: Dataset) -> Result<(), Refused> {
    let right = dataset.right();
    if !caller.actor.may(right) {
        return Err(Box::new(context.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden)));
    }
    if right == Right::ReadPersonalData && !caller.reads_personal_data() {
        let message = "Contributions reveal wages. This export needs the right to personal data, and a purpose in X-Purpose.";
        return Err(Box::new(context.refuse_with(StatusCode::FORBIDDEN, RegistryCode::Forbidden, message)));
    }
    Ok(())
}

/// Refuses a condition in the words of the API.
fn refuse_condition(context: &FileRequest, wrong: BadCondition) -> Refused {
    let (code, message) = match wrong {
        BadCondition::Value(name, reason) => {
            (RegistryCode::BadFilter.into(), format!("The filter `{name}` is invalid: {reason}"))
        }
        BadCondition::Filter(error) => in_words(error),
    };
    Box::new(context.refuse_with(StatusCode::BAD_REQUEST, code, message))
}

fn in_words(error: FieldError) -> (graphql_front::code::ErrorCode, String) {
    let error = Error::from(error);
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    let code = code.and_then(|code| match code {
        async_graphql::Value::String(name) => RegistryCode::find(name),
        _ => None,
    });
    (code.unwrap_or_else(|| RegistryCode::BadFilter.into()), error.message)
}

fn refuse_full_sheet(context: &FileRequest, format: Format, rows: u64) -> Result<(), Refused> {
    let most = u64::from(WorkbookTable::MOST_ROWS);
    if format == Format::Csv || rows <= most {
        return Ok(());
    }
    let message =
        format!("A sheet holds {most} rows, and this export has {rows}. Narrow the filter, or take the CSV.");
    Err(Box::new(context.refuse_with(StatusCode::BAD_REQUEST, RegistryCode::BadFilter, message)))
}

fn failed_export(context: &FileRequest, error: &Failed) -> Refused {
    tracing::error!(request_id = %context.id, %error, "an export failed");
    Box::new(match error {
        Failed::Store(error) => context.failed(error),
        Failed::Deadline => {
            let message = "The export took too long. Narrow the filter.";
            context.refuse_with(StatusCode::SERVICE_UNAVAILABLE, Code::DeadlineExceeded, message)
        }
        Failed::Write(WriteError::Key(_)) => {
            context.refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
        }
        Failed::Write(WriteError::Io(_)) | Failed::Interrupted => {
            context.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
        }
    })
}

/// Names the file for browsers, and keeps caches from storing it.
fn name_file(response: &mut Response, dataset: Dataset, format: Format) {
    let name = format!("attachment; filename=\"{dataset}.{format}\"");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.media_type());
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::try_from(name).expect("names of tables are header values"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: see REGISTRY_SPOOL_DIR")]
    Write(#[from] WriteError),
    /// The library for workbooks panics when it cannot write to the disk.
    #[error("writing was interrupted, perhaps because the disk is full: see REGISTRY_SPOOL_DIR")]
    Interrupted,
    #[error("the deadline passed")]
    Deadline,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error.into())
    }
}

/// An export that runs.
struct Export {
    caller: Caller,
    dataset: Dataset,
    about: About,
    /// The number of rows.
    count: u64,
    snapshot: Snapshot,
    /// The session of the snapshot.
    session: Session,
    /// The first rows, which were read already.
    first: Option<Rows>,
    deadline: Instant,
    permit: Arc<ExportPermit>,
}

impl Export {
    /// Reads the next rows, and puts on record who is in them. `None` where there are no more.
    async fn next(&mut self) -> Result<Option<Rows>, Failed> {
        let rows = Rows::next(&mut self.snapshot, self.dataset).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // A trail of its own for each piece: one for all would hold millions of people in memory.
        let Caller { database, actor, .. } = &self.caller;
        let trail =
            Trail::new(&database.journal, &database.reading(actor), Arc::clone(actor), self.about.clone());
        trail.saw(rows.people());
        trail.close().await?;
        Ok(Some(rows))
    }

    /// Writes rows on another thread, so that other requests do not wait for it.
    async fn write(&self, rows: Rows, mut sheet: Sheet) -> Result<Sheet, Failed> {
        let caller = self.caller.clone();
        in_background(move || {
            rows.write(&caller, &mut sheet)?;
            Ok(sheet)
        })
        .await
    }

    /// Starts to send a CSV. A failure from now on cuts the file.
    fn send_csv(self, limits: Limits, recipient: FileRecipient) -> Result<Response, Failed> {
        let sheet = Sheet::csv(self.dataset)?;
        let (send, pieces) = mpsc::channel(2);
        tokio::spawn(async move {
            let (request_id, session, permit) =
                (self.about.request_id, self.session.clone(), Arc::clone(&self.permit));
            if let Err(error) = self.send_rows(sheet, limits, &send).await {
                let by_standby = session.has_failed();
                tracing::warn!(%request_id, %error, by_standby, "an export ended early");
                if by_standby {
                    permit.cut();
                }
                // Without its last row, and without the last chunk of the response.
                let _ = send.send(Err(io::Error::other("the export failed"))).await;
            }
        });
        Ok(recipient.body_of_pieces(pieces).into_response())
    }

    /// Sends rows as fast as the client takes them, within the deadlines.
    async fn send_rows(mut self, mut sheet: Sheet, limits: Limits, send: &PieceSender) -> Result<(), Failed> {
        let mut next = self.first.take();
        while let Some(rows) = next {
            sheet = self.write(rows, sheet).await?;
            if let Sheet::Csv(csv) = &mut sheet
                && !self.send(csv.take()?, limits, send).await?
            {
                // The client has disconnected.
                return Ok(());
            }
            next = timeout_at(self.deadline, self.next()).await.map_err(|_| Failed::Deadline)??;
        }
        if let Sheet::Csv(csv) = sheet {
            self.send(csv.end()?, limits, send).await?;
        }
        // The rows are complete; a connection that breaks now is replaced.
        let _ = self.snapshot.close().await;
        self.permit.complete();
        Ok(())
    }

    /// Sends a piece. Returns whether the client is still there.
    async fn send(&self, piece: Bytes, limits: Limits, send: &PieceSender) -> Result<bool, Failed> {
        let deadline = self.deadline.min(Instant::now() + limits.progress_deadline);
        let sent = timeout_at(deadline, send.send(Ok(piece))).await;
        Ok(sent.map_err(|_| Failed::Deadline)?.is_ok())
    }

    /// Makes a workbook on the disk.
    async fn save_workbook(mut self, spool: PathBuf) -> Result<SavedWorkbook, Failed> {
        let folder = spool.clone();
        let dataset = self.dataset;
        let mut sheet = in_background(move || Ok(Sheet::workbook(dataset, &folder)?)).await?;
        let mut next = self.first.take();
        while let Some(rows) = next {
            sheet = self.write(rows, sheet).await?;
            next = self.next().await?;
        }
        let _ = self.snapshot.close().await;
        self.permit.complete();
        finish_workbook(sheet, spool).await
    }
}

/// Saves the workbook of a sheet.
async fn finish_workbook(sheet: Sheet, spool: PathBuf) -> Result<SavedWorkbook, Failed> {
    in_background(move || match sheet {
        Sheet::Workbook(table) => Ok(sheet::save(*table, &spool)?),
        Sheet::Csv(_) => Err(WriteError::Io(io::ErrorKind::InvalidInput.into())),
    })
    .await
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| Failed::Interrupted)??)
}

/// Sends a workbook from the disk, with its length and digest.
fn workbook(saved: SavedWorkbook, recipient: FileRecipient) -> Response {
    let SavedWorkbook { file, bytes, sha256 } = saved;
    let mut response = recipient.body_of_file(file).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    let digest = format!("sha-256=:{}:", STANDARD.encode(sha256));
    headers.insert(DIGEST, HeaderValue::try_from(digest).expect("base64 is a header value"));
    response
}
