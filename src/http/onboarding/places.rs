//! Who sends a file now: so many at once, so many of one client, and one for each batch.
//!
//! A clerk whose connection broke tries again at once, while the server still waits for the rest on the dead connection: so
//! the newer request has the batch, and the older one ends. Once a file is there as a whole it is being read, and nobody
//! takes that from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::http::settings::Upload;

/// The places of this process. Between processes the epoch of a batch decides, when the file is there.
#[derive(Debug)]
pub(super) struct Places {
    at_once: usize,
    of_client: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    files: Vec<Sending>,
}

/// A file on its way.
#[derive(Debug)]
struct Sending {
    number: u64,
    batch: i64,
    client: i64,
    /// Ends it; `None`: all of it is there.
    end: Option<oneshot::Sender<()>>,
}

/// Why somebody may not send a file now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    Everywhere,
    /// The client has as many as it may have.
    OfClient,
    /// The file of this batch is there, and is being read.
    BeingRead,
}

/// A newer request sends the file of this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overtaken;

/// The right to send a file, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    end: oneshot::Receiver<()>,
}

impl Places {
    /// All of them free.
    pub(super) fn new(settings: &Upload) -> Arc<Self> {
        let Upload { at_once, at_once_of_client: of_client, .. } = *settings;
        Arc::new(Self { at_once, of_client, taken: Mutex::default() })
    }

    /// Takes a place for the file of a batch, and that of an older request for the same batch from it.
    pub(super) fn enter(self: &Arc<Self>, batch: i64, client: i64) -> Result<Place, Full> {
        let mut taken = self.lock();
        let older = taken.files.iter().position(|one| one.batch == batch);
        if let Some(at) = older {
            match taken.files[at].end.take() {
                // Whoever is gone already does not hear it. Its place is free from here on.
                Some(end) => drop(end.send(())),
                None => return Err(Full::BeingRead),
            }
            taken.files.swap_remove(at);
        }
        if taken.files.iter().filter(|one| one.client == client).count() >= self.of_client {
            return Err(Full::OfClient);
        }
        if taken.files.len() >= self.at_once {
            return Err(Full::Everywhere);
        }
        taken.last += 1;
        let (number, (send, end)) = (taken.last, oneshot::channel());
        taken.files.push(Sending { number, batch, client, end: Some(send) });
        drop(taken);
        Ok(Place { places: Arc::clone(self), number, end })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Receives a file, until a newer request for the same batch ends that. From here on nobody does.
    pub(super) async fn receive<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Overtaken> {
        tokio::select! {
            biased;
            _ = &mut self.end => Err(Overtaken),
            received = work => {
                let mut taken = self.places.lock();
                let own = taken.files.iter_mut().find(|one| one.number == self.number);
                own.ok_or(Overtaken)?.end = None;
                Ok(received)
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().files.retain(|one| one.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn places(at_once: usize, at_once_of_client: usize) -> Arc<Places> {
        Places::new(&Upload { at_once, at_once_of_client, ..Upload::default() })
    }

    #[tokio::test]
    async fn the_newer_request_has_the_batch_and_takes_no_place_more() {
        let places = places(1, 1);
        let mut older = places.enter(7, 1).unwrap();
        let mut newer = places.enter(7, 1).unwrap();
        assert_eq!(older.receive(pending::<()>()).await, Err(Overtaken));
        // That the older one goes gives nobody's place away.
        drop(older);
        assert_eq!(places.enter(8, 2).unwrap_err(), Full::Everywhere);
        assert_eq!(newer.receive(ready(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_not_taken_from_who_reads_it() {
        let places = places(4, 2);
        let mut place = places.enter(7, 1).unwrap();
        assert_eq!(place.receive(ready(())).await, Ok(()));
        assert_eq!(places.enter(7, 1).unwrap_err(), Full::BeingRead);
        drop(place);
        assert!(places.enter(7, 1).is_ok());
    }

    #[test]
    fn one_client_leaves_places_to_others() {
        let places = places(3, 2);
        let held = [places.enter(1, 1).unwrap(), places.enter(2, 1).unwrap()];
        assert_eq!(places.enter(3, 1).unwrap_err(), Full::OfClient);
        let other = places.enter(4, 2).unwrap();
        assert_eq!(places.enter(5, 2).unwrap_err(), Full::Everywhere);
        drop((held, other));
        assert!(places.enter(3, 1).is_ok());
    }
}
