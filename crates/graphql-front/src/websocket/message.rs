//! The messages of `graphql-transport-ws`: those of a client, each checked against the protocol, and those of the server.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::close::Close;

/// A message of a client, in a form that the protocol specifies.
#[derive(Debug)]
pub(super) enum ClientMessage<'a> {
    ConnectionInit(Option<Map<String, Json>>),
    Ping(Option<Map<String, Json>>),
    Pong,
    Subscribe { id: String, payload: &'a str },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// The types of the members of a `subscribe` payload. What they say is read later, as for every transport.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    #[serde(borrow)]
    query: Option<Cow<'a, str>>,
    #[serde(borrow)]
    document_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "operationName")]
    _operation_name: Option<Cow<'a, str>>,
    #[serde(rename = "variables")]
    _variables: Option<HashMap<String, IgnoredAny>>,
    extensions: Option<HashMap<String, IgnoredAny>>,
}

impl<'a> ClientMessage<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// 4400: it has a type or a form that the protocol does not specify.
    pub(super) fn read(text: &'a str) -> Result<Self, Close> {
        let Envelope { kind, id, payload } = object(text).ok_or(Close::bad(
            "A message is a JSON object with `type`, and for operations with `id`, both strings",
        ))?;
        let id = || {
            let id = id.filter(|id| !id.is_empty());
            id.ok_or(Close::bad("The message needs an `id`, a string that is not empty"))
        };
        let optional = || match payload {
            None => Ok(None),
            Some(payload) => object(payload.get())
                .map(Some)
                .ok_or(Close::bad("The `payload` of this message is an object, null or left out")),
        };
        match &*kind {
            "connection_init" => optional().map(Self::ConnectionInit),
            "ping" => optional().map(Self::Ping),
            "pong" => optional().map(|_| Self::Pong),
            "complete" => Ok(Self::Complete { id: id()? }),
            "subscribe" => {
                let payload = payload.map_or("null", RawValue::get);
                check_operation(payload)?;
                Ok(Self::Subscribe { id: id()?, payload })
            }
            _ => Err(Close::bad("Clients send connection_init, subscribe, complete, ping and pong")),
        }
    }
}

fn check_operation(payload: &str) -> Result<(), Close> {
    let Operation { query, document_id, extensions, .. } = object(payload).ok_or(Close::bad(
        "`payload` of subscribe: query and operationName are strings, variables and extensions objects",
    ))?;
    // An extension of ours: a persisted document is named by its hash and needs no text.
    let is_named = document_id.is_some()
        || extensions.is_some_and(|extensions| extensions.contains_key("persistedQuery"));
    match query.is_some() || is_named {
        true => Ok(()),
        false => Err(Close::bad("`payload` of subscribe needs `query`, a string")),
    }
}

/// Reads a JSON object. Serde would also take an array for a struct, member by member.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    json.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

/// A message of the server.
#[derive(Serialize)]
struct ServerMessage<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

/// Writes a message.
pub(super) fn write<P: Serialize>(kind: &str, id: Option<&str>, payload: Option<P>) -> String {
    let message = ServerMessage { id, kind, payload };
    serde_json::to_string(&message).expect("names are strings, and writing into memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_protocol_are_read() {
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":null}"#,
            r#"{"type":"connection_init","payload":{"a":[1]},"more":{"b":2}}"#,
            r#" {"type":"ping","payload":{}}"#,
            r#"{"type":"pong"}"#,
            r#"{"type":"complete","id":"1"}"#,
            r#"{"id":"é\n","type":"subscribe","payload":{"query":""}}"#,
            r#"{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":null,"operationName":null,"extensions":{}}}"#,
            r#"{"id":"1","type":"subscribe","payload":{"extensions":{"persistedQuery":{}}}}"#,
            r#"{"id":"1","type":"subscribe","payload":{"documentId":"sha256:0"}}"#,
        ] {
            assert!(ClientMessage::read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_other_message_is_a_bad_one() {
        for text in [
            "",
            "{",
            "null",
            "[]",
            r#"["ping"]"#,
            r#"{"type":7}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"ping","type":"pong"}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":""}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":7,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":null}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":["{a}"]}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":7}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","extensions":"x"}}"#,
        ] {
            assert_eq!(ClientMessage::read(text).unwrap_err().code(), 4400, "{text}");
        }
    }
}
