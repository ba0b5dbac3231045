use futures_util::FutureExt as _;

use super::*;

const FIRST: usize = 0;
const SECOND: usize = 1;

fn permits(parts: usize) -> Arc<Permits> {
    let [first, second] = [75, 25].map(|percent| Share { percent, most: parts });
    Permits::new(parts, &[first, second])
}

/// Begins to wait for parts.
fn wait(
    permits: &Arc<Permits>,
    class: usize,
    parts: usize,
) -> std::pin::Pin<Box<dyn Future<Output = Parts> + '_>> {
    let mut waiting = Box::pin(permits.acquire(class, parts));
    assert!(waiting.as_mut().now_or_never().is_none());
    waiting
}

#[test]
fn while_both_wait_each_gets_its_share_of_what_comes_free() {
    let permits = permits(1);
    let mut held = permits.try_acquire(FIRST, 1);
    // Many turns of the first without anybody in the second save nothing up for it.
    for _ in 0..1_000 {
        drop(held);
        held = permits.try_acquire(FIRST, 1);
    }
    let mut waiting: Vec<_> =
        (0..80).map(|number| (number < 40, wait(&permits, usize::from(number < 40), 1))).collect();
    let mut order = Vec::new();
    for _ in 0..40 {
        drop(held.take());
        let next = waiting.iter_mut().position(|(is_second, next)| {
            held = next.now_or_never();
            if held.is_some() {
                order.push(*is_second);
            }
            held.is_some()
        });
        drop(waiting.remove(next.expect("somebody's turn")));
    }
    let seconds = order.iter().filter(|is_second| **is_second).count();
    assert!((10..=11).contains(&seconds), "{order:?}");
    // They take turns: never is one of them served much before the other.
    assert!(order.chunks(8).all(|turns| turns.contains(&true) && turns.contains(&false)), "{order:?}");
}

#[test]
fn nobody_passes_one_who_waits_for_more() {
    for small in [FIRST, SECOND] {
        let permits = permits(4);
        let small = permits.try_acquire(small, 1).expect("it is free");
        let page = wait(&permits, FIRST, 4);
        assert!(permits.try_acquire(FIRST, 1).is_none());
        drop(small);
        assert_eq!((permits.held(), permits.held_by(FIRST)), (4, 4));
        drop(page.now_or_never().expect("all is free"));
        assert_eq!(permits.held(), 0);
    }
    // Nor one of the other class, unless that may not hold as much yet.
    for (holds, passes) in [(FIRST, true), (SECOND, false)] {
        let permits = permits(4);
        let _small = permits.try_acquire(holds, 1).expect("it is free");
        let _page = wait(&permits, FIRST, 4);
        assert_eq!(permits.try_acquire(SECOND, 1).is_some(), passes);
    }
}

#[test]
fn one_who_leaves_lets_those_behind_go_on() {
    for class in [FIRST, SECOND] {
        let permits = permits(4);
        let small = permits.try_acquire(SECOND, 1).expect("it is free");
        let page = wait(&permits, FIRST, 4);
        let behind = wait(&permits, class, 3);
        let too_far_behind = wait(&permits, class, 1);
        drop(page);
        let behind = behind.now_or_never().expect("its turn");
        assert_eq!(permits.held(), 4);
        drop((behind, small));
        assert!(too_far_behind.now_or_never().is_some());
        assert_eq!(permits.held(), 0);
    }
}

#[test]
fn what_is_given_to_one_who_leaves_at_that_moment_comes_back() {
    let permits = permits(1);
    let held = permits.try_acquire(FIRST, 1);
    let waiting = wait(&permits, FIRST, 1);
    drop(held);
    assert_eq!(permits.held(), 1, "given, and not yet known");
    drop(waiting);
    assert_eq!(permits.held(), 0);
}

#[test]
fn a_class_that_holds_its_most_does_not_hold_up_the_other_and_saves_nothing_up() {
    let [first, second] = [(75, 4), (25, 1)].map(|(percent, most)| Share { percent, most });
    let permits = Permits::new(4, &[first, second]);
    let hangs = permits.try_acquire(SECOND, 1).expect("it is free");
    let mut waiting = Vec::from([wait(&permits, SECOND, 1), wait(&permits, SECOND, 1)]);
    for _ in 0..1_000 {
        assert!(permits.try_acquire(FIRST, 3).is_some());
    }
    let _first = permits.try_acquire(FIRST, 3).expect("the second may hold one only");
    let next = wait(&permits, FIRST, 1);
    drop(hangs);
    // The first in the second class has its turn, and then the first class: not all that the second missed.
    drop(waiting.remove(0).now_or_never().expect("its turn"));
    assert!(next.now_or_never().is_some());
}
