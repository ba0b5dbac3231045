//! Files of onboardings: the roster on its way in (`PUT /onboarding/{id}/file`), the rows that were refused on their way out
//! (`GET /onboarding/{id}/report.csv`). Behind the same token and scope as the API: a batch that one may not see is absent.

mod places;
mod report;
mod spool;

pub use report::report_of;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::json;
use tracing::Instrument as _;

use self::places::{Full, Overtaken, Place, Places};
use graphql_front::answer::refusal;
use graphql_front::code::{Code, ErrorCode};
use graphql_front::cost::RateLimiter;
use graphql_front::request_id::RequestId;
use graphql_front::writes::Writes;

use super::language;
use super::settings::Upload;
use crate::actions::onboarding::receive::{self, Expected, File, Refused};
use crate::clock::Clock;
use crate::graphql::code::RegistryCode;
use crate::graphql::node_id::{NodeId, batch_id};
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::language::Language;
use domain::onboarding::{OnboardingState, StagedRow};
use domain::problem::{Problem, ProblemCode, Severity};
use roster::{self, Record, RosterError, ignored_columns};

/// What receives and gives out files.
#[derive(Clone)]
pub(super) struct Desk(Arc<Inner>);

struct Inner {
    database: Arc<Database>,
    clock: Clock,
    settings: Upload,
    writes: Writes,
    /// `None`: nobody's points are counted.
    rate_limiter: Option<Arc<RateLimiter>>,
    places: Arc<Places>,
}

impl Desk {
    /// Receives and gives out files within these limits; what is received outlives its connection as a write, and what is
    /// given out costs points.
    pub(super) fn new(
        database: Arc<Database>,
        clock: Clock,
        settings: Upload,
        (writes, rate_limiter): (Writes, Option<Arc<RateLimiter>>),
    ) -> Self {
        let places = Places::new(&settings);
        Self(Arc::new(Inner { database, clock, settings, writes, rate_limiter, places }))
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/onboarding/{id}/file", put(receive))
            .route("/onboarding/{id}/report.csv", get(report::give))
            .with_state(self)
    }
}

/// Who asks, and in which form the answer goes.
pub(super) struct Asked {
    id: RequestId,
    actor: Arc<Actor>,
    headers: HeaderMap,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            id: extensions.get().copied().unwrap_or_else(RequestId::new),
            actor: Arc::clone(extensions.get().expect("these routes stand behind `authenticate`")),
            headers: request.headers().clone(),
        }
    }

    /// Refuses the request, as the API does; with this status, because here a refusal has no data beside it.
    fn refuse(&self, status: StatusCode, code: impl Into<ErrorCode>) -> Response {
        let code = code.into();
        self.refuse_saying(status, code, code.sentence.english)
    }

    fn refuse_saying(
        &self,
        status: StatusCode,
        code: impl Into<ErrorCode>,
        message: impl Into<Cow<'static, str>>,
    ) -> Response {
        let mut response = refusal(&self.headers, self.id, code, message);
        *response.status_mut() = status;
        response
    }

    /// The batch is not, or not any more, for this request to send the file of.
    fn conflict(&self, message: &str, hint: &str) -> Response {
        let problem = Problem::error(ProblemCode::Conflict, "batchId", message).hint(hint);
        self.problems(StatusCode::CONFLICT, &[problem])
    }

    /// There is no place for this file now.
    fn full(&self, full: Full) -> Response {
        match full {
            Full::Everywhere => self.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded),
            Full::OfClient => {
                let message = "This client sends as many files as it may at once. Send this one when one of them is there.";
                self.refuse_saying(StatusCode::TOO_MANY_REQUESTS, RegistryCode::TooManyRequests, message)
            }
            Full::BeingRead => self.conflict(
                "The file of this batch is there already, and is being read.",
                "Look at the state of the batch: if it still is RECEIVING in a while, send the file again.",
            ),
        }
    }

    /// The file did not arrive.
    fn not_spooled(&self, code: Code, most: u64) -> Response {
        match code {
            Code::BodyTooLarge => {
                let message =
                    format!("{} Split it into several files.", RosterError::TooLarge { bytes: most });
                self.refuse_saying(StatusCode::PAYLOAD_TOO_LARGE, code, message)
            }
            Code::RequestTimeout => self.refuse(StatusCode::REQUEST_TIMEOUT, code),
            Code::Unavailable => self.refuse(StatusCode::SERVICE_UNAVAILABLE, code),
            code => {
                let message = "The file did not arrive as a whole: the connection broke off, or its length is another one.";
                self.refuse_saying(StatusCode::BAD_REQUEST, code, message)
            }
        }
    }

    fn overtaken(&self) -> Response {
        self.conflict(
            "A newer request sends the file of this batch.",
            "Leave it to that one. If it fails, send the file again.",
        )
    }

    fn absent(&self) -> Response {
        self.refuse(StatusCode::NOT_FOUND, RegistryCode::NotFound)
    }

    /// Says what is wrong with the file, in the words of the API.
    fn problems(&self, status: StatusCode, problems: &[Problem]) -> Response {
        let language = language::accepted(&self.headers);
        let mut response = (status, Json(json!({ "errors": self.said(problems) }))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        response
    }

    fn said(&self, problems: &[Problem]) -> Vec<serde_json::Value> {
        let language = language::accepted(&self.headers);
        let said = |problem: &Problem| match language {
            Language::English => json!(problem),
            Language::Indonesian => {
                let said = problem.in_indonesian();
                json!(Problem { message: said.message.to_owned(), hint: Some(said.hint), ..problem.clone() })
            }
        };
        problems.iter().map(said).collect()
    }

    fn failed(&self, error: &StoreError) -> Response {
        match error {
            StoreError::Unavailable(_) | StoreError::Contended(_) => {
                tracing::warn!(request_id = %self.id, %error, "a file met no database");
                self.refuse(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            error => {
                tracing::error!(request_id = %self.id, %error, "a file was not dealt with");
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
            }
        }
    }
}

async fn receive(State(Desk(desk)): State<Desk>, Path(id): Path<String>, request: Request) -> Response {
    let asked = Asked::of(&request);
    match take(&desk, &asked, &id, request).await {
        Ok(Taken { rows, ignored_columns, warnings }) => {
            let warnings = asked.said(&warnings);
            let answer =
                json!({ "batch": id, "rows": rows, "ignoredColumns": ignored_columns, "warnings": warnings });
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::OK, headers, Json(answer)).into_response()
        }
        Err(response) => *response,
    }
}

/// What is told of a file that was taken in.
struct Taken {
    rows: i32,
    /// The names of columns of which nothing was read.
    ignored_columns: Vec<String>,
    warnings: Vec<Problem>,
}

/// Takes a file in: on the disk first, as fast as it comes, and only when all of it is there and is the one that was
/// announced, into the database.
async fn take(desk: &Arc<Inner>, asked: &Asked, id: &str, request: Request) -> Result<Taken, Box<Response>> {
    let batch = batch_id(id).map_err(|_| asked.absent())?;
    let expected = match receive::expect(&desk.database, &asked.actor, batch).await {
        Ok(expected) => expected,
        Err(Refused::NotWaiting) => return take_again(desk, asked, batch, request).await,
        Err(refused) => return Err(Box::new(refused_file(asked, &refused))),
    };
    let (place, spooled) = spooled(desk, asked, batch, request).await?;
    if expected.sha256.as_ref().is_some_and(|announced| *announced != spooled.sha256) {
        let message = "This is not the file that was announced: its SHA-256 is another one.";
        let problem = Problem::error(ProblemCode::Conflict, "sha256", message);
        let problem = problem.hint("Send the file that was announced, or begin another onboarding.");
        return Err(Box::new(asked.problems(StatusCode::UNPROCESSABLE_ENTITY, &[problem])));
    }
    let (desk, today) = (Arc::clone(desk), desk.clock.today());
    let writes = desk.writes.clone();
    // Like every write: whoever hangs up now finds all of it or nothing.
    let work = async move {
        let _place = place;
        stage(&desk, today, expected, spooled).await
    };
    let staged = tokio::spawn(writes.enter(work).instrument(tracing::Span::current())).await;
    let staged = staged.unwrap_or_else(|_stopped| Err(StoreError::Unavailable("stopping".into()).into()));
    staged.map_err(|refused| Box::new(refused_file(asked, &refused)))
}

/// On the disk, and still with its place among the files that are received.
async fn spooled(
    desk: &Inner,
    asked: &Asked,
    batch: i64,
    request: Request,
) -> Result<(Place, spool::Spooled), Box<Response>> {
    let place = desk.places.enter(batch, asked.actor.client_id);
    let mut place = place.map_err(|full| asked.full(full))?;
    let spooled = place.receive(spool::spool(&desk.settings, request)).await;
    let spooled = spooled.map_err(|Overtaken| asked.overtaken())?;
    let spooled = spooled.map_err(|code| asked.not_spooled(code, desk.settings.limits.bytes))?;
    Ok((place, spooled))
}

/// A batch that has its file already. Who sends the same one again, because the answer was lost, is answered once more.
async fn take_again(
    desk: &Arc<Inner>,
    asked: &Asked,
    batch: i64,
    request: Request,
) -> Result<Taken, Box<Response>> {
    let (_place, spooled) = spooled(desk, asked, batch, request).await?;
    let found = receive::find_own(&desk.database, &asked.actor, batch).await;
    let found = found.map_err(|refused| refused_file(asked, &refused))?;
    if found.digest.is_some_and(|digest| digest == desk.database.keys.fingerprint(&spooled.sha256)) {
        let problems = found.problems.map(|problems| problems.0).unwrap_or_default();
        let warnings = problems.into_iter().filter(|problem| problem.severity == Severity::Warning).collect();
        let ignored_columns = found.columns.as_deref().map(ignored_columns).unwrap_or_default();
        return Ok(Taken { rows: found.received, ignored_columns, warnings });
    }
    let message = match found.state {
        OnboardingState::Receiving => "Another request sends the file of this batch.",
        state if state.is_final() => "This batch has ended: it takes no file any more.",
        _ => "This batch has its file already, and it is another one.",
    };
    Err(Box::new(asked.conflict(message, "For this file begin another onboarding: startOnboarding.")))
}

async fn stage(
    desk: &Inner,
    today: chrono::NaiveDate,
    expected: Expected,
    spooled: spool::Spooled,
) -> Result<Taken, Refused> {
    let limits = desk.settings.limits;
    let opened = tokio::task::spawn_blocking(move || roster::open(spooled.file, &limits));
    let opened = opened.await.map_err(|_| StoreError::Fault("reading the file broke off".into()))?;
    let roster = opened.map_err(|error| Refused::Problems(vec![error.problem()]))?;
    let (ignored_columns, left_out) = (roster.ignored_columns().to_vec(), roster.left_out());
    let file = File {
        sha256: spooled.sha256,
        columns: Some(roster.columns().to_vec()),
        separator: char::from(roster.separator()),
        chunk_rows: desk.settings.chunk_rows,
        warnings: {
            let left_out = left_out.clone();
            Box::new(move || left_out.warnings())
        },
        rows: roster.map(staged),
    };
    let rows = receive::receive(&desk.database, today, expected, file).await?;
    Ok(Taken { rows, ignored_columns, warnings: left_out.warnings() })
}

fn refused_file(asked: &Asked, refused: &Refused) -> Response {
    match refused {
        Refused::Absent => asked.absent(),
        Refused::Forbidden => asked.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden),
        Refused::NotYours => {
            let message = "Somebody else has begun this batch: only that client can send its file.";
            let problem = Problem::error(ProblemCode::OutOfScope, "batchId", message);
            let problem = problem.hint("Begin an onboarding of your own: startOnboarding.");
            asked.problems(StatusCode::FORBIDDEN, &[problem])
        }
        Refused::NotWaiting => {
            let message = "This batch waits for no file, or another request sends one.";
            asked.conflict(message, "Look at its state.")
        }
        Refused::Problems(problems) => asked.problems(StatusCode::UNPROCESSABLE_ENTITY, problems),
        Refused::Store(error) => asked.failed(error),
    }
}

/// A row on its way, as the roster has it.
///
/// # Errors
/// The file is refused as a whole.
pub fn staged(record: Result<Record, RosterError>) -> Result<StagedRow, Problem> {
    let Record { number, line, row, original } = record.map_err(|error| error.problem())?;
    Ok(StagedRow::new(number, Some(line), row, original))
}

/// The name under which a browser keeps the report of a batch.
fn report_name(batch: i64) -> String {
    format!("attachment; filename=\"report-{}.csv\"", NodeId::Batch(batch).encode().as_str())
}
