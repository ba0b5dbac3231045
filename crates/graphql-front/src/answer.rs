//! Answers: what a client gets, and with which status.
//!
//! Three kinds of errors are kept apart. A *refusal* stops a request before anything of it runs. An error that a resolver
//! gave a code is meant for the client and passes as it is. Everything else is a *fault*: logged here, once, and replaced
//! by a constant sentence and the request's id.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_graphql::{PathSegment, Pos, Response as Executed, ServerError, Value};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Serialize;

use super::analysis::ArgumentPositions;
use super::code::{Code, ErrorCode};
use super::guard::Refusal;
use super::language::{self, Language};
use super::media::Media;
use super::request_id::{REQUEST_ID, RequestId};

/// The most errors of the validator that a client gets: a query may have thousands.
const MAX_REFUSAL_ERRORS: usize = 20;

/// A request that was refused before anything of it ran.
#[derive(Debug)]
pub struct Refused {
    code: ErrorCode,
    message: Cow<'static, str>,
    /// Apart, because most refusals have none and every result that can be one is as large as it.
    details: Box<Details>,
}

/// What some refusals say besides code and message.
#[derive(Debug, Default)]
struct Details {
    at: Option<Pos>,
    extensions: BTreeMap<String, Value>,
    /// Seconds until a retry makes sense, where that is known.
    retry_after: Option<u64>,
}

impl Refused {
    /// Refuses a request by a code, with a message of its own.
    pub fn new(code: impl Into<ErrorCode>, message: impl Into<Cow<'static, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { code, message, details: Box::default() }
    }

    /// Returns the code of the refusal.
    pub const fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// Returns the message of the refusal, in English.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Adds what the request would have cost, and when there are points for it.
    pub(crate) fn costing(mut self, cost: Value, retry_after: Option<u64>) -> Self {
        self.details.extensions.insert("cost".to_owned(), cost);
        self.details.retry_after = retry_after;
        self
    }
}

impl From<Code> for Refused {
    /// Refuses a request by a code, with the sentence of the code.
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
    /// Says where the syntax error is and what was expected there. The parser's own message repeats the line of the query,
    /// which may hold personal data and be as long as the query; the expectation is in the message's last line.
    fn from(error: async_graphql::parser::Error) -> Self {
        let at = error.positions().next();
        let message = match &error {
            async_graphql::parser::Error::Syntax { message, .. } => {
                let expected = message.lines().next_back().unwrap_or_default();
                format!("Syntax error: {}.", expected.trim_start_matches([' ', '=']))
            }
            other => format!("Syntax error: {other}"),
        };
        let mut refused = Self::new(Code::ParseFailed, message);
        refused.details.at = at;
        refused
    }
}

/// One answer to a request, before it is written to a transport.
#[derive(Debug, Default)]
pub struct Answer {
    errors: Vec<CodedError>,
    /// `None`: nothing ran, and the answer has no such member.
    data: Option<Value>,
    extensions: BTreeMap<String, Value>,
    headers: HeaderMap,
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        let mut error = ServerError::new(refused.message, refused.details.at);
        if let Some(seconds) = refused.details.retry_after {
            // Over HTTP it becomes the header `Retry-After`; other transports have nothing else.
            error.extensions.get_or_insert_default().set("retryAfter", seconds);
        }
        let error = CodedError::new(error, refused.code);
        Self { errors: vec![error], extensions: refused.details.extensions, ..Self::default() }
    }
}

/// An error, with what its code means.
#[derive(Debug)]
struct CodedError {
    error: ServerError,
    /// `None`: a name that neither this package nor the application knows.
    code: Option<ErrorCode>,
}

impl CodedError {
    fn new(mut error: ServerError, code: impl Into<ErrorCode>) -> Self {
        let code = code.into();
        error.extensions.get_or_insert_default().set("code", code.name);
        Self { error, code: Some(code) }
    }
}

/// What a client receives: the members of a response in the order of the specification.
#[derive(Debug, Serialize)]
pub struct Payload {
    /// The errors, complete with request id and language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ServerError>,
    /// The data; `None` where nothing ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// The extensions, such as the cost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
}

impl Answer {
    /// Makes an answer of what the schema returned. `find` finds the codes of the application.
    ///
    /// The validator's errors have no path, and those of resolvers have one.
    pub(crate) fn executed(
        response: Executed,
        arguments: &ArgumentPositions,
        id: RequestId,
        find: impl Fn(&str) -> Option<ErrorCode>,
    ) -> Self {
        let Executed { mut errors, data, extensions, http_headers, .. } = response;
        let ran = data != Value::Null
            || errors.iter().any(|error| !error.path.is_empty() || code_of(error).is_some());
        if !ran {
            errors.truncate(MAX_REFUSAL_ERRORS);
        }
        let coded = |error: ServerError| match code_of(&error) {
            Some(name) => {
                log_cause(&error, id);
                let own = name.parse::<Code>().ok().map(ErrorCode::from);
                let code = own.or_else(|| find(name));
                CodedError { error, code }
            }
            None if !ran => CodedError::new(error, Code::ValidationFailed),
            None if arguments.are_to_blame_for(&error) => CodedError::new(error, Code::BadUserInput),
            None => conceal(error, id),
        };
        let errors = errors.into_iter().map(coded).collect();
        Self { errors, data: ran.then_some(data), extensions, headers: http_headers }
    }

    /// Answers for a resolver that panicked. Its message is with the panic hook, and may hold anything.
    pub(crate) fn panicked(id: RequestId) -> Self {
        tracing::error!(request_id = %id, "a resolver panicked");
        let error = fault(ServerError::new("", None));
        Self { errors: vec![error], data: Some(Value::Null), ..Self::default() }
    }

    /// Adds a member to the extensions.
    pub(crate) fn extend(&mut self, name: &str, value: Value) {
        self.extensions.insert(name.to_owned(), value);
    }

    /// Returns the members of the response, each error complete.
    pub fn into_payload(self, language: Language, id: RequestId) -> Payload {
        let errors = self.errors.into_iter().map(|error| error.complete(language, id)).collect();
        Payload { errors, data: self.data, extensions: self.extensions }
    }

    /// Returns whether every field failed, and may succeed in a moment: the answer is then a refusal in fact.
    fn may_all_be_retried(&self) -> bool {
        let failed = |name: &str| {
            self.errors.iter().any(|CodedError { error, code }| {
                let field = error.path.first();
                matches!(field, Some(PathSegment::Field(field)) if field == name)
                    && code.is_some_and(|code| code.retryable)
            })
        };
        match &self.data {
            Some(Value::Object(fields)) if !fields.is_empty() => {
                fields.iter().all(|(name, value)| *value == Value::Null && failed(name))
            }
            _ => false,
        }
    }

    /// Returns the response over HTTP.
    pub(crate) fn into_response(mut self, form: Form) -> Response {
        let media = form.media;
        let mut response = Response::new(Body::empty());
        response.headers_mut().clone_from(&self.headers);
        if self.may_all_be_retried() {
            // So that the status may say it: with data it has to be 200.
            self.data = Some(Value::Null);
        }
        if matches!(self.data, None | Some(Value::Null)) {
            // Of several, the gravest.
            let codes = self.errors.iter().filter_map(|error| error.code);
            if let Some(code) = codes.max_by_key(|code| code.status(media)) {
                *response.status_mut() = code.status(media);
                if let Some((name, value)) = code.companion() {
                    response.headers_mut().entry(name).or_insert(value);
                }
            }
        }
        let headers = response.headers_mut();
        if let Some(seconds) = self.errors.iter().filter_map(|error| retry_after(&error.error)).max() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(form.language.as_str()));
        let id = HeaderValue::try_from(form.id.to_string()).expect("a UUID is a header value");
        headers.insert(REQUEST_ID, id);
        let payload = self.into_payload(form.language, form.id);
        let bytes = rows::to_vec(&payload).expect("names are strings, and writing into memory does not fail");
        *response.body_mut() = Body::from(bytes);
        response
    }
}

impl CodedError {
    /// Returns the error with what every error has: the request's id, whether to retry, and the message in the client's
    /// language.
    fn complete(self, language: Language, id: RequestId) -> ServerError {
        let Self { mut error, code } = self;
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("requestId", id.to_string());
        let Some(code) = code else { return error };
        extensions.set("retryable", code.retryable);
        let sentence = code.sentence.in_language(language);
        if language == Language::Indonesian && error.message != sentence {
            extensions.set("detail", std::mem::replace(&mut error.message, sentence.to_owned()));
        }
        error
    }
}

/// How a response over HTTP is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) media: Media,
    pub(crate) language: Language,
    pub(crate) id: RequestId,
}

impl Form {
    /// Chooses the form by the headers of the request.
    pub(crate) fn of(headers: &HeaderMap, id: RequestId) -> Self {
        Self {
            media: Media::accepted(headers).unwrap_or(Media::Json),
            language: language::accepted(headers),
            id,
        }
    }
}

/// Returns the response to a request that a layer outside of the endpoint refuses, in the form that the client accepts.
pub fn refusal(
    headers: &HeaderMap,
    id: RequestId,
    code: impl Into<ErrorCode>,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    Answer::from(Refused::new(code, message)).into_response(Form::of(headers, id))
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Returns the seconds until a retry makes sense, where an error says so.
fn retry_after(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get("retryAfter")? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    }
}

/// The cause of an error with a code, for the log. It is the error's source, and clients never see it.
#[derive(Clone, Debug)]
pub struct Cause(pub String);

/// Logs the cause of an error, if it has one.
pub fn log_cause(error: &ServerError, id: RequestId) {
    if let Some(Cause(cause)) = error.source() {
        tracing::warn!(request_id = %id, path = path_of(error), cause, "a field has no answer");
    }
}

fn path_of(error: &ServerError) -> String {
    let path = error.path.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    path.collect::<Vec<_>>().join(".")
}

/// Logs a fault, and returns what its client may know of it.
fn conceal(mut error: ServerError, id: RequestId) -> CodedError {
    tracing::error!(request_id = %id, path = path_of(&error), error = without_numbers(&error.message), "a resolver failed");
    error.extensions = None;
    fault(error)
}

fn fault(error: ServerError) -> CodedError {
    let message = Code::Internal.sentence().english.to_owned();
    CodedError::new(ServerError { message, source: None, ..error }, Code::Internal)
}

/// Returns a message without long numbers: libraries quote values, and no identity number may come into the log.
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
