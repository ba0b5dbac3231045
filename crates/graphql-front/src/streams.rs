//! The open streams of a process: WebSockets and event streams. They outlast the request that opened them, so they have
//! limits of their own, end when their client loses its rights, and end when the server stops.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, pending};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::code::Code;
use super::request_id::ClientId;
use super::settings::Sockets;

/// The open streams of a process.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Sockets,
    permits: Arc<Semaphore>,
    clients: Arc<Mutex<HashMap<ClientId, usize>>>,
    /// Streams that clients have open in other processes, as far as this one knows.
    elsewhere: Mutex<HashMap<ClientId, usize>>,
    stopping: watch::Sender<bool>,
}

/// The permit of one stream, given back when it is dropped.
#[derive(Debug)]
pub struct StreamPermit {
    _permit: OwnedSemaphorePermit,
}

/// The permit of one client to one stream, given back when it is dropped.
#[derive(Debug)]
pub struct ClientPermit {
    client: ClientId,
    clients: Arc<Mutex<HashMap<ClientId, usize>>>,
}

impl Streams {
    /// Creates the limits, with no stream open.
    pub fn new(limits: Sockets) -> Self {
        Self(Arc::new(Inner {
            limits,
            permits: Arc::new(Semaphore::new(limits.maximum)),
            clients: Arc::default(),
            elsewhere: Mutex::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Takes a permit for a stream of any client.
    ///
    /// # Errors
    /// `OVERLOADED`: as many streams are open as the process allows.
    pub fn open(&self) -> Result<StreamPermit, Code> {
        let permit = Arc::clone(&self.0.permits).try_acquire_owned();
        permit.map(|permit| StreamPermit { _permit: permit }).map_err(|_| Code::Overloaded)
    }

    /// Takes a client's permit for a stream. A request without a client needs none.
    ///
    /// # Errors
    /// `TOO_MANY_SOCKETS`: the client has as many as it may.
    pub fn open_for(&self, client: Option<ClientId>) -> Result<Option<ClientPermit>, Code> {
        let Some(client) = client else { return Ok(None) };
        let elsewhere = self.0.elsewhere.lock().get(&client).copied().unwrap_or_default();
        let clients = &self.0.clients;
        let mut open = clients.lock();
        let here = open.get(&client).copied().unwrap_or_default();
        if here + elsewhere >= self.0.limits.per_client {
            return Err(Code::TooManySockets);
        }
        open.insert(client, here + 1);
        Ok(Some(ClientPermit { client, clients: Arc::clone(clients) }))
    }

    /// Returns how many streams each client has open in this process. Clients without one are not in it.
    pub fn of_clients(&self) -> HashMap<ClientId, usize> {
        self.0.clients.lock().clone()
    }

    /// Sets how many streams clients have open in other processes. They count towards the limit of a client.
    pub fn set_elsewhere(&self, open: HashMap<ClientId, usize>) {
        *self.0.elsewhere.lock() = open;
    }

    /// Returns how many streams are open.
    pub fn count(&self) -> usize {
        self.0.limits.maximum.saturating_sub(self.0.permits.available_permits())
    }

    /// Ends all streams, now and from now on.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits until the server stops.
    pub async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Waits until no stream is open.
    pub async fn finished(&self) {
        let all = u32::try_from(self.0.limits.maximum).unwrap_or(u32::MAX);
        let _ = self.0.permits.acquire_many(all).await;
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut open = self.clients.lock();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

/// Whether a client may still be answered.
pub trait ClientRights: Send + Sync + 'static {
    /// Whether they have expired, for example with a token.
    fn have_expired(&self) -> bool;

    /// Whether they were taken away or changed.
    fn have_changed(&self) -> bool;

    /// Waits until they have expired or changed. Called once for each stream.
    fn lost(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// The rights of the client that sends a request.
///
/// The layer that authenticates puts it into the extensions of the request. Without it, the client may always be answered.
#[derive(Clone)]
pub struct Lease(Arc<dyn ClientRights>);

impl Lease {
    /// Creates a lease.
    pub fn new(rights: impl ClientRights) -> Self {
        Self(Arc::new(rights))
    }

    /// Whether the client may begin something.
    pub fn holds(lease: Option<&Self>) -> bool {
        lease.is_none_or(|Self(rights)| !rights.have_expired() && !rights.have_changed())
    }

    /// Whether the client may finish an operation that has begun. An expired token does not end it.
    pub fn may_finish(lease: Option<&Self>) -> bool {
        lease.is_none_or(|Self(rights)| !rights.have_changed())
    }

    /// Waits until the rights are lost.
    pub(crate) fn ended(lease: Option<&Self>) -> BoxFuture<'static, ()> {
        lease.map_or_else(|| pending().boxed(), |lease| Arc::clone(&lease.0).lost())
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(maximum: usize, per_client: usize) -> Streams {
        Streams::new(Sockets { maximum, per_client, ..Sockets::default() })
    }

    #[test]
    fn a_client_has_its_own_limit_and_gets_a_permit_back() {
        let streams = streams(9, 1);
        let [one, two] = [ClientId(1), ClientId(2)].map(Some);
        let first = streams.open_for(one).unwrap();
        assert_eq!(streams.open_for(one).unwrap_err(), Code::TooManySockets);
        assert!(streams.open_for(two).is_ok());
        drop(first);
        assert!(streams.open_for(one).is_ok());
        assert!(streams.of_clients().is_empty());
    }

    #[test]
    fn streams_in_other_processes_count_towards_the_limit_of_a_client() {
        let streams = streams(9, 3);
        let [one, two] = [ClientId(1), ClientId(2)];
        streams.set_elsewhere(HashMap::from([(one, 2)]));
        let _first = streams.open_for(Some(one)).unwrap();
        assert_eq!(streams.open_for(Some(one)).unwrap_err(), Code::TooManySockets);
        assert!(streams.open_for(Some(two)).is_ok());
        assert_eq!(streams.of_clients(), HashMap::from([(one, 1)]));
        streams.set_elsewhere(HashMap::new());
        assert!(streams.open_for(Some(one)).is_ok());
    }

    #[tokio::test]
    async fn a_server_that_stops_waits_for_its_streams() {
        let streams = streams(1, 1);
        let open = streams.open().unwrap();
        assert_eq!(streams.open().unwrap_err(), Code::Overloaded);
        assert!(streams.finished().now_or_never().is_none());
        assert!(streams.stopped().now_or_never().is_none());
        streams.stop();
        streams.stopped().await;
        drop(open);
        streams.finished().await;
    }
}
