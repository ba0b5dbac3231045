//! The mutations that are running.

use tokio::sync::watch;

/// The mutations that are running. They outlive the connections of their clients, so a server that stops waits for them
/// as well.
#[derive(Clone, Debug)]
pub struct Writes(watch::Sender<()>);

impl Default for Writes {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Writes {
    /// Waits until no mutation is running.
    pub async fn finished(&self) {
        self.0.closed().await;
    }

    /// Returns how many mutations are running.
    pub fn count(&self) -> usize {
        self.0.receiver_count()
    }

    /// Counts some work as a running mutation from now until it ends or is dropped.
    pub fn enter<W: Future>(&self, work: W) -> impl Future<Output = W::Output> + use<W> {
        let mark = self.0.subscribe();
        async move {
            let result = work.await;
            drop(mark);
            result
        }
    }
}
