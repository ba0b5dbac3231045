//! The operations of one socket, and their way through async-graphql's loop.
//!
//! The loop knows an operation by a number of ours in place of the client's id. So a message that it made for an operation
//! that the client has completed meanwhile is known as such and dropped, even if the client has used the id again.

use std::any::TypeId;
use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use async_graphql::{Data, Executor, Request, Response, ServerError};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::yield_now;

use super::AuthenticatedSocket;
use crate::answer::{Answer, Refused};
use crate::endpoint::{Endpoint, Surroundings, Transport};
use crate::parameters::Parameters;
use crate::request_id::RequestId;

/// The operations of one socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// The number of the operation that came last.
    last: u64,
    running: HashMap<u64, Operation>,
}

#[derive(Debug)]
struct Operation {
    /// The client's id.
    id: String,
    /// What the client wants, until it starts.
    parameters: Option<Result<Parameters, Refused>>,
    /// The errors of an operation that did not run, until they are sent.
    errors: Vec<ServerError>,
}

/// How an operation ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The client's id.
    pub(super) id: String,
    /// Why it did not run; empty if it ran.
    pub(super) errors: Vec<ServerError>,
}

impl Operations {
    /// Returns how many are running.
    pub(super) fn count(&self) -> usize {
        self.0.lock().running.len()
    }

    /// Adds an operation and returns its number; `None` where the id is in use.
    pub(super) fn add(&self, id: String, parameters: Result<Parameters, Refused>) -> Option<u64> {
        let mut table = self.0.lock();
        if table.running.values().any(|operation| operation.id == id) {
            return None;
        }
        table.last += 1;
        let number = table.last;
        table.running.insert(number, Operation { id, parameters: Some(parameters), errors: Vec::new() });
        Some(number)
    }

    /// Removes the operation with the client's id and returns its number.
    pub(super) fn complete(&self, id: &str) -> Option<u64> {
        let mut table = self.0.lock();
        let number =
            table.running.iter().find(|(_, operation)| operation.id == id).map(|(&number, _)| number);
        number.inspect(|number| {
            table.running.remove(number);
        })
    }

    /// Returns the client's id of a running operation.
    pub(super) fn id(&self, number: u64) -> Option<String> {
        self.0.lock().running.get(&number).map(|operation| operation.id.clone())
    }

    /// Removes an operation that has ended.
    pub(super) fn end(&self, number: u64) -> Option<Ended> {
        self.0.lock().running.remove(&number).map(|Operation { id, errors, .. }| Ended { id, errors })
    }

    fn start(&self, number: u64) -> Option<Result<Parameters, Refused>> {
        self.0.lock().running.get_mut(&number)?.parameters.take()
    }

    fn refuse(&self, number: u64, errors: Vec<ServerError>) {
        if let Some(operation) = self.0.lock().running.get_mut(&number) {
            operation.errors = errors;
        }
    }
}

/// Returns what async-graphql's loop is sent for an operation: its number, and nothing else, because the parameters were
/// read already.
pub(super) fn subscribe(number: u64) -> String {
    let number = number.to_string();
    json!({"type": "subscribe", "id": number, "payload": {"query": number}}).to_string()
}

/// Runs the operations of one socket with the endpoint, for async-graphql's loop.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) endpoint: Endpoint,
    pub(super) operations: Operations,
}

impl Runner {
    fn run(&self, number: u64, session: &AuthenticatedSocket) -> BoxStream<'static, Response> {
        // The client has completed it before it started.
        let Some(parameters) = self.operations.start(number) else { return stream::empty().boxed() };
        let (id, language) = (RequestId::new(), session.language);
        let surroundings = Surroundings { id, language, extensions: Arc::clone(&session.extensions) };
        let (endpoint, operations) = (self.endpoint.clone(), self.operations.clone());
        let answers = async move {
            let started = match parameters {
                Ok(parameters) => endpoint.start(parameters, Transport::Stream, surroundings).await,
                Err(refused) => Err(refused),
            };
            match started {
                Ok(started) => started.answers(),
                Err(refused) => stream::once(ready(Answer::from(refused))).boxed(),
            }
        };
        stream::once(answers)
            .flatten()
            .map(move |answer| answer.into_payload(language, id))
            // An answer without data says why nothing ran, and the operation ends with it.
            .scan((), move |(), payload| {
                if payload.data.is_none() {
                    operations.refuse(number, payload.errors);
                    return ready(None);
                }
                let mut response = Response::new(payload.data.unwrap_or_default());
                response.errors = payload.errors;
                response.extensions = payload.extensions;
                ready(Some(response))
            })
            // The loop polls its operations in one order and takes the first result that is there. Each one steps back for
            // a moment, so that a subscription that never rests does not keep the others waiting.
            .then(|response| async {
                yield_now().await;
                response
            })
            .boxed()
    }
}

#[async_trait::async_trait]
impl Executor for Runner {
    /// The loop runs every operation as a stream, so it does not call this.
    async fn execute(&self, request: Request) -> Response {
        self.execute_stream(request, None).next().await.unwrap_or_default()
    }

    fn execute_stream(&self, request: Request, data: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let session =
            data.as_deref().and_then(|data| data.get(&TypeId::of::<AuthenticatedSocket>())?.downcast_ref());
        match (request.query.parse(), session) {
            (Ok(number), Some(session)) => self.run(number, session),
            _ => stream::empty().boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    fn parameters() -> Result<Parameters, Refused> {
        Err(Refused::from(Code::TooManyOperations))
    }

    #[test]
    fn an_id_is_free_again_and_names_another_operation_then() {
        let operations = Operations::default();
        let first = operations.add("1".to_owned(), parameters()).unwrap();
        assert_eq!(operations.add("1".to_owned(), parameters()), None);
        assert_eq!(operations.complete("1"), Some(first));
        let second = operations.add("1".to_owned(), parameters()).unwrap();
        // What is still under way of the first one is not taken for the second one's.
        assert_eq!(operations.id(first), None);
        assert!(operations.end(first).is_none() && operations.start(first).is_none());
        assert_eq!(operations.id(second).as_deref(), Some("1"));
        assert_eq!(operations.end(second).unwrap().id, "1");
        assert_eq!((operations.complete("1"), operations.count()), (None, 0));
    }
}
