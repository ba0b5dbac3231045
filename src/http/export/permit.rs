//! Export permits: a client has one export at a time.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// What the endpoint knows of its clients.
#[derive(Clone, Default)]
pub(super) struct ExportPermits(Arc<Mutex<Clients>>);

#[derive(Default)]
struct Clients {
    /// Those with an export that runs.
    running: HashSet<i64>,
    /// Clients with an export that a standby cut off, and none that was complete since.
    cut: HashSet<i64>,
}

impl ExportPermits {
    /// Takes the permit of a client. `None`: an export of it runs.
    pub(super) fn take(&self, client: i64) -> Option<ExportPermit> {
        let mut clients = self.0.lock();
        let is_first = clients.running.insert(client);
        let was_cut = clients.cut.contains(&client);
        is_first.then(|| ExportPermit { permits: self.clone(), client, was_cut })
    }
}

/// The permit of a client. Dropped, it is given back.
pub(super) struct ExportPermit {
    permits: ExportPermits,
    client: i64,
    /// Whether a standby cut an export of the client off, and none has been complete since. Then this one reads from the primary, so
    /// that an export that takes longer than a standby allows succeeds the second time.
    pub(super) was_cut: bool,
}

impl ExportPermit {
    /// Notes that a standby has ended this export in the middle.
    pub(super) fn cut(&self) {
        self.permits.0.lock().cut.insert(self.client);
    }

    /// Notes that this export was sent as a whole: the next one may read from a standby again.
    pub(super) fn complete(&self) {
        self.permits.0.lock().cut.remove(&self.client);
    }
}

impl Drop for ExportPermit {
    fn drop(&mut self) {
        self.permits.0.lock().running.remove(&self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_turn_and_the_next_one_knows_whether_a_standby_cut_it() {
        let permits = ExportPermits::default();
        let first = permits.take(1).expect("the first one");
        assert!(permits.take(1).is_none() && permits.take(2).is_some());
        first.cut();
        drop(first);
        assert!(permits.take(1).is_some_and(|permit| permit.was_cut), "it was refused");
        let third = permits.take(1).expect("it is alone");
        assert!(third.was_cut);
        third.complete();
        drop(third);
        assert!(permits.take(1).is_some_and(|permit| !permit.was_cut));
    }
}
