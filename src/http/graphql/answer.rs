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
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Serialize;

use super::{REQUEST_ID, RequestId};
use crate::http::code::Code;
use crate::http::guard::Refusal;
use crate::http::language;
use crate::http::media::Media;
use domain::language::Language;

/// The validator reports each fault of a query, and a query may have thousands.
const MAX_REFUSAL_ERRORS: usize = 20;

/// Why nothing of a request ran.
#[derive(Debug)]
pub(super) struct Refused {
    code: Code,
    message: Cow<'static, str>,
    at: Option<Pos>,
    extensions: BTreeMap<String, Value>,
    /// Seconds, where it is known better than "a moment".
    retry_after: Option<u64>,
}

impl Refused {
    pub(super) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message, at: None, extensions: BTreeMap::new(), retry_after: None }
    }
}

impl Refused {
    /// Tells what the request would have cost, and when there are points for it.
    pub(super) fn costing(mut self, cost: Value, retry_after: Option<u64>) -> Self {
        self.extensions.insert("cost".to_owned(), cost);
        Self { retry_after, ..self }
    }
}

impl From<Code> for Refused {
    /// With the sentence of the code.
    fn from(code: Code) -> Self {
        Self::new(code, code.sentence().english)
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
        Self { at, ..Self::new(Code::ParseFailed, message) }
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
        let mut headers = HeaderMap::new();
        if let Some(seconds) = refused.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        Self { errors: vec![error], extensions: refused.extensions, headers, ..Self::default() }
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
                set_code(error, Code::ValidationFailed);
            } else if arguments.are_to_blame_for(error) {
                set_code(error, Code::BadUserInput);
            } else {
                conceal(error, id);
            }
        }
        Self { errors, data: ran.then_some(data), extensions, headers: http_headers }
    }

    /// Adds to what is said beside the data.
    pub(super) fn extend(&mut self, name: &str, value: Value) {
        self.extensions.insert(name.to_owned(), value);
    }

    /// A resolver panicked. What it said is with the panic hook, and may hold anything.
    pub(super) fn panicked(id: RequestId) -> Self {
        tracing::error!(request_id = %id, "a resolver panicked");
        Self { errors: vec![fault(ServerError::new("", None))], data: Some(Value::Null), ..Self::default() }
    }

    pub(super) fn into_response(mut self, form: Form) -> Response {
        let media = form.media;
        self.errors.iter_mut().for_each(|error| form.complete(error));
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
            let codes = self.errors.iter().filter_map(known_code);
            if let Some(code) = codes.max_by_key(|code| code.status(media)) {
                *response.status_mut() = code.status(media);
                if let Some((name, value)) = code.companion() {
                    response.headers_mut().entry(name).or_insert(value);
                }
            }
        }
        let headers = response.headers_mut();
        if let Some(seconds) = self.errors.iter().filter_map(retry_after).max() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(form.language.as_str()));
        let id = HeaderValue::try_from(form.id.to_string()).expect("a UUID is a header value");
        headers.insert(REQUEST_ID, id);
        response
    }
}

/// In which form an answer is written, and under which name the log speaks of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) media: Media,
    pub(super) language: Language,
    pub(super) id: RequestId,
}

impl Form {
    /// Of the answer to a request that is called so.
    pub(super) fn of(headers: &HeaderMap, id: RequestId) -> Self {
        Self {
            media: Media::accepted(headers).unwrap_or(Media::Json),
            language: language::accepted(headers),
            id,
        }
    }

    /// Gives an error what every error has.
    fn complete(self, error: &mut ServerError) {
        let code = known_code(error);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("requestId", self.id.to_string());
        let Some(code) = code else { return };
        extensions.set("retryable", code.retryable());
        let sentence = code.sentence().in_language(self.language);
        if self.language == Language::Indonesian && error.message != sentence {
            extensions.set("detail", std::mem::replace(&mut error.message, sentence.to_owned()));
        }
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

fn known_code(error: &ServerError) -> Option<Code> {
    code_of(error)?.parse().ok()
}

fn set_code(error: &mut ServerError, code: Code) {
    error.extensions.get_or_insert_default().set("code", code.as_str());
}

/// Logs a fault and leaves of it what its client may know.
fn conceal(error: &mut ServerError, id: RequestId) {
    let path = error.path.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    let path = path.collect::<Vec<_>>().join(".");
    tracing::error!(request_id = %id, path, error = without_numbers(&error.message), "a resolver failed");
    *error = fault(std::mem::replace(error, ServerError::new("", None)));
}

fn fault(error: ServerError) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", Code::Internal.as_str());
    ServerError {
        message: Code::Internal.sentence().english.to_owned(),
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
