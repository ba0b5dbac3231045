//! What may be said on a socket, and when: the protocol's state between the client and async-graphql's loop.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::close::Close;
use super::message::{self, ClientMessage};
use super::operations::{self, Operations};
use crate::answer::Refused;
use crate::code::Code;
use crate::guard::Limits;
use crate::parameters::Parameters;

/// The state of a socket. It does no input or output.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    phase: Phase,
    operations: Operations,
    limits: &'a Limits,
    most_operations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client has sent no `connection_init`.
    Opened,
    /// It has, and the server has not acknowledged it.
    Initialising,
    Acknowledged,
}

/// What follows from a message of the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The loop is sent this message.
    Forward(String),
    /// The client is sent this message.
    Reply(String),
    Nothing,
}

/// A message of async-graphql's loop.
#[derive(Deserialize)]
struct Outgoing<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(operations: Operations, limits: &'a Limits, most_operations: usize) -> Self {
        Self { phase: Phase::Opened, operations, limits, most_operations }
    }

    /// Returns whether the client still has to send `connection_init`.
    pub(super) fn awaits_init(&self) -> bool {
        self.phase == Phase::Opened
    }

    /// Takes a message of the client.
    ///
    /// # Errors
    /// The socket is closed.
    pub(super) fn receive(&mut self, text: &str) -> Result<Reaction, Close> {
        match ClientMessage::read(text)? {
            ClientMessage::ConnectionInit(_) if self.phase != Phase::Opened => Err(Close::INIT_TWICE),
            ClientMessage::ConnectionInit(payload) => {
                self.phase = Phase::Initialising;
                Ok(Reaction::Forward(message::write("connection_init", None, payload)))
            }
            // Not by the loop: it answers none while it waits for the client to be authenticated.
            ClientMessage::Ping(payload) => Ok(Reaction::Reply(message::write("pong", None, payload))),
            ClientMessage::Pong => Ok(Reaction::Nothing),
            ClientMessage::Subscribe { .. } if self.phase != Phase::Acknowledged => {
                Err(Close::NOT_ACKNOWLEDGED)
            }
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload).map(Reaction::Forward),
            ClientMessage::Complete { id } => Ok(match self.operations.complete(&id) {
                Some(number) => {
                    Reaction::Forward(message::write("complete", Some(&number.to_string()), None::<()>))
                }
                None => Reaction::Nothing,
            }),
        }
    }

    fn subscribe(&self, id: String, payload: &str) -> Result<String, Close> {
        let parameters = match self.operations.count() < self.most_operations {
            true => Parameters::from_json(payload.as_bytes(), "`payload`", self.limits),
            false => Err(Refused::from(Code::TooManyOperations)),
        };
        match self.operations.add(id.clone(), parameters) {
            Some(number) => Ok(operations::subscribe(number)),
            None => Err(Close::duplicate(&id)),
        }
    }

    /// Takes a message of the loop and returns what the client is sent for it: nothing about an operation that the client
    /// has completed, and `error` in place of `complete` about one that did not run.
    pub(super) fn send(&mut self, text: &str) -> Option<String> {
        let Outgoing { kind, id, payload } = serde_json::from_str(text).ok()?;
        let Some(number) = id else {
            if kind == "connection_ack" {
                self.phase = Phase::Acknowledged;
            }
            return Some(text.to_owned());
        };
        let number = number.parse().ok()?;
        if kind == "complete" {
            let ended = self.operations.end(number)?;
            return Some(match ended.errors.as_slice() {
                [] => message::write("complete", Some(&ended.id), None::<()>),
                errors => message::write("error", Some(&ended.id), Some(errors)),
            });
        }
        let id = self.operations.id(number)?;
        Some(message::write(&kind, Some(&id), payload))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PING: &str = r#"{"type":"ping","payload":{"n":1}}"#;
    const INIT: &str = r#"{"type":"connection_init"}"#;

    fn subscribe(id: &str) -> String {
        json!({"type": "subscribe", "id": id, "payload": {"query": "{a}"}}).to_string()
    }

    fn read(text: Option<String>) -> Value {
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// What the loop is sent for a message.
    fn forwarded(conversation: &mut Conversation<'_>, text: &str) -> Value {
        match conversation.receive(text).unwrap() {
            Reaction::Forward(text) => read(Some(text)),
            other => panic!("not forwarded: {other:?}"),
        }
    }

    fn acknowledged(limits: &Limits) -> Conversation<'_> {
        let mut conversation = Conversation::new(Operations::default(), limits, 2);
        conversation.receive(INIT).unwrap();
        conversation.send(r#"{"type":"connection_ack"}"#).unwrap();
        conversation
    }

    #[test]
    fn a_connection_is_initialised_once_and_before_anything_runs() {
        let limits = Limits::default();
        let mut conversation = Conversation::new(Operations::default(), &limits, 2);
        assert!(conversation.awaits_init());
        assert_eq!(conversation.receive(&subscribe("1")), Err(Close::NOT_ACKNOWLEDGED));
        assert_eq!(
            conversation.receive(PING),
            Ok(Reaction::Reply(r#"{"type":"pong","payload":{"n":1}}"#.to_owned()))
        );
        assert_eq!(forwarded(&mut conversation, INIT), json!({"type": "connection_init"}));
        assert!(!conversation.awaits_init());
        assert_eq!(conversation.receive(&subscribe("1")), Err(Close::NOT_ACKNOWLEDGED));
        assert_eq!(conversation.receive(INIT), Err(Close::INIT_TWICE));
        assert_eq!(
            conversation.send(r#"{"type":"connection_ack"}"#).as_deref(),
            Some(r#"{"type":"connection_ack"}"#)
        );
        assert!(conversation.receive(&subscribe("1")).is_ok());
        assert_eq!(conversation.receive(INIT), Err(Close::INIT_TWICE));
    }

    #[test]
    fn nothing_follows_a_completed_operation() {
        let limits = Limits::default();
        let mut conversation = acknowledged(&limits);
        assert_eq!(forwarded(&mut conversation, &subscribe("a"))["id"], "1");
        assert_eq!(conversation.receive(&subscribe("a")), Err(Close::duplicate("a")));
        let next = |number: &str| json!({"type": "next", "id": number, "payload": {"data": 1}}).to_string();
        assert_eq!(
            read(conversation.send(&next("1"))),
            json!({"type": "next", "id": "a", "payload": {"data": 1}})
        );
        let complete = json!({"type": "complete", "id": "a"}).to_string();
        assert_eq!(forwarded(&mut conversation, &complete), json!({"type": "complete", "id": "1"}));
        // It may have come too late, so a second one is no error.
        assert_eq!(conversation.receive(&complete), Ok(Reaction::Nothing));
        assert_eq!(forwarded(&mut conversation, &subscribe("a"))["id"], "2");
        assert_eq!(conversation.send(&next("1")), None);
        assert_eq!(conversation.send(r#"{"type":"complete","id":"1"}"#), None);
        assert_eq!(read(conversation.send(&next("2")))["id"], "a");
        let complete = conversation.send(r#"{"type":"complete","id":"2"}"#);
        assert_eq!(read(complete), json!({"type": "complete", "id": "a"}));
    }
}
