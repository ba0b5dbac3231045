//! Waiting for several futures at once, of which each is polled only when it has been woken.
//!
//! `try_join_all` polls all of thirty futures whenever one wakes. Twenty lists that wait for one statement are polled more
//! than a hundred times then. For more than thirty it takes a queue in which a future that failed waits for those before it,
//! whose errors join the answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Returns the results of all futures in their order, or the first error. They are polled in their order, too.
pub(crate) async fn all_or_error<F, T, E>(futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>> + Unpin,
{
    let task = Arc::new(AtomicWaker::new());
    let mut waiting: Vec<Waiting<F, T>> =
        futures.into_iter().map(|future| Waiting::new(future, &task)).collect();
    poll_fn(|cx| {
        // First: who wakes while others are polled wakes this task again.
        task.register(cx.waker());
        let mut is_over = true;
        for one in &mut waiting {
            if let Err(error) = one.poll_if_woken() {
                return Poll::Ready(Err(error));
            }
            is_over &= one.result.is_some();
        }
        if is_over { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    Ok(waiting.into_iter().filter_map(|one| one.result).collect())
}

/// A future, and what it gave.
struct Waiting<F, T> {
    /// Dropped as soon as it is over.
    future: Option<F>,
    result: Option<T>,
    woken: Arc<Woken>,
    waker: Waker,
}

/// Whether a future has been woken since it was polled.
struct Woken {
    is_woken: AtomicBool,
    task: Arc<AtomicWaker>,
}

impl<F, T> Waiting<F, T> {
    fn new(future: F, task: &Arc<AtomicWaker>) -> Self {
        let woken = Arc::new(Woken { is_woken: AtomicBool::new(true), task: Arc::clone(task) });
        Self { future: Some(future), result: None, waker: Waker::from(Arc::clone(&woken)), woken }
    }

    fn poll_if_woken<E>(&mut self) -> Result<(), E>
    where
        F: Future<Output = Result<T, E>> + Unpin,
    {
        if let Some(future) = &mut self.future
            && self.woken.is_woken.swap(false, Ordering::AcqRel)
            && let Poll::Ready(result) = Pin::new(future).poll(&mut Context::from_waker(&self.waker))
        {
            self.future = None;
            self.result = Some(result?);
        }
        Ok(())
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    type Given = Result<u32, &'static str>;

    /// Futures that end when something is sent to them, and note when they are polled.
    fn futures(
        count: usize,
        polled: &RefCell<Vec<usize>>,
    ) -> (Vec<oneshot::Sender<Given>>, Vec<impl Future<Output = Given> + Unpin + '_>) {
        (0..count)
            .map(|number| {
                let (sender, mut receiver) = oneshot::channel();
                let future = poll_fn(move |cx| {
                    polled.borrow_mut().push(number);
                    receiver.poll_unpin(cx).map(|given| given.expect("it is sent"))
                });
                (sender, future)
            })
            .unzip()
    }

    #[test]
    fn only_what_was_woken_is_polled_again_and_results_keep_their_order() {
        let polled = RefCell::default();
        let (mut senders, futures) = futures(3, &polled);
        let mut all = Box::pin(all_or_error(futures));
        assert!(all.as_mut().now_or_never().is_none());
        for (number, sender) in [2, 0, 1].into_iter().zip([2, 0, 0].map(|at| senders.remove(at))) {
            polled.borrow_mut().clear();
            sender.send(Ok(number)).expect("it waits");
            let result = all.as_mut().now_or_never();
            assert_eq!(*polled.borrow(), [number as usize]);
            assert_eq!(result, (number == 1).then(|| Ok(vec![0, 1, 2])));
        }
    }

    #[test]
    fn an_error_ends_it_without_those_behind() {
        let polled = RefCell::default();
        let (senders, futures) = futures(3, &polled);
        let mut all = Box::pin(all_or_error(futures));
        assert!(all.as_mut().now_or_never().is_none());
        polled.borrow_mut().clear();
        for (sender, sent) in senders.into_iter().zip([Ok(0), Err("failed"), Ok(2)]) {
            sender.send(sent).expect("it waits");
        }
        assert_eq!(all.now_or_never(), Some(Err("failed")));
        assert_eq!(*polled.borrow(), [0, 1]);
    }

    #[test]
    fn nothing_is_over_at_once() {
        assert_eq!(
            all_or_error(Vec::<std::future::Ready<Given>>::new()).now_or_never(),
            Some(Ok(Vec::new()))
        );
    }
}
