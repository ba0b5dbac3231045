//! The id of a request, and the client that sent it.

use std::fmt;

use axum::http::{Extensions, HeaderName};
use uuid::Uuid;

/// Header of every response with the id under which the log knows the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id that the server gave to one request. Ids ascend with time. An id that a client sends is ignored.
///
/// An outer layer may create it and put it into the request's extensions; the endpoint creates one otherwise. Resolvers
/// find it in the data of their context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Creates a new id.
    #[expect(clippy::new_without_default, reason = "no two of them are equal")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Returns the id that an outer layer put into the extensions, or a new one.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or_else(Self::new)
    }

    /// Returns the id as a UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The client that sent a request: whose rate limit it counts against, and whose documents it may name by hash.
///
/// The layer that authenticates puts it into the request's extensions. Without it, requests are not rate limited and
/// share one set of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub i64);
