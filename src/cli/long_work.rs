//! The threads for long work: the onboarding workers, bulk mutations, large queries and requests with large bodies.
//!
//! Such work computes for milliseconds between two waits: thousands of rows are judged, encrypted or rendered. Meanwhile its
//! thread looks at no socket, and tokio wakes no other one. On the threads of the requests it held up others for as long
//! (23 ms were seen), while the second of two cores was idle.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

/// The fewest threads: while one computes, the other goes on with the rest.
const FEWEST: usize = 2;

/// A runtime of its own for long work. What it runs ends when it is dropped.
pub struct LongWork(Option<Runtime>);

impl LongWork {
    /// Starts the threads: as many as processors, because large queries may use all of them.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub fn start() -> io::Result<Self> {
        let threads = available_parallelism().map_or(FEWEST, |processors| processors.get().max(FEWEST));
        Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("long-work")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    /// Where to spawn long work.
    pub fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until it is dropped").handle()
    }
}

impl Drop for LongWork {
    fn drop(&mut self) {
        // A runtime that is dropped otherwise waits for its threads, which panics within another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_has_threads_of_its_own_and_may_end_within_another_runtime() {
        let long_work = LongWork::start().expect("threads start");
        let name = || std::thread::current().name().map(str::to_owned);
        let thread = long_work.handle().spawn(async move { name() }).await.expect("it runs");
        assert_eq!(thread.as_deref(), Some("long-work"));
        let unfinished = long_work.handle().spawn(std::future::pending::<()>());
        drop(long_work);
        assert!(unfinished.await.expect_err("it ends with its threads").is_cancelled());
    }
}
