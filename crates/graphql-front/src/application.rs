//! What the front needs from the application that it serves.

use std::sync::Arc;

use async_graphql::{Request, Response};
use axum::http::Extensions;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use rows::Written;

use super::analysis::Operation;
use super::catalogue::Catalogue;
use super::code::ErrorCode;
use super::language::Language;
use super::parsed::{ParsedDocument, ValidVariables};
use super::request_data::find;
use super::request_id::RequestId;

/// An operation that was admitted and is about to run.
#[derive(Debug)]
pub struct Call {
    /// The parsed request. Its data hold the [`RequestId`] and the
    /// [`Language`].
    pub request: Request,
    /// The document of the request, which may have run before with other variables.
    pub document: Arc<ParsedDocument>,
    /// The operation.
    pub operation: Arc<Operation>,
    /// What the layers before the endpoint know of the request, such as who sent it.
    pub extensions: Arc<Extensions>,
}

impl Call {
    /// Returns a copy, for an application that runs a query a second time where the first attempt failed.
    pub fn again(&self) -> Self {
        let mut request = Request::new("").variables(self.request.variables.clone());
        request.operation_name.clone_from(&self.request.operation_name);
        request.set_parsed_query(self.document.document().clone());
        let id = find::<RequestId>(&self.request.data).copied().unwrap_or_else(RequestId::new);
        let language = find::<Language>(&self.request.data).copied().unwrap_or(Language::English);
        let mut request = request.data(id).data(language);
        if let Some(written) = find::<Written>(&self.request.data) {
            request = request.data(*written);
        }
        if let Some(valid_variables) = find::<ValidVariables>(&self.request.data) {
            request = request.data(*valid_variables);
        }
        Self {
            request,
            document: Arc::clone(&self.document),
            operation: Arc::clone(&self.operation),
            extensions: Arc::clone(&self.extensions),
        }
    }
}

/// An API that an endpoint serves: a schema, and what surrounds each execution of it, such as rights and an audit trail.
///
/// Futures and streams are boxed so that the endpoint is compiled here, once, and not with every schema.
pub trait Application: Send + Sync + 'static {
    /// Returns the fields of the schema.
    fn catalogue(&self) -> &Catalogue;

    /// Finds one of the application's own error codes by its name.
    fn code(&self, name: &str) -> Option<ErrorCode>;

    /// Runs a query or a mutation.
    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Response>;

    /// Runs a subscription.
    fn subscribe(self: Arc<Self>, call: Call) -> BoxStream<'static, Response>;
}
