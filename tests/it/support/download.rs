//! Files that the server makes: exports.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::{App, Value};

/// A file, or its refusal.
pub struct Download {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Download {
    pub async fn of(app: &App, token: &str, path: &str, purpose: Option<&str>) -> Self {
        let purpose = purpose.map(|purpose| ("x-purpose", purpose));
        Self::with(app, token, path, purpose.as_slice()).await
    }

    /// Sends further headers.
    pub async fn with(app: &App, token: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let (parts, body) = begin(app, token, path, headers).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status, headers: parts.headers, bytes }
    }

    /// The rows below the header, after checking the last row against them.
    #[track_caller]
    pub fn rows(&self) -> Vec<Vec<String>> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.bytes));
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let (before, end) = text.trim_end().rsplit_once('\n').unwrap();
        let digest = hex::encode(Sha256::digest(format!("{before}\n")));
        let rows: Vec<Vec<String>> =
            before.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
        let expected = format!("#end,rows={},sha256={digest}", rows.len());
        assert!(end.starts_with(&expected), "{end} is not {expected}");
        rows
    }

    /// The cells of a column.
    #[track_caller]
    pub fn column(&self, name: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let header = text.lines().next().unwrap().trim_start_matches('\u{feff}');
        let at = header.split(',').position(|column| column == name).expect("a column");
        self.rows().into_iter().map(|row| row[at].clone()).collect()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str, words: &str) {
        let body: Value = serde_json::from_slice(&self.bytes).unwrap();
        let error = &body["errors"][0];
        let found = (self.status.as_u16(), error["extensions"]["code"].as_str());
        assert_eq!(found, (status, Some(code)), "{body}");
        assert!(error["message"].as_str().unwrap().contains(words), "{body}");
    }
}

/// Asks for a file, and reads nothing of it yet.
pub async fn begin(app: &App, token: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}
