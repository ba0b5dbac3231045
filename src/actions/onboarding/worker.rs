//! The worker: takes the batch that has waited longest, and plans or applies it chunk by chunk.
//!
//! Any number of processes work side by side. Who is at a batch has a lease on it, by the database's clock; each chunk is
//! one transaction that first makes sure of the lease and last moves the checkpoint. So a worker may die at any instant:
//! another one goes on behind the last chunk that was committed, as soon as the lease has ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use tokio::task::JoinHandle;

use super::chunk::{Bench, Chunk};
use super::{Agreed, Authority, applying, authority, planning};
use crate::actions::once;
use crate::domain::onboarding::{OnboardingState, Repeat};
use crate::domain::problem::Problem;
use crate::store::onboarding::lease::{self, Held, Lease};
use crate::store::onboarding::{staging, writing};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};

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
pub(super) struct Turn<'a> {
    pub database: &'a Arc<Database>,
    pub reference: Arc<Reference>,
    pub pace: Pace,
    pub lease: Lease,
    pub held: &'a Held,
    pub authority: Authority,
    repeats: Arc<HashMap<u32, Repeat>>,
    today: NaiveDate,
}

impl Turn<'_> {
    /// What judges the rows of this batch.
    pub(super) fn bench(&self) -> Bench {
        Bench {
            database: Arc::clone(self.database),
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

/// The chunk that comes after the one that is being written, already on its way.
struct Ahead {
    first_row: i32,
    chunk: JoinHandle<Result<Chunk, StoreError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.chunk.abort();
    }
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
    match stay(database, today, pace, lease).await {
        Ok(()) => Ok(true),
        Err(error) => {
            tracing::warn!(batch = lease.id, %error, "an onboarding did not go on; it is tried again");
            // Whoever is next need not wait for the lease to end; where the database is away it ends by itself.
            let _ = lease::release(&database.control, lease).await;
            Err(error)
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
    let mut ahead: Option<Ahead> = None;
    while let Some(held) = lease::look(&database.control, lease).await? {
        let repeats = match &repeats {
            Some(repeats) => Arc::clone(repeats),
            None => Arc::clone(repeats.insert(Arc::new(repeats_of(database, lease, &held)?))),
        };
        let reference = database.reference();
        let next = match authority(database, &reference, &held, today).await? {
            Err(problems) => Next::Stop(problems),
            Ok(authority) => {
                let turn = Turn { database, reference, pace, lease, held: &held, authority, repeats, today };
                chunk_of(&turn, &mut ahead).await?
            }
        };
        match next {
            Next::More => {}
            Next::Done | Next::Lost => return Ok(()),
            Next::Stop(problems) => return stop(database, lease, &held, &problems).await,
        }
        if began.elapsed() >= pace.turn && lease::others_wait(&database.control, lease).await? {
            return lease::release(&database.control, lease).await;
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

/// Plans or applies the next chunk, while the one behind it is opened and judged.
async fn chunk_of(turn: &Turn<'_>, ahead: &mut Option<Ahead>) -> Result<Next, StoreError> {
    let (held, next_row) = (turn.held, turn.held.next_row);
    if held.state == OnboardingState::Applying && held.all_or_nothing {
        return applying::apply_all(turn).await;
    }
    let chunk = match ahead.take().filter(|ahead| ahead.first_row == next_row) {
        Some(mut ahead) => (&mut ahead.chunk).await.map_err(|_| broken())??,
        None => turn.bench().chunk(next_row).await?,
    };
    if chunk.end() <= held.received {
        let first_row = chunk.end();
        *ahead = Some(Ahead { first_row, chunk: tokio::spawn(turn.bench().chunk(first_row)) });
    }
    let mut attempt = 1;
    loop {
        let tried = match held.state {
            OnboardingState::Validating => planning::plan(turn, &chunk).await,
            _ => applying::apply(turn, &chunk).await,
        };
        match tried {
            Err(StoreError::Contended(code)) if attempt < TRIES => {
                tracing::debug!(code, attempt, "a chunk met another transaction; trying again");
                tokio::time::sleep(once::pause(attempt)).await;
                attempt += 1;
            }
            tried => return tried,
        }
    }
}

fn broken() -> StoreError {
    StoreError::Fault("judging the rows broke off".into())
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
