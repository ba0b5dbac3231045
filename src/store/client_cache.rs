//! Clients in memory: no request asks the database who asks.
//!
//! The book is read as a whole, some thousands of rows, and swapped as a whole when somebody announces a change. Whoever
//! listens says so with [`ClientCache::heard`]; a book of which nobody has heard for [`STALE_AFTER`] is read again before
//! it is trusted, so that a client who was disabled is out within seconds also where nobody listens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::client;
use super::error::StoreError;
use super::session::Session;
use domain::client::Client;

/// How long a book holds of which nobody has heard.
pub const STALE_AFTER: Duration = Duration::from_secs(4);
/// How often, at most, a subject who is not in the book makes somebody look into the database.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// All clients at one moment.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: HashMap<i64, Arc<Client>>,
    by_token: HashMap<(String, String), i64>,
}

impl Clients {
    fn new(clients: Vec<Client>) -> Self {
        let token = |client: &Client| ((client.issuer.clone(), client.subject.clone()), client.id);
        Self {
            by_token: clients.iter().map(token).collect(),
            by_id: clients.into_iter().map(|client| (client.id, Arc::new(client))).collect(),
        }
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }

    /// The client of an internal id.
    pub fn by_id(&self, id: i64) -> Option<&Arc<Client>> {
        self.by_id.get(&id)
    }

    /// The client that a token names.
    pub fn by_token(&self, issuer: &str, subject: &str) -> Option<&Arc<Client>> {
        let id = self.by_token.get(&(issuer.to_owned(), subject.to_owned()))?;
        self.by_id.get(id)
    }
}

/// The clients, kept up to date.
#[derive(Debug)]
pub struct ClientCache {
    clients: ArcSwap<Clients>,
    opened: Instant,
    /// Milliseconds from `opened` to the moment of which the book is known to be true.
    true_at: AtomicU64,
    /// One at a time reads the book again: an older reading must not replace a newer one.
    reading: tokio::sync::Mutex<Reading>,
}

/// What became of the last reading.
#[derive(Debug, Default)]
struct Reading {
    begun: Option<Instant>,
    failed: Option<(Instant, StoreError)>,
}

impl Reading {
    /// Whoever waited while somebody else's reading failed has waited long enough: each of a hundred would otherwise
    /// try in its turn, and the last one wait for all.
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
    /// The database is away, or holds a name that this version does not know.
    pub async fn open(session: &Session) -> Result<Self, StoreError> {
        let opened = Instant::now();
        let clients = Clients::new(client::list(session).await?);
        Ok(Self {
            clients: ArcSwap::from_pointee(clients),
            opened,
            true_at: AtomicU64::new(0),
            reading: Default::default(),
        })
    }

    /// The clients as this process knows them; for showing. Who decides by them asks [`Self::current`].
    pub fn known(&self) -> Arc<Clients> {
        self.clients.load_full()
    }

    /// The clients as they stood at most [`STALE_AFTER`] ago; read again where nobody has heard of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn current(&self, session: &Session) -> Result<Arc<Clients>, StoreError> {
        if self.age() > STALE_AFTER {
            let asked = Instant::now();
            let mut last = self.reading.lock().await;
            // Whoever was first has read for all who waited.
            if self.age() > STALE_AFTER {
                last.failed_since(asked)?;
                self.read(session, &mut last).await?;
            }
        }
        Ok(self.known())
    }

    /// The client that a token with a good signature names. One who is not in the book may have been written this
    /// moment, so somebody looks, once a second at most.
    ///
    /// # Errors
    /// The database is away.
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
    /// The database is away; the old book stays, and is not trusted for long.
    pub async fn refresh(&self, session: &Session) -> Result<(), StoreError> {
        let mut last = self.reading.lock().await;
        self.read(session, &mut last).await
    }

    /// Says that at `moment` somebody listened and nothing was announced that is not in the book.
    pub fn heard(&self, moment: Instant) {
        let moment = moment.saturating_duration_since(self.opened).as_millis();
        self.true_at.fetch_max(u64::try_from(moment).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    async fn read(&self, session: &Session, last: &mut Reading) -> Result<(), StoreError> {
        // What is committed after this moment may be missing.
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
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.true_at.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waited_for_a_reading_that_failed_does_not_try_in_its_turn() {
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
