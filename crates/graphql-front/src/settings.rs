//! The limits of an endpoint, in one place.

use std::time::Duration;

use tokio::runtime::Handle;

use super::admission::Admission;
use super::cost::Cost;
use super::documents::Documents;
use super::guard::Limits;
use super::origin::Origins;

/// The limits of an endpoint. The defaults suit a server on two cores.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Size of a query, and whether it may use introspection.
    pub limits: Limits,
    /// Maximum length of a body, in bytes.
    pub max_body_bytes: usize,
    /// Time that a client may take to send its body.
    pub body_deadline: Duration,
    /// Time that a query may run.
    pub query_deadline: Duration,
    /// Time that a client waits for a mutation. The mutation itself goes on.
    pub mutation_deadline: Duration,
    /// Rate limit of one client.
    pub cost: Cost,
    /// How many requests run and wait at once.
    pub admission: Admission,
    /// WebSockets and event streams.
    pub sockets: Sockets,
    /// Foreign origins whose pages may use the endpoint.
    pub origins: Origins,
    /// Documents that clients name by their hash.
    pub documents: Documents,
    /// Where bulk mutations, large queries and requests with large bodies run: they compute for milliseconds between two waits,
    /// and the threads of other requests would look at no socket meanwhile. `None`: they run where the others do.
    pub long_work: Option<Handle>,
}

/// Limits of WebSockets, and of subscriptions over event streams.
#[derive(Clone, Copy, Debug)]
pub struct Sockets {
    /// Maximum number of open sockets and event streams.
    pub maximum: usize,
    /// Maximum number of open sockets and event streams of one client.
    pub per_client: usize,
    /// Maximum number of concurrent operations on one socket.
    pub operations: usize,
    /// Time that a client may take to send `connection_init`.
    pub init_deadline: Duration,
    /// Maximum length of one message, in bytes.
    pub message_bytes: usize,
    /// Time between two pings of the server. A client that answers one not before the next one is gone.
    pub ping_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_body_bytes: 8 * 1024 * 1024,
            body_deadline: Duration::from_secs(30),
            query_deadline: Duration::from_secs(10),
            mutation_deadline: Duration::from_secs(30),
            cost: Cost::default(),
            admission: Admission::default(),
            sockets: Sockets::default(),
            origins: Origins::default(),
            documents: Documents::default(),
            long_work: None,
        }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            maximum: 1_000,
            per_client: 100,
            operations: 20,
            init_deadline: Duration::from_secs(5),
            message_bytes: 64 * 1024,
            // Below the minute after which proxies close an idle connection.
            ping_interval: Duration::from_secs(20),
        }
    }
}
