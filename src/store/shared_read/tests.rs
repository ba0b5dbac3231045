use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Finds twice the id, once a statement is let through.
#[derive(Clone)]
struct Doubles {
    rights: &'static str,
    statements: Arc<Mutex<Vec<Vec<i64>>>>,
    /// The names of the threads that sent them.
    threads: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
}

impl Read for Doubles {
    type Group = ();
    type Found = i64;

    fn group(&self) {}

    fn may_share_with(&self, other: &Self) -> bool {
        self.rights == other.rights
    }

    async fn all(&self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        self.statements.lock().push(ids.to_vec());
        self.threads.lock().push(std::thread::current().name().unwrap_or_default().to_owned());
        self.gate.acquire().await.expect("the gate stays open").forget();
        match ids.contains(&0) {
            true => Err(StoreError::GivenUp),
            false => Ok(ids.iter().map(|id| id * 2).collect()),
        }
    }
}

struct Bench {
    reads: Arc<SharedReads<Doubles>>,
    read: Doubles,
}

impl Bench {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let read = Doubles { rights: "all", statements: Arc::default(), threads: Arc::default(), gate };
        Self { reads: Arc::new(SharedReads::new()), read }
    }

    /// Begins a read, and returns once it waits.
    async fn begin(&self, read: &Doubles, id: i64) -> JoinHandle<Result<i64, StoreError>> {
        let (reads, read) = (Arc::clone(&self.reads), read.clone());
        let begun = tokio::spawn(async move { reads.read(read, id).await });
        // The only other task of this thread: it runs until it waits.
        tokio::task::yield_now().await;
        begun
    }

    fn statements(&self) -> Vec<Vec<i64>> {
        self.read.statements.lock().clone()
    }
}

#[tokio::test]
async fn reads_that_come_meanwhile_share_the_next_statement() {
    let bench = Bench::new();
    let mut reads = Vec::new();
    for id in [1, 2, 3, 2] {
        reads.push(bench.begin(&bench.read, id).await);
    }
    assert_eq!(bench.statements(), [[1]]);
    bench.read.gate.add_permits(2);
    for (read, found) in reads.into_iter().zip([2, 4, 6, 4]) {
        assert_eq!(read.await.expect("it ends"), Ok(found));
    }
    assert_eq!(bench.statements(), [vec![1], vec![2, 3, 2]]);
    assert!(bench.reads.0.waiting.lock().is_empty());
}

#[tokio::test]
async fn a_request_that_is_cancelled_takes_nobody_with_it() {
    let bench = Bench::new();
    let cancelled = bench.begin(&bench.read, 1).await;
    let waiting = bench.begin(&bench.read, 2).await;
    let also_cancelled = bench.begin(&bench.read, 3).await;
    also_cancelled.abort();
    cancelled.abort();
    bench.read.gate.add_permits(1);
    assert_eq!(waiting.await.expect("it ends"), Ok(4));
    assert_eq!(bench.statements(), [vec![1], vec![2, 3]]);
    assert!(bench.reads.0.waiting.lock().is_empty());
}

#[tokio::test]
async fn an_error_reaches_all_whose_statement_failed_and_nobody_else() {
    let bench = Bench::new();
    let first = bench.begin(&bench.read, 1).await;
    let (failing, with_it) = (bench.begin(&bench.read, 0).await, bench.begin(&bench.read, 2).await);
    bench.read.gate.add_permits(2);
    assert_eq!(first.await.expect("it ends"), Ok(2));
    assert_eq!(failing.await.expect("it ends"), Err(StoreError::GivenUp));
    assert_eq!(with_it.await.expect("it ends"), Err(StoreError::GivenUp));
}

#[tokio::test]
async fn reads_with_other_rights_share_nothing() {
    let bench = Bench::new();
    let first = bench.begin(&bench.read, 1).await;
    let other = Doubles { rights: "fewer", ..bench.read.clone() };
    let apart = bench.begin(&other, 2).await;
    assert_eq!(bench.statements(), [[1], [2]]);
    bench.read.gate.add_permits(2);
    assert_eq!((first.await.expect("it ends"), apart.await.expect("it ends")), (Ok(2), Ok(4)));
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let runtime = Builder::new_current_thread().build().expect("it starts");
    let bench = runtime.block_on(async { Bench::new() });
    runtime.block_on(async {
        for id in [1, 2, 3] {
            drop(bench.begin(&bench.read, id).await);
        }
    });
    assert_eq!(bench.statements(), [[1]]);
    drop(runtime);
    assert!(bench.reads.0.waiting.lock().is_empty());
}

#[test]
fn those_who_wait_are_read_by_the_runtime_of_the_reads() {
    let runtime = |name: &str| {
        Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap()
    };
    let (own, other) = (runtime("own"), runtime("other"));
    let bench = own.block_on(async { Bench::new() });
    let (reads, read) = (Arc::clone(&bench.reads), bench.read.clone());
    let found = other.block_on(async move {
        let begin = |id| {
            let (reads, read) = (Arc::clone(&reads), read.clone());
            tokio::spawn(async move { reads.read(read, id).await })
        };
        let first = begin(1);
        while read.statements.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        let second = begin(2);
        while reads.0.waiting.lock().values().all(|waiting| waiting.reads.is_empty()) {
            tokio::task::yield_now().await;
        }
        read.gate.add_permits(2);
        [first.await.unwrap(), second.await.unwrap()]
    });
    assert_eq!(found, [Ok(2), Ok(4)]);
    assert_eq!(*bench.read.threads.lock(), ["other", "own"]);
}
