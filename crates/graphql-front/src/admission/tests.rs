use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::*;

const SETTINGS: Admission = Admission {
    in_flight: 3,
    running: 10,
    share_of_writes: 20,
    share_of_reads: 40,
    bulk: 1,
    queue: 2,
    queue_of_writes: 2,
    // A refusal comes at once, and what waits waits until the test lets it in.
    wait: Duration::ZERO,
    wait_of_writes: Duration::ZERO,
    target: Duration::from_millis(50),
    interval: Duration::from_millis(200),
};
/// What a page of fifty costs.
const PAGE: u32 = 51;
const PATIENT: Admission =
    Admission { wait: Duration::from_secs(3_600), wait_of_writes: Duration::from_secs(3_600), ..SETTINGS };

async fn enter_all(limiter: &ConcurrencyLimiter, class: Class, count: usize) -> Vec<Permit> {
    let entered = join_all((0..count).map(|_| limiter.enter(class, PAGE))).await;
    entered.into_iter().collect::<Result<_, _>>().expect("there are permits")
}

#[tokio::test]
async fn a_flood_of_reads_leaves_a_fifth_of_the_permits_to_writes() {
    let limiter = ConcurrencyLimiter::new(SETTINGS);
    let _reads = enter_all(&limiter, Class::Read, 8).await;
    assert_eq!(limiter.enter(Class::Read, PAGE).await.err(), Some(Overloaded));
    let _writes = enter_all(&limiter, Class::Write, 2).await;
    assert_eq!(limiter.enter(Class::Write, PAGE).await.err(), Some(Overloaded));
    // Bulk has its own.
    let _bulk = enter_all(&limiter, Class::Bulk, 1).await;
    assert_eq!(limiter.enter(Class::Bulk, PAGE).await.err(), Some(Overloaded));
}

#[tokio::test]
async fn a_flood_of_writes_leaves_its_share_to_reads_and_they_get_the_first_permit() {
    let limiter = ConcurrencyLimiter::new(SETTINGS);
    let _writes = enter_all(&limiter, Class::Write, 6).await;
    assert_eq!(limiter.enter(Class::Write, PAGE).await.err(), Some(Overloaded));
    let _reads = enter_all(&limiter, Class::Read, 4).await;
    assert_eq!(limiter.enter(Class::Read, PAGE).await.err(), Some(Overloaded));

    let limiter = ConcurrencyLimiter::new(PATIENT);
    let mut writes = enter_all(&limiter, Class::Write, 6).await;
    let _reads = enter_all(&limiter, Class::Read, 4).await;
    let read = limiter.enter(Class::Read, PAGE);
    tokio::pin!(read);
    assert!(read.as_mut().now_or_never().is_none());
    writes.pop();
    assert!(read.await.is_ok());
}

#[tokio::test]
async fn four_small_requests_take_the_permit_of_a_page() {
    let limiter = ConcurrencyLimiter::new(SETTINGS);
    let mut pages = enter_all(&limiter, Class::Read, 7).await;
    let mut small = Vec::new();
    for _ in 0..4 {
        small.push(limiter.enter(Class::Read, SMALL).await.expect("a page is left to reads"));
    }
    assert_eq!(limiter.load().running, 8);
    assert_eq!(limiter.enter(Class::Read, 1).await.err(), Some(Overloaded));
    // A page finds room once all of a permit is free.
    for _ in 0..3 {
        small.pop();
        assert_eq!(limiter.enter(Class::Read, SMALL + 1).await.err(), Some(Overloaded));
    }
    small.pop();
    pages.push(limiter.enter(Class::Read, SMALL + 1).await.expect("a permit came free"));
    assert_eq!(limiter.load().running, 8);
    // Whatever a bulk write costs, it takes a whole permit.
    let _bulk = limiter.enter(Class::Bulk, 1).await.expect("there is a permit");
    assert_eq!(limiter.enter(Class::Bulk, 1).await.err(), Some(Overloaded));
}

#[tokio::test]
async fn the_queue_is_bounded_and_a_leaving_client_leaves_it() {
    let limiter = ConcurrencyLimiter::new(PATIENT);
    let mut bulk = enter_all(&limiter, Class::Bulk, 1).await;
    let mut first = Box::pin(limiter.enter(Class::Bulk, PAGE));
    let mut second = Box::pin(limiter.enter(Class::Bulk, PAGE));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    let load = limiter.load();
    assert_eq!((load.bulk, load.waiting(Class::Bulk), load.waiting(Class::Read)), (1, 2, 0));
    // A third is refused without waiting.
    assert!(limiter.is_full(Class::Bulk) && !limiter.is_full(Class::Read));
    assert_eq!(
        limiter.enter(Class::Bulk, PAGE).now_or_never().map(|entered| entered.err()),
        Some(Some(Overloaded))
    );
    drop(second);
    assert!(!limiter.is_full(Class::Bulk));
    bulk.clear();
    drop(first.await.expect("the permit came free"));
}

#[test]
fn no_more_requests_are_in_flight_than_allowed() {
    let limiter = ConcurrencyLimiter::new(SETTINGS);
    let permits: Vec<_> = (0..3).map(|_| limiter.approach().expect("there is room")).collect();
    assert_eq!(limiter.approach().err(), Some(Overloaded));
    assert_eq!(limiter.load().in_flight, 3);
    drop(permits);
    assert!(limiter.approach().is_ok());
}

/// Sends requests from connections that each wait for their answer before they send again, for ten seconds. Returns the
/// times of those that were answered and of those that were refused.
async fn load(
    limiter: &ConcurrencyLimiter,
    connections: usize,
    answer_takes: Duration,
) -> [Vec<Duration>; 2] {
    let end = Instant::now() + Duration::from_secs(10);
    let connection = async || {
        let (mut answered, mut refused) = (Vec::new(), Vec::new());
        while Instant::now() < end {
            let sent = Instant::now();
            match limiter.enter(Class::Read, PAGE).await {
                Ok(permit) => {
                    tokio::time::sleep(answer_takes).await;
                    drop(permit);
                    answered.push(sent.elapsed());
                }
                Err(Overloaded) => {
                    refused.push(sent.elapsed());
                    // Another request comes from another client.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        (answered, refused)
    };
    let all = join_all((0..connections).map(|_| connection())).await;
    let (answered, refused): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    [answered, refused].map(|times| {
        let mut times = times.concat();
        times.sort_unstable();
        times
    })
}

fn p99(times: &[Duration]) -> Duration {
    times[(times.len() - 1) * 99 / 100]
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_for_their_answers_are_not_refused_however_slow_these_are() {
    for answer_takes in [5, 50, 400].map(Duration::from_millis) {
        let limiter = ConcurrencyLimiter::new(Admission::default());
        // 24 run at a time, so that the others always find a queue.
        let [answered, refused] = load(&limiter, 64, answer_takes).await;
        assert!(refused.is_empty(), "{} of {}: {answer_takes:?}", refused.len(), answered.len());
    }
}

#[tokio::test(start_paused = true)]
async fn under_ten_times_the_load_the_work_goes_on_and_refusals_are_quick() {
    let (limiter, answer_takes) = (ConcurrencyLimiter::new(Admission::default()), Duration::from_millis(50));
    let [usual, _] = load(&limiter, 64, answer_takes).await;
    let [answered, refused] = load(&limiter, 640, answer_takes).await;
    assert!(answered.len() >= usual.len() * 8 / 10, "{} of {}", answered.len(), usual.len());
    assert!(p99(&answered) <= Duration::from_secs(1), "{:?}", p99(&answered));
    assert!(refused.len() > answered.len() && p99(&refused) <= Duration::from_millis(100));
    // It ends with the load.
    let [_, refused] = load(&limiter, 64, answer_takes).await;
    assert!(refused.is_empty(), "{}", refused.len());
}

/// Sends requests of one class from many connections at once, for ten seconds. Returns how many were answered.
async fn flood(
    limiter: &ConcurrencyLimiter,
    class: Class,
    connections: usize,
    answer_takes: Duration,
) -> usize {
    let end = Instant::now() + Duration::from_secs(10);
    let connection = async || {
        let mut answered = 0;
        while Instant::now() < end {
            match limiter.enter(class, SMALL).await {
                Ok(_permit) => {
                    tokio::time::sleep(answer_takes).await;
                    answered += 1;
                }
                Err(Overloaded) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        answered
    };
    join_all((0..connections).map(|_| connection())).await.iter().sum()
}

#[tokio::test(start_paused = true)]
async fn in_an_overload_a_fifth_of_the_answers_are_writes_however_long_they_take() {
    // Where writes are as quick as reads, these come to the most that they may hold, and writes get a part of their share.
    for write_takes in [10, 20, 30].map(Duration::from_millis) {
        let limiter = ConcurrencyLimiter::new(Admission::default());
        let reads = flood(&limiter, Class::Read, 800, Duration::from_millis(10));
        let writes = flood(&limiter, Class::Write, 320, write_takes);
        let (reads, writes) = tokio::join!(reads, writes);
        let share = writes as f64 / (reads + writes) as f64;
        assert!((0.2..0.4).contains(&share), "{reads} and {writes}: {share}, {write_takes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_hang_leave_reads_their_share() {
    let limiter = ConcurrencyLimiter::new(Admission::default());
    let hang = flood(&limiter, Class::Write, 320, Duration::from_secs(3_600));
    let reads = flood(&limiter, Class::Read, 800, Duration::from_millis(10));
    let reads = tokio::select! { _ = hang => unreachable!("they hang"), reads = reads => reads };
    // 40 % of 32 permits, four requests each, a hundred times a second.
    assert!(reads > 13 * 4 * 100 * 9, "{reads}");
}
