//! `GET /public/figures`: how many people are covered, in the country and by province, without a login, where the operator
//! says so (`REGISTRY_PUBLIC_FIGURES`).
//!
//! No two answers reveal a small group. Each number is rounded down to a multiple of five by itself, as an analyst sees it,
//! so that one to four people look like nobody and no difference is smaller than five. The numbers are those of the end of
//! yesterday, and an answer stays as it is until midnight in Jakarta: nobody who watches it sees when somebody enrolls.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{Days, NaiveDate, Timelike as _};
use parking_lot::Mutex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use strum::VariantArray as _;
use tokio::time::Instant;

use graphql_front::answer::refusal;
use graphql_front::code::Code;
use graphql_front::request_id::RequestId;

use crate::clock::Clock;
use crate::store::Database;
use crate::store::count::StatusCounts;
use crate::store::coverage::{self, Part};
use crate::store::error::StoreError;
use domain::access::STEP;
use domain::actor::Actor;
use domain::calendar::jakarta;
use domain::target::applying;
use domain::vocabulary::WorkerGroup;

/// How long a browser or proxy may keep an answer.
const MAXIMUM_AGE: u64 = 3_600;
/// How long nobody asks the database again after a failure, because the endpoint needs no token.
const PAUSE: Duration = Duration::from_secs(5);

/// The public figures of a server.
#[derive(Clone)]
pub(super) struct PublicFigures(Arc<Inner>);

struct Inner {
    database: Arc<Database>,
    clock: Clock,
    /// The newest answer.
    published: Mutex<Option<Published>>,
    /// Held while figures are read. When reading failed last.
    reading: tokio::sync::Mutex<Option<Instant>>,
}

/// The answer of a day.
#[derive(Clone)]
struct Published {
    day: NaiveDate,
    body: Arc<str>,
    tag: HeaderValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures<'a> {
    as_of: NaiveDate,
    /// All numbers of people are multiples of it.
    step: i64,
    country: Numbers,
    provinces: Vec<Province<'a>>,
}

#[derive(Serialize)]
struct Province<'a> {
    code: &'a str,
    name: &'a str,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Serialize)]
struct Numbers {
    total: i64,
    active: i64,
    target: Option<Target>,
}

#[derive(Serialize)]
struct Target {
    year: i16,
    active: i32,
}

impl PublicFigures {
    pub(super) fn new(database: Arc<Database>, clock: Clock) -> Self {
        Self(Arc::new(Inner { database, clock, published: Mutex::default(), reading: Default::default() }))
    }

    /// Returns the answer of today. One request reads it; meanwhile the others get that of the day before, if there is one.
    async fn published(&self) -> Result<Published, Unavailable> {
        let Inner { clock, reading, .. } = &*self.0;
        let day = clock.today().checked_sub_days(Days::new(1)).ok_or(Unavailable)?;
        let known = self.newest();
        if let Some(known) = known.as_ref().filter(|known| known.day == day) {
            return Ok(known.clone());
        }
        let mut failed = match (reading.try_lock(), known) {
            (Ok(turn), _) => turn,
            (Err(_), Some(known)) => return Ok(known),
            (Err(_), None) => reading.lock().await,
        };
        if let Some(known) = self.newest().filter(|known| known.day == day) {
            return Ok(known);
        }
        if failed.is_some_and(|moment| moment.elapsed() < PAUSE) {
            return self.newest().ok_or(Unavailable);
        }
        match self.read(day).await {
            Ok(published) => {
                *self.0.published.lock() = Some(published.clone());
                Ok(published)
            }
            Err(error) => {
                tracing::warn!(%error, "the public figures could not be read");
                *failed = Some(Instant::now());
                self.newest().ok_or(Unavailable)
            }
        }
    }

    fn newest(&self) -> Option<Published> {
        self.0.published.lock().clone()
    }

    async fn read(&self, day: NaiveDate) -> Result<Published, StoreError> {
        let database = &self.0.database;
        let (actor, reference) = (Actor::public(), database.reference());
        let source = (&database.country, &*reference);
        let session = database.reading(&actor);
        let figures = coverage::figures(source, (&session, &actor), &Part::default(), Some(day)).await?;
        let numbers = |province, counts: StatusCounts| Numbers {
            total: actor.role.visible_count(counts.total),
            active: actor.role.visible_count(counts.active),
            target: applying(&reference.targets, province, day)
                .map(|target| Target { year: target.year, active: target.active }),
        };
        let by_province = figures.by_province(WorkerGroup::VARIANTS);
        let provinces = reference.provinces().iter().filter_map(|province| {
            let counts = by_province.get(&province.id).copied().unwrap_or_default();
            let numbers = numbers(Some(province.id), counts);
            let is_shown = province.exists_on(day) || numbers.total > 0;
            is_shown.then(|| Province { code: &province.code, name: &province.edition_on(day).name, numbers })
        });
        let figures = Figures {
            as_of: day,
            step: STEP,
            country: numbers(None, figures.all(WorkerGroup::VARIANTS)),
            provinces: provinces.collect(),
        };
        let body = serde_json::to_string(&figures).expect("numbers and names are JSON");
        let digest = hex::encode(&Sha256::digest(&body)[..16]);
        let tag = HeaderValue::try_from(format!("\"{digest}\"")).expect("hexadecimal is a header value");
        Ok(Published { day, body: body.into(), tag })
    }

    /// How long the answer stays: until midnight in Jakarta at most.
    fn maximum_age(&self) -> u64 {
        let now = self.0.clock.now().with_timezone(&jakarta());
        (86_400 - u64::from(now.num_seconds_from_midnight())).min(MAXIMUM_AGE)
    }
}

/// The figures cannot be read at the moment.
struct Unavailable;

/// Answers `GET` and `HEAD`.
pub(super) async fn figures(
    State(figures): State<PublicFigures>,
    id: Option<Extension<RequestId>>,
    headers: HeaderMap,
) -> Response {
    let Ok(Published { body, tag, .. }) = figures.published().await else {
        let id = id.map_or_else(RequestId::new, |Extension(id)| id);
        return refusal(&headers, id, Code::Unavailable, Code::Unavailable.sentence().english);
    };
    let caching = HeaderValue::try_from(format!("public, max-age={}", figures.maximum_age()));
    let caching = caching.expect("a number is a header value");
    let common = [(header::CACHE_CONTROL, caching), (header::ETAG, tag.clone())];
    if has(&headers, &tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (common, json, body.to_string()).into_response()
}

/// Whether the client has the answer already (`If-None-Match`; a proxy that compresses answers makes tags weak).
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(','));
    tags.any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes()
    })
}
