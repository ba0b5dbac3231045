//! The header `X-Registry-Position`: how far a client has written and read, where queries read from standbys.
//!
//! An answer says the position in the write-ahead log up to which its client has written or read. A client that sends it with
//! its next request is shown all of that, whichever server it asks. Browsers send the same as a cookie, so the pages need
//! not know of it. A client that sends nothing is shown what it wrote through the same process.
//!
//! The position is signed, so that a client cannot invent one. An unknown one is no error: the request reads from the primary.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;

use crate::store::Database;
use crate::store::position::Position;
use crate::store::standby::Standby;

/// The name of the header.
const NAME: HeaderName = HeaderName::from_static("x-registry-position");
/// The name of the cookie.
const COOKIE: &str = "registry-position";
/// How long a browser keeps the cookie: a standby that is further behind is left out.
const COOKIE_SECONDS: u32 = 600;

/// What a request said of its client's position, and what its answer has to say.
#[derive(Debug, Default)]
pub(super) struct Positions {
    asked: Asked,
    answer: Mutex<Answer>,
}

/// The position that a request came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    At(Position),
    /// It is none of this installation.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    Nothing,
    Read(Position),
    Wrote,
}

impl Positions {
    /// The position that the client has to be shown; `Err`: it is unknown, so only the primary shows it.
    fn asked(&self) -> Result<Option<Position>, ()> {
        match self.asked {
            Asked::Nothing => Ok(None),
            Asked::At(position) => Ok(Some(position)),
            Asked::Unknown => Err(()),
        }
    }

    /// Notes that the request has read at a standby that shows this much.
    fn read(&self, position: Position) {
        self.set(Answer::Read(position));
    }

    /// Notes that the request has written.
    pub(super) fn wrote(&self) {
        self.set(Answer::Wrote);
    }

    fn set(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    fn answer(&self) -> Answer {
        *self.answer.lock()
    }
}

/// The standby that a request reads from.
pub(super) struct AtStandby {
    pub(super) standby: Arc<Standby>,
    positions: Option<Arc<Positions>>,
    /// What the client of the request is shown there at least.
    shown: Position,
}

impl AtStandby {
    /// Chooses the standby for a request of a client, before it reads. `None`: it reads from the primary.
    pub(super) fn choose(
        database: &Database,
        client: i64,
        positions: Option<&Arc<Positions>>,
    ) -> Option<Self> {
        let asked = positions.map_or(Ok(None), |positions| positions.asked()).ok()?;
        let standby = database.standbys.choose(client, asked)?;
        let shown = standby.replayed().max(asked.unwrap_or_default());
        Some(Self { standby, positions: positions.cloned(), shown })
    }

    /// Notes that the request has read there: its answer says how much its client was shown.
    pub(super) fn answered(&self) {
        if let Some(positions) = &self.positions {
            positions.read(self.shown);
        }
    }
}

/// Reads the position of a request, runs it, and writes the position of its answer. Called only where there are standbys.
pub(super) async fn track(database: &Database, mut request: Request, next: Next) -> Response {
    let asked = match sent(request.headers()) {
        None => Asked::Nothing,
        Some(text) => Position::verify(&database.keys, text).map_or(Asked::Unknown, Asked::At),
    };
    let is_page = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let positions = Arc::new(Positions { asked, answer: Mutex::default() });
    request.extensions_mut().insert(Arc::clone(&positions));
    let mut response = next.run(request).await;
    let position = match positions.answer() {
        Answer::Nothing => None,
        Answer::Read(position) => Some(position),
        // Without it the client is shown its write through this process only.
        Answer::Wrote => Position::of_primary(&database.control).await.ok(),
    };
    if let Some(position) = position {
        say(&mut response, &position.sign(&database.keys), is_page);
    }
    response
}

fn say(response: &mut Response, position: &str, is_page: bool) {
    let headers = response.headers_mut();
    let cookie = format!("{COOKIE}={position}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict");
    if let Ok(value) = HeaderValue::from_str(position) {
        headers.insert(NAME, value);
    }
    if let (true, Ok(value)) = (is_page, HeaderValue::from_str(&cookie)) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Returns the position that a request came with: in the header, or else in the cookie.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let of_header = headers.get(NAME).map(|value| value.to_str().unwrap_or_default());
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    of_header.or_else(|| cookies.find(|(name, _)| *name == COOKIE).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_goes_before_the_cookie() {
        let headers = |pairs: &[(HeaderName, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        let cookie = (header::COOKIE, "other=1; registry-position=a.b; last=2");
        assert_eq!(sent(&headers(&[])), None);
        assert_eq!(sent(&headers(&[(header::COOKIE, "other=1")])), None);
        assert_eq!(sent(&headers(std::slice::from_ref(&cookie))), Some("a.b"));
        assert_eq!(sent(&headers(&[cookie, (NAME, "c.d")])), Some("c.d"));
    }
}
