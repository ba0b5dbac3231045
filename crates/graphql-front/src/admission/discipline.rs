//! Which requests may wait in a queue: a burst may, and an overload may not.

use std::time::Duration;

use tokio::time::Instant;

/// For how many intervals a measured rate is trusted (RFC 8289 section 4.3 takes 16, too).
const TRUSTED: u32 = 16;

/// How the discipline tells a burst from an overload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// A wait that is no sign of overload.
    pub(super) target: Duration,
    /// The queue stands when all waits of this time were longer than the target.
    pub(super) interval: Duration,
    /// The longest wait. A request that waited for so long is refused.
    pub(super) longest_wait: Duration,
    /// A queue of this length, in parts of permits, never refuses.
    pub(super) short: usize,
}

/// The discipline of one queue, after CoDel (RFC 8289).
///
/// The delay tells a burst from a queue that stands: after a burst, some request soon finds the queue short, and that ends
/// the observation. Where every wait of an interval is longer than the target, more requests come than can be served.
/// CoDel then drops from the head of the queue, so that a sender slows down. A client of ours waits for its answer, so it
/// should learn at once that there is none: a request is refused when it arrives, if it would wait for too long by the rate
/// at which requests left the queue.
#[derive(Debug)]
pub(super) struct Discipline {
    terms: Terms,
    /// Begin of the interval. No wait since then was short.
    since: Instant,
    /// What left the queue since then, in parts of permits.
    left: usize,
    /// Whether the queue stands.
    stands: bool,
    /// Parts that leave per second, and when that was measured.
    rate: Option<(f64, Instant)>,
}

impl Discipline {
    /// Creates the discipline of an empty queue.
    pub(super) fn new(terms: Terms, now: Instant) -> Self {
        Self { terms, since: now, left: 0, stands: false, rate: None }
    }

    /// Notes that a request got its parts of a permit after this wait.
    pub(super) fn leave(&mut self, parts: usize, waited: Duration, now: Instant) {
        if waited <= self.terms.target {
            self.restart(now);
        } else {
            self.observe(now);
            self.left += parts;
        }
    }

    /// Returns whether a request may wait behind so much.
    pub(super) fn admits(&mut self, waiting: usize, now: Instant) -> bool {
        if waiting == 0 {
            // Time without requests says nothing about how fast they leave.
            self.restart(now);
            return true;
        }
        self.observe(now);
        // A burst may wait longer, but not so long that it would be refused in the end.
        let wait = self.terms.longest_wait.mul_f64(if self.stands { 0.5 } else { 0.75 });
        waiting < self.terms.short
            || self.rate(now).is_none_or(|rate| waiting as f64 <= rate * wait.as_secs_f64())
    }

    fn rate(&self, now: Instant) -> Option<f64> {
        let (rate, measured) = self.rate?;
        (now - measured <= self.terms.interval * TRUSTED).then_some(rate)
    }

    /// Ends the observation: the queue does not stand.
    fn restart(&mut self, now: Instant) {
        (self.since, self.left, self.stands) = (now, 0, false);
    }

    /// Measures the rate when an interval is over.
    fn observe(&mut self, now: Instant) {
        let elapsed = now - self.since;
        if elapsed < self.terms.interval {
            return;
        }
        let measured = self.left as f64 / elapsed.as_secs_f64();
        // The mean with what was before: one stall does not empty the queue.
        let rate = self.rate(now).map_or(measured, |before| f64::midpoint(before, measured));
        (self.since, self.left, self.stands, self.rate) = (now, 0, true, Some((rate, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        target: Duration::from_millis(50),
        interval: Duration::from_millis(200),
        longest_wait: Duration::from_secs(2),
        short: 10,
    };
    const LONG: Duration = Duration::from_millis(100);

    struct Queue {
        discipline: Discipline,
        now: Instant,
    }

    impl Queue {
        fn new() -> Self {
            let now = Instant::now();
            Self { discipline: Discipline::new(TERMS, now), now }
        }

        /// One request leaves every ten milliseconds, each after this wait.
        fn leave_for(&mut self, time: Duration, waited: Duration) {
            let end = self.now + time;
            while self.now < end {
                self.now += Duration::from_millis(10);
                self.discipline.leave(1, waited, self.now);
            }
        }

        fn admits(&mut self, waiting: usize) -> bool {
            self.discipline.admits(waiting, self.now)
        }
    }

    #[test]
    fn a_burst_may_wait_however_long_it_is() {
        let mut queue = Queue::new();
        assert!(queue.admits(500));
        queue.leave_for(TERMS.interval - Duration::from_millis(10), LONG);
        assert!(queue.admits(500));
    }

    #[test]
    fn a_queue_that_stands_takes_what_it_can_serve_in_time() {
        let mut queue = Queue::new();
        queue.leave_for(TERMS.interval * 2, LONG);
        // A hundred leave in a second.
        assert!(queue.admits(90) && !queue.admits(110));
    }

    #[test]
    fn one_short_wait_or_an_empty_queue_ends_it_and_the_rate_is_known_for_a_while() {
        for empty in [false, true] {
            let mut queue = Queue::new();
            queue.leave_for(TERMS.interval * 2, LONG);
            if empty {
                assert!(queue.admits(0));
            } else {
                queue.discipline.leave(1, TERMS.target, queue.now);
            }
            // The last ones of a burst leave just in time.
            assert!(queue.admits(140) && !queue.admits(160));
            queue.now += TERMS.interval * (TRUSTED + 1);
            queue.discipline.leave(1, TERMS.target, queue.now);
            assert!(queue.admits(500));
        }
    }

    #[test]
    fn a_stall_halves_what_may_wait_with_each_interval_down_to_a_short_queue() {
        let mut queue = Queue::new();
        queue.leave_for(TERMS.interval * 2, LONG);
        for most in [50, 25, 12] {
            queue.now += TERMS.interval;
            assert!(!queue.admits(most + 5) && queue.admits(most - 4), "{most}");
        }
        queue.now += TERMS.interval * 100;
        assert!(queue.admits(9) && !queue.admits(10));
    }

    #[test]
    fn a_queue_that_nothing_leaves_stands_too() {
        let mut queue = Queue::new();
        assert!(queue.admits(0) && queue.admits(20));
        queue.now += TERMS.interval;
        assert!(!queue.admits(20) && queue.admits(9));
    }

    #[test]
    fn time_without_requests_is_no_stall() {
        let mut queue = Queue::new();
        queue.now += TERMS.interval * 100;
        assert!(queue.admits(0) && queue.admits(500));
    }
}
