//! Limits how many files are uploaded at once: in all, per client, and one per batch.
//!
//! A client whose connection broke retries at once, while the server still waits on the dead connection. The newer
//! request therefore takes over the batch, and the older one ends. Once a file has arrived completely, it is being
//! read, and no request can take over.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::http::settings::Upload;

/// The upload slots of this process. Between processes, the epoch of a batch decides once the file has arrived.
#[derive(Debug)]
pub(super) struct UploadSlots {
    at_once: usize,
    of_client: usize,
    uploads: Mutex<Uploads>,
}

#[derive(Debug, Default)]
struct Uploads {
    last_number: u64,
    active: Vec<ActiveUpload>,
}

#[derive(Debug)]
struct ActiveUpload {
    number: u64,
    batch: i64,
    client: i64,
    /// Ends the upload; `None` once the file has arrived completely.
    end: Option<oneshot::Sender<()>>,
}

/// Why a client may not upload a file now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// All slots are taken.
    AllTaken,
    /// The client has as many slots as it may have.
    ClientLimit,
    /// The file of this batch has arrived and is being read.
    BeingRead,
}

/// A newer request uploads the file of the same batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superseded;

/// The right to upload a file, returned when it is dropped.
#[derive(Debug)]
pub(super) struct UploadSlot {
    slots: Arc<UploadSlots>,
    number: u64,
    end: oneshot::Receiver<()>,
}

impl UploadSlots {
    pub(super) fn new(settings: &Upload) -> Arc<Self> {
        let Upload { at_once, at_once_of_client: of_client, .. } = *settings;
        Arc::new(Self { at_once, of_client, uploads: Mutex::default() })
    }

    /// Takes a slot for the file of a batch, and ends an older upload for the same batch.
    pub(super) fn enter(self: &Arc<Self>, batch: i64, client: i64) -> Result<UploadSlot, NoSlot> {
        let mut uploads = self.uploads.lock();
        let older = uploads.active.iter().position(|upload| upload.batch == batch);
        if let Some(at) = older {
            match uploads.active[at].end.take() {
                // The older request may be gone already. Its slot is free in both cases.
                Some(end) => drop(end.send(())),
                None => return Err(NoSlot::BeingRead),
            }
            uploads.active.swap_remove(at);
        }
        if uploads.active.iter().filter(|upload| upload.client == client).count() >= self.of_client {
            return Err(NoSlot::ClientLimit);
        }
        if uploads.active.len() >= self.at_once {
            return Err(NoSlot::AllTaken);
        }
        uploads.last_number += 1;
        let (number, (send, end)) = (uploads.last_number, oneshot::channel());
        uploads.active.push(ActiveUpload { number, batch, client, end: Some(send) });
        drop(uploads);
        Ok(UploadSlot { slots: Arc::clone(self), number, end })
    }
}

impl UploadSlot {
    /// Receives a file unless a newer request for the same batch ends that. Afterwards no request can end it.
    pub(super) async fn receive<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Superseded> {
        tokio::select! {
            biased;
            _ = &mut self.end => Err(Superseded),
            received = work => {
                let mut uploads = self.slots.uploads.lock();
                let own = uploads.active.iter_mut().find(|upload| upload.number == self.number);
                own.ok_or(Superseded)?.end = None;
                Ok(received)
            }
        }
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        self.slots.uploads.lock().active.retain(|upload| upload.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn slots(at_once: usize, at_once_of_client: usize) -> Arc<UploadSlots> {
        UploadSlots::new(&Upload { at_once, at_once_of_client, ..Upload::default() })
    }

    #[tokio::test]
    async fn a_newer_request_takes_over_the_batch_and_its_slot() {
        let slots = slots(1, 1);
        let mut older = slots.enter(7, 1).unwrap();
        let mut newer = slots.enter(7, 1).unwrap();
        assert_eq!(older.receive(pending::<()>()).await, Err(Superseded));
        // Dropping the older one does not free the slot of the newer one.
        drop(older);
        assert_eq!(slots.enter(8, 2).unwrap_err(), NoSlot::AllTaken);
        assert_eq!(newer.receive(ready(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_file_that_has_arrived_cannot_be_taken_over() {
        let slots = slots(4, 2);
        let mut slot = slots.enter(7, 1).unwrap();
        assert_eq!(slot.receive(ready(())).await, Ok(()));
        assert_eq!(slots.enter(7, 1).unwrap_err(), NoSlot::BeingRead);
        drop(slot);
        assert!(slots.enter(7, 1).is_ok());
    }

    #[test]
    fn one_client_cannot_take_all_slots() {
        let slots = slots(3, 2);
        let held = [slots.enter(1, 1).unwrap(), slots.enter(2, 1).unwrap()];
        assert_eq!(slots.enter(3, 1).unwrap_err(), NoSlot::ClientLimit);
        let other = slots.enter(4, 2).unwrap();
        assert_eq!(slots.enter(5, 2).unwrap_err(), NoSlot::AllTaken);
        drop((held, other));
        assert!(slots.enter(3, 1).is_ok());
    }
}
