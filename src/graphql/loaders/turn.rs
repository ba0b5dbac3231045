//! Waiting for one turn of the scheduler.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// Waits until the runtime has polled everything else that was ready.
///
/// `tokio::task::yield_now` ends at its second poll, and a resolver is polled whenever a sibling field wakes. Ten of
/// them can end before the runtime has polled every ready task once.
pub fn turn() -> impl Future<Output = ()> {
    Turn { passed: None }
}

struct Turn {
    passed: Option<Arc<Passed>>,
}

#[derive(Default)]
struct Passed(Mutex<State>);

/// Under one lock: a turn that ends while it is polled with another waker wakes this one.
#[derive(Default)]
struct State {
    is_over: bool,
    waker: Option<Waker>,
}

impl Passed {}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_first = self.passed.is_none();
        let passed = self.passed.get_or_insert_default();
        {
            let mut state = passed.0.lock();
            if state.is_over {
                return Poll::Ready(());
            }
            state.waker = Some(cx.waker().clone());
        }
        // Without the lock: it may wake at once.
        if is_first {
            // The runtime keeps this waker until its turn is over, so the future can be dropped.
            let waker = Waker::from(Arc::clone(passed));
            let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        }
        Poll::Pending
    }
}

impl Wake for Passed {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut state = self.0.lock();
            state.is_over = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use futures_util::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_not_over_because_it_is_polled_again() {
        let mut turn = Box::pin(turn());
        poll_fn(|cx| {
            for _ in 0..10 {
                assert!(turn.as_mut().poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        turn.await;
    }

    /// Notes that it was woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_turn_wakes_the_last_waker() {
        let mut turn = Box::pin(turn());
        let [first, last] = [(); 2].map(|()| Arc::new(Woken::default()));
        for woken in [&first, &last] {
            let waker = Waker::from(Arc::clone(woken));
            assert!(turn.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        tokio::task::yield_now().await;
        assert_eq!([&first, &last].map(|woken| woken.0.load(Ordering::Relaxed)), [false, true]);
        turn.await;
    }

    #[tokio::test]
    async fn in_a_turn_everything_that_is_ready_runs() {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let ran = Arc::clone(&ran);
            tokio::spawn(async move { ran.fetch_add(1, Ordering::Relaxed) });
        }
        assert!(turn().now_or_never().is_none());
        turn().await;
        assert_eq!(ran.load(Ordering::Relaxed), 50);
    }
}
