//! No answer with people in it leaves before it is on record that they were in it.
//!
//! Around the schema, and not an extension of it: any extension makes each field half as slow again. What resolvers read,
//! the store notes ([`Trail`]); here the note becomes an entry. Where that fails the answer is thrown away.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Data, Executor, Request, Response, ServerError};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::code::Code;
use super::graphql::RequestId;
use crate::graphql::Registry;
use crate::graphql::context::RequestContext;
use crate::store::audit::{About, Trail};
use domain::access::Purpose;

/// What a request is, for the record.
pub fn about(request: &mut Request, purpose: Option<&Purpose>) -> About {
    let id = find::<RequestId>(&request.data).copied().unwrap_or_else(RequestId::new);
    let name = request.operation_name.clone();
    // It was parsed before, so this is no work, and what could not be parsed does not come here.
    let operation =
        request.parsed_query().map(|document| root_fields(document, name.as_deref())).unwrap_or_default();
    About { operation, purpose: purpose.map(|purpose| purpose.as_str().to_owned()), request_id: id.uuid() }
}

/// The names of the fields that an operation asks for first, in the order of the alphabet, whatever it calls them.
pub(super) fn root_fields(document: &ExecutableDocument, name: Option<&str>) -> String {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) => operations.values().next(),
    };
    let mut names = BTreeSet::new();
    if let Some(operation) = operation {
        collect(document, &operation.node.selection_set.node, &mut names);
    }
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// The guard has refused fragments that contain themselves.
fn collect<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, names: &mut BTreeSet<&'a str>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                names.insert(field.node.name.node.as_str());
            }
            Selection::InlineFragment(fragment) => {
                collect(document, &fragment.node.selection_set.node, names);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(document, &fragment.node.selection_set.node, names);
                }
            }
        }
    }
}

/// The API, each answer of which is on record before it leaves.
#[derive(Clone)]
pub struct Audited(Registry);

impl Audited {
    /// Puts the answers of a schema on record.
    pub fn new(schema: Registry) -> Self {
        Self(schema)
    }
}

#[async_trait::async_trait]
impl Executor for Audited {
    async fn execute(&self, request: Request) -> Response {
        let trail = trail_of(&request);
        let response = Executor::execute(&self.0, request).await;
        on_record(trail.as_deref(), response).await
    }

    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let trail = trail_of(&request);
        let answers = Executor::execute_stream(&self.0, request, session);
        answers
            .then(move |response| {
                let trail = trail.clone();
                async move { on_record(trail.as_deref(), response).await }
            })
            .boxed()
    }
}

fn find<T: 'static>(data: &Data) -> Option<&T> {
    data.get(&TypeId::of::<T>()).and_then(|data| data.downcast_ref())
}

fn trail_of(request: &Request) -> Option<Arc<Trail>> {
    find::<RequestContext>(&request.data).map(|context| Arc::clone(&context.trail))
}

/// The answer once it is on record, or a refusal in its place.
async fn on_record(trail: Option<&Trail>, response: Response) -> Response {
    let Some(trail) = trail else { return unrecorded() };
    match trail.close().await {
        Ok(()) => response,
        Err(error) => {
            tracing::error!(request_id = %trail.request_id(), %error, "an answer was thrown away: no entry for it");
            unrecorded()
        }
    }
}

fn unrecorded() -> Response {
    let message = "The registry cannot put on record whom this answer shows, so it does not give it. Try again in a \
                   moment, a mutation with the same idempotencyKey.";
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", Code::Unavailable.as_str());
    Response::from_errors(vec![error])
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn an_operation_is_called_by_its_root_fields() {
        for (query, name, expected) in [
            (
                "{ b: participants { nodes { id } } a: employers { nodes { id } } }",
                None,
                "employers participants",
            ),
            ("{ participant { id } x: participant { id } }", None, "participant"),
            (
                "query A { provinces { code } } query B { ...F } fragment F on Query { ... { node { id } } }",
                Some("B"),
                "node",
            ),
        ] {
            assert_eq!(root_fields(&parse_query(query).unwrap(), name), expected);
        }
    }
}
