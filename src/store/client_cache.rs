//! A cache of all API clients, so that no request queries the database for its caller.
//!
//! The cache has all clients, a few thousand rows. It is replaced as a whole when a change is announced. The listener
//! confirms with [`ClientCache::heard`] that the cache is up to date. A cache without confirmation for [`STALE_AFTER`]
//! is read again before use. So a disabled client is refused within seconds, even if no announcement arrives.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::client;
use super::error::StoreError;
use super::session::Session;
use domain::client::Client;

/// How long the cache is used without confirmation.
pub const STALE_AFTER: Duration = Duration::from_secs(4);
/// Minimum time between two reads that unknown subjects cause.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A snapshot of all clients.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: HashMap<i64, Arc<Client>>,
    /// By issuer and subject of the token.
    by_token: HashMap<String, HashMap<String, i64>>,
}

impl Clients {
    fn new(clients: Vec<Client>) -> Self {
        let mut by_token: HashMap<String, HashMap<String, i64>> = HashMap::new();
        for client in &clients {
            let of_issuer = by_token.entry(client.issuer.clone()).or_default();
            of_issuer.insert(client.subject.clone(), client.id);
        }
        let by_id = clients.into_iter().map(|client| (client.id, Arc::new(client))).collect();
        Self { by_id, by_token }
    }

    /// Returns all clients, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }

    /// Returns the client with an internal id.
    pub fn by_id(&self, id: i64) -> Option<&Arc<Client>> {
        self.by_id.get(&id)
    }

    /// Whether a client is there as it was when it was found, with the same rights.
    pub fn has(&self, client: &Arc<Client>) -> bool {
        self.by_id(client.id).is_some_and(|now| now == client)
    }

    /// Returns the client that a token names.
    pub fn by_token(&self, issuer: &str, subject: &str) -> Option<&Arc<Client>> {
        let id = self.by_token.get(issuer)?.get(subject)?;
        self.by_id.get(id)
    }
}

/// The cache.
#[derive(Debug)]
pub struct ClientCache {
    clients: ArcSwap<Clients>,
    opened: Instant,
    /// Milliseconds from `opened` to the moment of the last confirmation.
    confirmed_at: AtomicU64,
    /// Only one task reads at a time, so that an older result never replaces a newer one.
    reading: tokio::sync::Mutex<Reading>,
}

/// The state of the last read.
#[derive(Debug, Default)]
struct Reading {
    begun: Option<Instant>,
    failed: Option<(Instant, StoreError)>,
}

impl Reading {
    /// Returns the error of a read that failed while the caller was waiting. Otherwise a hundred callers would repeat
    /// the read one after the other, and the last one would wait for all.
    fn failed_since(&self, asked: Instant) -> Result<(), StoreError> {
        match &self.failed {
            Some((at, error)) if *at >= asked => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl ClientCache {
    /// Reads all clients.
    ///
    /// # Errors
    /// The database is unavailable, or contains a name that this version does not know.
    pub async fn open(session: &Session) -> Result<Self, StoreError> {
        let opened = Instant::now();
        let clients = Clients::new(client::list(session).await?);
        Ok(Self {
            clients: ArcSwap::from_pointee(clients),
            opened,
            confirmed_at: AtomicU64::new(0),
            reading: Default::default(),
        })
    }

    /// Returns the cached clients, for display. For access decisions use [`Self::current`].
    pub fn known(&self) -> Arc<Clients> {
        self.clients.load_full()
    }

    /// Whether a client that [`Self::find`] returned a moment ago is still known as it was.
    pub fn has(&self, client: &Arc<Client>) -> bool {
        self.clients.load().has(client)
    }

    /// Returns the clients as of at most [`STALE_AFTER`] ago. Reads them again if the cache was not confirmed since.
    pub async fn current(&self, session: &Session) -> Result<Arc<Clients>, StoreError> {
        if self.age() > STALE_AFTER {
            let asked = Instant::now();
            let mut last = self.reading.lock().await;
            // The first caller may have read for all that waited.
            if self.age() > STALE_AFTER {
                last.failed_since(asked)?;
                self.read(session, &mut last).await?;
            }
        }
        Ok(self.known())
    }

    /// Returns the client that a valid token names. An unknown client may have been registered a moment ago, so it
    /// causes a read, at most once a second.
    pub async fn find(
        &self,
        session: &Session,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        let found = self.current(session).await?.by_token(issuer, subject).cloned();
        if found.is_some() {
            return Ok(found);
        }
        let asked = Instant::now();
        let mut last = self.reading.lock().await;
        last.failed_since(asked)?;
        if last.begun.is_none_or(|begun| begun.elapsed() >= LOOK_AGAIN) {
            self.read(session, &mut last).await?;
        }
        Ok(self.known().by_token(issuer, subject).cloned())
    }

    /// Reads all clients again.
    ///
    /// # Errors
    /// The database is unavailable. The old clients stay and become stale.
    pub async fn refresh(&self, session: &Session) -> Result<(), StoreError> {
        let mut last = self.reading.lock().await;
        self.read(session, &mut last).await
    }

    /// Confirms that the cache includes all changes announced until `moment`.
    pub fn heard(&self, moment: Instant) {
        let moment = moment.saturating_duration_since(self.opened).as_millis();
        self.confirmed_at.fetch_max(u64::try_from(moment).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    async fn read(&self, session: &Session, last: &mut Reading) -> Result<(), StoreError> {
        // Changes that are committed after this moment may be missing.
        let moment = Instant::now();
        last.begun = Some(moment);
        match client::list(session).await {
            Ok(clients) => {
                self.clients.store(Arc::new(Clients::new(clients)));
                self.heard(moment);
                Ok(())
            }
            Err(error) => {
                last.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn age(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.confirmed_at.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_waited_for_a_read_that_failed_gets_its_error() {
        let before = Instant::now();
        let error = StoreError::Unavailable("away".into());
        let mut reading = Reading::default();
        assert_eq!(reading.failed_since(before), Ok(()));
        reading.failed = Some((Instant::now(), error.clone()));
        assert_eq!(reading.failed_since(before), Err(error));
        let after = reading.failed.as_ref().map_or(before, |(at, _)| *at + Duration::from_nanos(1));
        assert_eq!(reading.failed_since(after), Ok(()));
    }
}
