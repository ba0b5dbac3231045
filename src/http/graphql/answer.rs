//! What is said to a client, and with which status.
//!
//! Three kinds are kept apart. A *refusal* stops a request before anything of it runs. An error that a
//! resolver gave a code is meant for the client and passes as it is. Everything else is a *fault*: logged
//! here, once, and replaced by a constant sentence and the request's id.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, PathSegment, Pos, ServerError, Value};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::RequestId;
use crate::http::guard::Refusal;
use crate::http::media::Media;

/// The codes that the endpoint itself gives; those of the guard are at [`Refusal::code`].
pub(in crate::http) mod code {
    /// No token, or not one of ours; what is wrong with it is nobody's business.
    pub(crate) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// A page of another origin wants a socket.
    pub(crate) const FORBIDDEN_ORIGIN: &str = "FORBIDDEN_ORIGIN";
    /// Also what a resolver sets when the database does not answer.
    pub(crate) const UNAVAILABLE: &str = "UNAVAILABLE";
    pub(crate) const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// What a resolver sets when a client has tried too many numbers.
    pub(crate) const QUOTA_EXCEEDED: &str = "QUOTA_EXCEEDED";
    pub(crate) const INTERNAL: &str = "INTERNAL";
    pub(crate) const BAD_REQUEST: &str = "BAD_REQUEST";
    pub(crate) const BAD_JSON: &str = "BAD_JSON";
    pub(crate) const BATCH_NOT_SUPPORTED: &str = "BATCH_NOT_SUPPORTED";
    pub(crate) const BODY_TOO_LARGE: &str = "BODY_TOO_LARGE";
    pub(crate) const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
    pub(crate) const MUTATION_BY_GET: &str = "MUTATION_BY_GET";
    pub(crate) const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
    pub(crate) const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    pub(crate) const SUBSCRIPTION_OVER_HTTP: &str = "SUBSCRIPTION_OVER_HTTP";
    pub(crate) const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
    pub(crate) const OPERATION_NOT_FOUND: &str = "OPERATION_NOT_FOUND";
    pub(crate) const OPERATION_NAME_REQUIRED: &str = "OPERATION_NAME_REQUIRED";
    pub(crate) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    pub(crate) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    pub(crate) const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
}

/// What a code means to HTTP, where an answer has no data.
fn status(code: &str, media: Media) -> StatusCode {
    match code {
        code::BAD_REQUEST | code::BAD_JSON | code::BATCH_NOT_SUPPORTED | code::SUBSCRIPTION_OVER_HTTP => {
            StatusCode::BAD_REQUEST
        }
        "REQUEST_TOO_MANY_VALUES" | code::BODY_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        "REQUEST_TOO_DEEP" => StatusCode::BAD_REQUEST,
        code::METHOD_NOT_ALLOWED | code::MUTATION_BY_GET => StatusCode::METHOD_NOT_ALLOWED,
        code::UNAUTHENTICATED => StatusCode::UNAUTHORIZED,
        code::FORBIDDEN_ORIGIN => StatusCode::FORBIDDEN,
        code::NOT_ACCEPTABLE => StatusCode::NOT_ACCEPTABLE,
        code::REQUEST_TIMEOUT => StatusCode::REQUEST_TIMEOUT,
        code::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        // Not the query's doing: the status is for balancers and monitors, in both forms.
        code::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        code::UNAVAILABLE | code::DEADLINE_EXCEEDED => StatusCode::SERVICE_UNAVAILABLE,
        code::QUOTA_EXCEEDED => StatusCode::TOO_MANY_REQUESTS,
        // A request that was well-formed, with a query that was not. Older clients get 200 for those.
        code::PARSE_FAILED
        | code::VALIDATION_FAILED
        | code::BAD_USER_INPUT
        | code::OPERATION_NOT_FOUND
        | code::OPERATION_NAME_REQUIRED => rejected(media),
        guard if guard.starts_with("QUERY_") => rejected(media),
        // A resolver's own: the operation ran, and this is its result.
        _ => StatusCode::OK,
    }
}

const fn rejected(media: Media) -> StatusCode {
    match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json => StatusCode::OK,
    }
}

/// The header that has to stand beside a status.
fn companion(code: &str) -> Option<(HeaderName, HeaderValue)> {
    match code {
        code::METHOD_NOT_ALLOWED => Some((header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"))),
        code::MUTATION_BY_GET => Some((header::ALLOW, HeaderValue::from_static("POST"))),
        code::UNAUTHENTICATED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        code::UNAVAILABLE | code::DEADLINE_EXCEEDED => {
            Some((header::RETRY_AFTER, HeaderValue::from_static("1")))
        }
        _ => None,
    }
}

/// The validator reports each fault of a query, and a query may have thousands.
const MAX_REFUSAL_ERRORS: usize = 20;

/// Why nothing of a request ran.
#[derive(Debug)]
pub(super) struct Refused {
    code: &'static str,
    message: Cow<'static, str>,
    at: Option<Pos>,
}

impl Refused {
    pub(super) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), at: None }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<async_graphql::parser::Error> for Refused {
    /// The parser's message draws the line of the query in which the error is; the line may hold personal
    /// data, and be as long as the query. What was expected there is in its last line.
    fn from(error: async_graphql::parser::Error) -> Self {
        let at = error.positions().next();
        let message = match &error {
            async_graphql::parser::Error::Syntax { message, .. } => {
                let expected = message.lines().next_back().unwrap_or_default();
                format!("Syntax error: {}.", expected.trim_start_matches([' ', '=']))
            }
            other => format!("Syntax error: {other}"),
        };
        Self { code: code::PARSE_FAILED, message: message.into(), at }
    }
}

/// One answer, before it is written in one of the two forms.
#[derive(Debug, Default)]
pub(super) struct Answer {
    errors: Vec<ServerError>,
    /// `None`: nothing ran, and the answer has no such member.
    data: Option<Value>,
    extensions: BTreeMap<String, Value>,
    headers: HeaderMap,
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        let mut error = ServerError::new(refused.message, refused.at);
        set_code(&mut error, refused.code);
        Self { errors: vec![error], ..Self::default() }
    }
}

impl Answer {
    /// What the schema said.
    ///
    /// Before anything runs, the validator's errors have no path; a resolver's have one.
    pub(super) fn executed(
        response: async_graphql::Response,
        arguments: &ArgumentPositions,
        id: RequestId,
    ) -> Self {
        let async_graphql::Response { mut errors, data, extensions, http_headers, .. } = response;
        let ran = data != Value::Null
            || errors.iter().any(|error| !error.path.is_empty() || code_of(error).is_some());
        if !ran {
            errors.truncate(MAX_REFUSAL_ERRORS);
        }
        for error in errors.iter_mut().filter(|error| code_of(error).is_none()) {
            if !ran {
                set_code(error, code::VALIDATION_FAILED);
            } else if arguments.are_to_blame_for(error) {
                set_code(error, code::BAD_USER_INPUT);
            } else {
                conceal(error, id);
            }
        }
        Self { errors, data: ran.then_some(data), extensions, headers: http_headers }
    }

    /// A resolver panicked. What it said is with the panic hook, and may hold anything.
    pub(super) fn panicked(id: RequestId) -> Self {
        tracing::error!(request_id = %id, "a resolver panicked");
        Self {
            errors: vec![fault(ServerError::new("", None), id)],
            data: Some(Value::Null),
            ..Self::default()
        }
    }

    pub(super) fn into_response(self, media: Media) -> Response {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [ServerError],
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Value>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            extensions: &'a BTreeMap<String, Value>,
        }
        let wire = Wire { errors: &self.errors, data: self.data.as_ref(), extensions: &self.extensions };
        let bytes =
            serde_json::to_vec(&wire).expect("names are strings, and writing into memory does not fail");
        let mut response = Response::new(Body::from(bytes));
        *response.headers_mut() = self.headers;
        if matches!(self.data, None | Some(Value::Null)) {
            // Of several, the gravest.
            let codes = self.errors.iter().filter_map(code_of);
            if let Some(code) = codes.max_by_key(|code| status(code, media)) {
                *response.status_mut() = status(code, media);
                response.headers_mut().extend(companion(code));
            }
        }
        let headers = response.headers_mut();
        if let Some(seconds) = self.errors.iter().filter_map(retry_after).max() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }
}

/// Where the arguments of a query stand.
///
/// async-graphql reads custom scalars only when their field is run, so that a wrong date looks like a
/// resolver's error; but such an error points at the argument, or at nothing where the argument was left
/// away, and a resolver's points at the field.
#[derive(Debug)]
pub(super) struct ArgumentPositions(HashSet<Pos>);

impl ArgumentPositions {
    /// For a document that the guard has let pass, which bounds the recursion.
    pub(super) fn of(document: &ExecutableDocument) -> Self {
        fn collect(set: &SelectionSet, positions: &mut HashSet<Pos>) {
            for selection in &set.items {
                match &selection.node {
                    Selection::Field(field) => {
                        positions.extend(field.node.arguments.iter().map(|(_, value)| value.pos));
                        collect(&field.node.selection_set.node, positions);
                    }
                    Selection::InlineFragment(fragment) => {
                        collect(&fragment.node.selection_set.node, positions)
                    }
                    Selection::FragmentSpread(_) => {}
                }
            }
        }
        let mut positions = HashSet::from([Pos::default()]);
        for (_, operation) in document.operations.iter() {
            collect(&operation.node.selection_set.node, &mut positions);
        }
        for fragment in document.fragments.values() {
            collect(&fragment.node.selection_set.node, &mut positions);
        }
        Self(positions)
    }

    fn are_to_blame_for(&self, error: &ServerError) -> bool {
        error.locations.first().is_some_and(|at| self.0.contains(at))
    }
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// In how many seconds it is worth trying again, where an error says so.
fn retry_after(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get("retryAfter")? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    }
}

fn set_code(error: &mut ServerError, code: &str) {
    error.extensions.get_or_insert_default().set("code", code);
}

/// Logs a fault and leaves of it what its client may know.
fn conceal(error: &mut ServerError, id: RequestId) {
    let path = error.path.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    let path = path.collect::<Vec<_>>().join(".");
    tracing::error!(request_id = %id, path, error = without_numbers(&error.message), "a resolver failed");
    *error = fault(std::mem::replace(error, ServerError::new("", None)), id);
}

fn fault(error: ServerError, id: RequestId) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code::INTERNAL);
    extensions.set("requestId", id.to_string());
    ServerError {
        message: "Something went wrong on our side.".to_owned(),
        source: None,
        extensions: Some(extensions),
        ..error
    }
}

/// Messages of libraries quote values; no identity number comes into the log, even so.
fn without_numbers(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - start);
        clean.push_str(&rest[..start]);
        clean.push_str(if digits < 6 { &rest[start..start + digits] } else { "#" });
        rest = &rest[start + digits..];
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_do_not_reach_the_log() {
        assert_eq!(without_numbers("Key (nik)=(3201010101010001) in 42P01 é7"), "Key (nik)=(#) in 42P01 é7");
        assert_eq!(without_numbers("123456"), "#");
        assert_eq!(without_numbers(""), "");
    }
}
