//! A future that wakes itself is polled again at once.
//!
//! Tokio sends a task that was woken while it ran to the end of its queue and wakes another thread, which takes it along. Hyper wakes
//! its connection whenever a part of a body is read, thus once in each POST, and nothing is left to do then. So each request moved to
//! another processor: a seventh of the server's work for a single caller.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often a future is polled before other tasks have their turn. A future that yields wakes itself, too.
const POLLS: usize = 2;

/// Runs a future.
pub(super) async fn polled_again<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    poll_fn(|cx| {
        wakes.task.register(cx.waker());
        for _ in 0..POLLS {
            // Not a store: it has to see what was done before the wake that it takes back.
            wakes.state.swap(POLLED, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            let waits = wakes.state.compare_exchange(POLLED, WAITS, Ordering::SeqCst, Ordering::SeqCst);
            if waits.is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Nobody polls the future. The first wake wakes its task.
const WAITS: u8 = 0;
/// It is being polled.
const POLLED: u8 = 1;
/// It was woken since its last poll began.
const WOKEN: u8 = 2;

#[derive(Default)]
struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == WAITS {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls a future that wakes itself in its first `wakes` polls, and is ready in poll number `ready`. Returns for each poll of the
    /// task how often the future was polled, and how often the task was woken.
    fn polls(wakes: usize, ready: usize) -> Vec<(usize, usize)> {
        let (task, count) = (Arc::new(Task::default()), AtomicUsize::new(0));
        let future = polled_again(poll_fn(|cx| {
            let polled = count.fetch_add(1, Ordering::SeqCst) + 1;
            if polled <= wakes {
                cx.waker().wake_by_ref();
            }
            if polled == ready { Poll::Ready(()) } else { Poll::Pending }
        }));
        let (mut future, waker, mut seen) = (pin!(future), Waker::from(Arc::clone(&task)), Vec::new());
        loop {
            let is_ready = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            seen.push((count.load(Ordering::SeqCst), task.0.load(Ordering::SeqCst)));
            if is_ready {
                return seen;
            }
        }
    }

    #[test]
    fn a_wake_of_its_own_wakes_no_task() {
        assert_eq!(polls(1, 3), [(2, 0), (3, 0)]);
        assert_eq!(polls(1, 2), [(2, 0)]);
        assert_eq!(polls(0, 2), [(1, 0), (2, 0)]);
    }

    #[test]
    fn one_that_goes_on_waking_itself_lets_others_go_first() {
        assert_eq!(polls(9, 5), [(2, 1), (4, 2), (5, 2)]);
    }

    #[test]
    fn a_wake_from_elsewhere_wakes_the_task_of_the_last_poll_once() {
        let mut inner = None;
        let mut future = Box::pin(polled_again(poll_fn(|cx| {
            inner = Some(cx.waker().clone());
            Poll::<()>::Pending
        })));
        let (former, task) = (Arc::new(Task::default()), Arc::new(Task::default()));
        for task in [&former, &task] {
            let waker = Waker::from(Arc::clone(task));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(future);
        let inner = inner.expect("it was polled");
        inner.wake_by_ref();
        inner.wake();
        assert_eq!((former.0.load(Ordering::SeqCst), task.0.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn no_wake_of_another_thread_is_lost() {
        const ROUNDS: usize = 20_000;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(async {
            let (to_other, mut from_one) = tokio::sync::mpsc::channel(1);
            let (to_one, mut from_other) = tokio::sync::mpsc::channel(1);
            let one = tokio::spawn(polled_again(async move {
                for n in 0..ROUNDS {
                    to_other.send(n).await.unwrap();
                    assert_eq!(from_other.recv().await, Some(n));
                }
            }));
            let other = tokio::spawn(polled_again(async move {
                while let Some(n) = from_one.recv().await {
                    to_one.send(n).await.unwrap();
                }
            }));
            // The limit only ends a failed test.
            let both = tokio::time::timeout(std::time::Duration::from_secs(60), async {
                tokio::try_join!(one, other)
            });
            both.await.expect("no task sleeps for ever").unwrap();
        });
    }
}
