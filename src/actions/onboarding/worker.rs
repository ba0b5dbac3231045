//! The worker: takes the batch that has waited longest, and plans or applies it chunk by chunk.
//!
//! Any number of processes work side by side. Who is at a batch has a lease on it, by the database's clock, and renews it
//! while it works; each chunk is one transaction that ends by making sure of the lease and moving the checkpoint. So a worker may die at any instant:
//! another one goes on behind the last chunk that was committed, as soon as the lease has ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;

use super::ahead::{Ahead, Task};
use super::chunk::Bench;
use super::{Agreed, Authority, applying, authority, planning};
use crate::actions::once;
use crate::store::onboarding::lease::{self, Held, Lease};
use crate::store::onboarding::{staging, writing};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::onboarding::{OnboardingState, Repeat};
use domain::problem::Problem;

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a lease holds that nobody renews: so long a batch waits whose worker has died.
    pub lease: Duration,
    /// How long a worker stays at one batch while another one waits.
    pub turn: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { lease: Duration::from_secs(8), turn: Duration::from_secs(2) }
    }
}

/// How often a chunk is tried that met other transactions.
const TRIES: u32 = 4;

/// One chunk's turn: which batch, in whose name, as of which day.
pub(super) struct Turn {
    pub database: Arc<Database>,
    pub reference: Arc<Reference>,
    pub pace: Pace,
    pub lease: Lease,
    pub held: Held,
    pub authority: Authority,
    repeats: Arc<HashMap<u32, Repeat>>,
    today: NaiveDate,
}

impl Turn {
    /// What judges the rows of this batch.
    pub(super) fn bench(&self) -> Bench {
        Bench {
            database: Arc::clone(&self.database),
            reference: Arc::clone(&self.reference),
            agreed: Arc::new(Agreed::clone(&self.authority.agreed)),
            repeats: Arc::clone(&self.repeats),
            today: self.today,
            batch: self.lease.id,
        }
    }
}

/// What comes after a chunk.
pub(super) enum Next {
    /// The next chunk.
    More,
    /// Nothing of this batch: it waits for somebody, or has ended.
    Done,
    /// Nothing was written: another worker has it, or somebody has stopped it.
    Lost,
    /// It cannot go on.
    Stop(Vec<Problem>),
}

/// Works at one batch for a turn, `only` at this one where that is said. `false`: there is none to be worked at.
///
/// # Errors
/// The database is away; what was committed stays, and the rest is done later.
pub async fn work(
    database: &Arc<Database>,
    today: NaiveDate,
    pace: Pace,
    only: Option<i64>,
) -> Result<bool, StoreError> {
    let Some(lease) = lease::take(&database.control, pace.lease, only).await? else { return Ok(false) };
    let keeping = Task::spawn(keep(Arc::clone(database), lease, pace.lease));
    // Whatever is under way when the lease is lost is dropped, and with it the locks that the next worker waits for.
    let worked = tokio::select! {
        worked = stay(database, today, pace, lease) => worked,
        lost = keeping.end() => lost,
    };
    match worked {
        Ok(()) => Ok(true),
        Err(error) => {
            tracing::warn!(batch = lease.id, %error, "an onboarding did not go on; it is tried again");
            // Whoever is next need not wait for the lease to end; where the database is away it ends by itself.
            let _ = lease::release(&database.control, lease).await;
            Err(error)
        }
    }
}

/// Renews a lease for as long as somebody works under it, however long a transaction takes. Ends when it is lost: because
/// another worker has it, the batch has ended, or nobody has heard from the database for as long as a lease holds.
async fn keep(database: Arc<Database>, lease: Lease, holds: Duration) -> Result<(), StoreError> {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(holds / 3).await;
        let asked = Instant::now();
        match lease::renew(&database.control, lease, holds).await {
            Ok(true) => renewed = asked,
            Ok(false) => return Ok(()),
            Err(error) if renewed.elapsed() >= holds => return Err(error),
            Err(_) => {}
        }
    }
}

async fn stay(
    database: &Arc<Database>,
    today: NaiveDate,
    pace: Pace,
    lease: Lease,
) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut repeats: Option<Arc<HashMap<u32, Repeat>>> = None;
    let mut ahead = Ahead::default();
    while let Some(held) = lease::look(&database.control, lease).await? {
        let repeats = match &repeats {
            Some(repeats) => Arc::clone(repeats),
            None => Arc::clone(repeats.insert(Arc::new(repeats_of(database, lease, &held)?))),
        };
        let reference = database.reference();
        let authority = match authority(database, &reference, &held, today).await? {
            Ok(authority) => authority,
            Err(problems) => return stop(database, lease, &held, &problems).await,
        };
        let is_last = began.elapsed() >= pace.turn && lease::others_wait(&database.control, lease).await?;
        let database = Arc::clone(database);
        let turn = Arc::new(Turn { database, reference, pace, lease, held, authority, repeats, today });
        match chunk_of(&turn, &mut ahead, is_last).await? {
            Next::More if is_last => return lease::release(&turn.database.control, lease).await,
            Next::More => {}
            Next::Done | Next::Lost => return Ok(()),
            Next::Stop(problems) => return stop(&turn.database, lease, &turn.held, &problems).await,
        }
    }
    Ok(())
}

fn repeats_of(database: &Database, lease: Lease, held: &Held) -> Result<HashMap<u32, Repeat>, StoreError> {
    let repeats = match &held.repeated {
        None => Vec::new(),
        Some(sealed) => staging::open_repeats(&database.keys, lease.id, sealed)?,
    };
    Ok(repeats.into_iter().map(|repeat| (repeat.row, repeat)).collect())
}

/// Plans or applies the next chunk; behind the last of a turn nothing is begun.
async fn chunk_of(turn: &Arc<Turn>, ahead: &mut Ahead, is_last: bool) -> Result<Next, StoreError> {
    let mut attempt = 1;
    loop {
        let tried = match turn.held.state {
            OnboardingState::Validating => planning::plan(turn, &ahead.chunk(turn).await?).await,
            _ if turn.held.all_or_nothing => applying::apply_all(turn).await,
            _ => apply(turn, ahead, is_last || attempt > 1).await,
        };
        match tried {
            Err(StoreError::Contended(code)) if attempt < TRIES => {
                tracing::debug!(code, attempt, "a chunk met another transaction; trying again");
                ahead.drop_written();
                tokio::time::sleep(once::pause(attempt)).await;
                attempt += 1;
            }
            tried => return tried,
        }
    }
}

async fn apply(turn: &Arc<Turn>, ahead: &mut Ahead, alone: bool) -> Result<Next, StoreError> {
    let writing = ahead.writing(turn, alone).await?;
    let chunk = Arc::clone(&writing.chunk);
    applying::settle(turn, &chunk, writing.end().await?).await
}

/// Ends a batch that cannot go on, unless it is not ours any more.
async fn stop(
    database: &Database,
    lease: Lease,
    held: &Held,
    problems: &[Problem],
) -> Result<(), StoreError> {
    let mut transaction = database.bulk.begin().await?;
    if lease::fence(&mut transaction, lease, held.next_row).await? {
        writing::fail(&mut transaction, lease.id, problems).await?;
        return transaction.commit().await;
    }
    transaction.rollback().await
}
