//! The turn of a client, which has one export at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the endpoint knows of its clients.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<Clients>>);

#[derive(Default)]
struct Clients {
    /// Those with an export that runs.
    running: HashSet<i64>,
    /// Those whose last export a standby ended in the middle.
    cut: HashSet<i64>,
}

impl Turns {
    /// Takes the turn of a client. `None`: an export of it runs.
    pub(super) fn take(&self, client: i64) -> Option<Turn> {
        let mut clients = self.clients();
        let is_first = clients.running.insert(client);
        is_first.then(|| Turn { turns: self.clone(), client, was_cut: clients.cut.remove(&client) })
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a client. Dropped, it is given back.
pub(super) struct Turn {
    turns: Turns,
    client: i64,
    /// Whether a standby ended the last export of the client in the middle. Then this one reads from the primary, so that an
    /// export that takes longer than a standby allows succeeds the second time.
    pub(super) was_cut: bool,
}

impl Turn {
    /// Notes that a standby has ended this export in the middle.
    pub(super) fn cut(&self) {
        self.turns.clients().cut.insert(self.client);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.clients().running.remove(&self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_turn_and_the_next_one_knows_whether_a_standby_cut_it() {
        let turns = Turns::default();
        let first = turns.take(1).expect("the first one");
        assert!(turns.take(1).is_none() && turns.take(2).is_some());
        first.cut();
        drop(first);
        assert!(turns.take(1).is_some_and(|turn| turn.was_cut));
        assert!(turns.take(1).is_some_and(|turn| !turn.was_cut));
    }
}
