//! WebSockets and event streams from outside: a real server, real sockets, and nothing of this package but what it exports.
#![expect(clippy::unwrap_used, reason = "a test that finds something else than it expects has failed")]

mod events;
mod operations;
mod protocol;
mod server;
mod time;
