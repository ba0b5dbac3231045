//! The parameters of a GraphQL request, from a body, a URL or a message of a socket.

use async_graphql::Variables;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio::time::timeout;

use super::answer::Refused;
use super::code::Code;
use super::documents::{Hash, read_hash};
use super::guard::{Limits, check_json};
use super::media;
use super::settings::Settings;

/// Above this length, what is computed of a request takes milliseconds.
pub(crate) const LARGE_BYTES: usize = 64 * 1024;

/// The parameters of a well-formed request. Its query is not parsed yet.
#[derive(Debug)]
pub struct Parameters {
    /// The document's text.
    pub query: Option<String>,
    /// The document's SHA-256, where the client names it so.
    pub document: Option<Hash>,
    /// The operation of the document that the client means.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Variables,
}

/// The JSON of a request. Unknown members are ignored, as the specification demands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Variables>,
    document_id: Option<String>,
    extensions: Option<Map<String, Json>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlWire {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    document_id: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// Reads the parameters from a JSON object. `what` names it in messages.
    ///
    /// # Errors
    /// It is no JSON object of this shape.
    pub fn from_json(json: &[u8], what: &str, limits: &Limits) -> Result<Self, Refused> {
        // Some clients write a byte order mark, which RFC 8259 section 8.1 allows to ignore.
        let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
        // Serde would also take an array for a struct, member by member.
        if json.trim_ascii_start().starts_with(b"[") {
            return Err(Refused::from(Code::BatchNotSupported));
        }
        let wire: Wire = parse(json, what, limits)?;
        Self::new(wire)
    }

    /// Reads the parameters from the query of a URL.
    pub(crate) fn from_url(uri: &Uri, limits: &Limits) -> Result<Self, Refused> {
        let Query(wire) = Query::<UrlWire>::try_from_uri(uri).map_err(|_| {
            Refused::new(Code::BadRequest, "The URL has a parameter twice, or one that is not UTF-8.")
        })?;
        let json = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let variables =
            json(&wire.variables).map(|text| parse(text.as_bytes(), "`variables`", limits)).transpose()?;
        let extensions =
            json(&wire.extensions).map(|text| parse(text.as_bytes(), "`extensions`", limits)).transpose()?;
        let UrlWire { query, operation_name, document_id, .. } = wire;
        Self::new(Wire {
            query,
            operation_name,
            variables,
            document_id: document_id.filter(|id| !id.is_empty()),
            extensions: extensions.flatten(),
        })
    }

    fn new(wire: Wire) -> Result<Self, Refused> {
        Ok(Self {
            document: document(&wire)?,
            query: wire.query.filter(|query| !query.is_empty()),
            operation_name: wire.operation_name.filter(|name| !name.is_empty()),
            variables: wire.variables.unwrap_or_default(),
        })
    }
}

/// Returns the hash that names a document: `documentId`, or Apollo's `extensions.persistedQuery.sha256Hash`.
fn document(wire: &Wire) -> Result<Option<Hash>, Refused> {
    let apollo = wire.extensions.as_ref().and_then(|extensions| extensions.get("persistedQuery"));
    let apollo = apollo.filter(|query| !query.is_null()).map(|query| {
        let is_known = query.get("version").and_then(Json::as_u64) == Some(1);
        query.get("sha256Hash").and_then(Json::as_str).filter(|_| is_known).and_then(read_hash)
    });
    let named = wire.document_id.as_deref().map(read_hash);
    match named.or(apollo) {
        None => Ok(None),
        Some(Some(hash)) => Ok(Some(hash)),
        Some(None) => Err(Refused::new(
            Code::BadRequest,
            "A document is named by its SHA-256, 64 hexadecimal digits: `documentId`, or \
             `extensions.persistedQuery` with `version` 1 and `sha256Hash`.",
        )),
    }
}

/// Receives the body of a POST.
///
/// # Errors
/// The body is no JSON, too large, or does not arrive in time.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: Body,
    settings: &Settings,
) -> Result<Vec<u8>, Refused> {
    if media::is_encoded(headers) {
        return Err(Refused::new(Code::UnsupportedMediaType, media::NOT_DECODED));
    }
    if !media::is_json(headers) {
        return Err(Refused::from(Code::UnsupportedMediaType));
    }
    timeout(settings.body_deadline, read(headers, body, settings.max_body_bytes))
        .await
        .map_err(|_elapsed| Refused::from(Code::RequestTimeout))?
}

/// Reads the body up to the limit. A body that announces more is not read at all.
async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, Refused> {
    let too_large = || {
        let message = format!("The body has more than {limit} bytes. Send a file, or several requests.");
        Refused::new(Code::BodyTooLarge, message)
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    // An announced length is not trusted with memory.
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(64 * 1024));
    let mut chunks = body.into_data_stream();
    loop {
        match chunks.try_next().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => return Err(too_large()),
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(_) => return Err(Refused::new(Code::BadRequest, "The body ended early.")),
        }
    }
}

/// Parses JSON. Serde's own messages repeat what was sent, which may be personal data; these only say where it is wrong.
fn parse<T: DeserializeOwned>(json: &[u8], what: &str, limits: &Limits) -> Result<T, Refused> {
    // Serde looks only at the strings that it keeps.
    if str::from_utf8(json).is_err() {
        return Err(Refused::new(Code::BadJson, format!("{what} is not UTF-8.")));
    }
    check_json(json, limits)?;
    serde_json::from_slice(json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        if error.is_data() {
            let shape =
                "`query` and `operationName` are strings, `variables` and `extensions` objects, none twice";
            Refused::new(Code::BadRequest, format!("{what} has the wrong shape at {place}: {shape}."))
        } else {
            Refused::new(Code::BadJson, format!("{what} is not JSON: see {place}."))
        }
    })
}
