//! Runs a mutation: right, idempotency key, one transaction, one audit entry.
//!
//! An action makes a [`Request`], judges its input, and then calls [`Request::refuse`] with the problems or
//! [`Request::run`] with its [`Mutation`]. The audit entry for the changed people is part of the transaction.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use tokio::time::timeout;

use super::idempotency::{judge_key, replay, single_flight, to_stored};
use super::{ActionError, Done, Submission, require};
use crate::store::audit::Trail;
use crate::store::idempotency::{self, KeyOf, Used};
use crate::store::keys::Keys;
use crate::store::session::{Session, Transaction};
use crate::store::{Database, StoreError, participant, partition};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, refuses};

/// Maximum number of attempts of a transaction with serialization conflicts, or without a partition for a row.
const ATTEMPTS: u32 = 4;

/// How long a request waits for another one with the same key. While it waits, it occupies a permit.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A mutation that was requested by a caller whose role permits it.
pub(super) struct Request<'a, I> {
    session: &'a Session,
    keys: &'a Keys,
    actor: &'a Actor,
    operation: &'static str,
    submission: Submission<'a>,
    input: &'a I,
    trail: Option<&'a Trail>,
    /// Does it run on the connections for long work? Then it waits for a lock as they do, and with malformed fields it does not
    /// run.
    is_long: bool,
}

/// The part of a mutation that runs within its transaction.
pub(super) trait Mutation: Sync {
    /// Its result: ids and codes, stored under the key.
    type Output: Serialize + DeserializeOwned + Send;

    /// Makes the change, or returns the problems that refuse it. In that case everything is rolled back. It may be
    /// called again after a rollback.
    fn run(
        &self,
        conn: &mut PgConnection,
    ) -> impl Future<Output = Result<Done<Self::Output>, StoreError>> + Send;

    /// Makes the change with its key, outcome and audit entry, together with other requests, or returns the problems that refuse
    /// it. Returns `None` if the change needs a transaction of its own: then nothing was written.
    fn run_whole(
        &self,
        _record: &Record<'_>,
    ) -> impl Future<Output = Result<Option<Done<Self::Output>>, StoreError>> + Send {
        std::future::ready(Ok(None))
    }
}

/// How a transaction has to end.
enum TransactionEnd<T> {
    /// The change is made.
    Commit(Done<T>),
    /// The change was refused, or only tried.
    Rollback(Done<T>),
    /// The key was used before.
    Replay(Used),
}

/// What a mutation writes beside its change.
pub(super) struct Record<'a> {
    /// The idempotency key, and the digest of the input.
    pub key: Option<(&'a KeyOf, &'a [u8])>,
    /// The trail that has its audit entry.
    pub trail: &'a Trail,
}

impl<'a, I: Serialize> Request<'a, I> {
    /// Returns a request for the mutation of this name, which needs this right. `input` is the input of the caller
    /// without the key.
    ///
    /// # Errors
    /// [`ActionError::Forbidden`] if the role does not allow it.
    pub(super) fn new(
        database: &'a Database,
        actor: &'a Actor,
        (operation, right): (&'static str, Right),
        submission: Submission<'a>,
        input: &'a I,
    ) -> Result<Self, ActionError> {
        require(actor, right)?;
        let (session, keys) = (&database.writer, &database.keys);
        Ok(Self { session, keys, actor, operation, submission, input, trail: None, is_long: false })
    }

    /// Records the people that the mutation changes in `trail`.
    pub(super) fn recorded_in(self, trail: &'a Trail) -> Self {
        Self { trail: Some(trail), ..self }
    }

    /// Runs on the connections for long work. With malformed fields it does not run at all: it might write thousands of rows
    /// for nothing.
    pub(super) fn on(self, session: &'a Session) -> Self {
        Self { session, is_long: true, ..self }
    }

    /// Returns the answer to an input that is refused. If the key was used with this input before, it returns the first
    /// answer, because the rules may have changed since.
    pub(super) async fn refuse<T: DeserializeOwned>(
        &self,
        problems: Vec<Problem>,
    ) -> Result<Done<T>, ActionError> {
        if !self.submission.malformed.is_empty() {
            return Ok(Done::refused(self.with_malformed(problems)));
        }
        if self.submission.validates_only {
            return Ok(Done::refused(problems));
        }
        let (Some(key), None) = (self.stored_key(), judge_key(self.submission.key)) else {
            return Ok(Done::refused(problems));
        };
        let fingerprint = self.fingerprint()?;
        let used = idempotency::find(self.session, &key).await?;
        match used.filter(|used| used.fingerprint == fingerprint) {
            Some(used) => Ok(replay(&used, &fingerprint)?),
            None => Ok(Done::refused(problems)),
        }
    }

    /// Runs the mutation in one transaction, once for each key. The same key returns the first outcome again for the
    /// same input, and a problem for another input. Retries serialization conflicts.
    ///
    /// With malformed fields, or if the input is only checked, it writes nothing. It runs all the same, to find the problems
    /// that show only in the transaction.
    ///
    /// Boxed: a transaction is a large future. The schema asks one noun after the other for the resolver of a mutation, and
    /// each makes and copies a future as large as its largest resolver before it says that it has none.
    pub(super) async fn run<M: Mutation>(self, mutation: M) -> Result<Done<M::Output>, ActionError> {
        Box::pin(self.run_in_place(mutation)).await
    }

    async fn run_in_place<M: Mutation>(self, mutation: M) -> Result<Done<M::Output>, ActionError> {
        let malformed = self.submission.malformed;
        if !malformed.is_empty() && self.is_long {
            return Ok(Done::refused(self.with_malformed(Vec::new())));
        }
        if let Some(problem) = judge_key(self.submission.key).filter(|_| malformed.is_empty()) {
            return Ok(Done::refused(vec![problem]));
        }
        let (fingerprint, key) = (self.fingerprint()?, self.stored_key());
        let flight = key.as_ref().map(single_flight);
        let _alone = match &flight {
            Some(flight) => Some(timeout(LONGEST_WAIT, flight.lock()).await.map_err(|_| under_way())?),
            None => None,
        };
        // The permit to wait for a lock is kept until the last attempt has ended.
        let (mut attempt, mut permit) = (1, None);
        loop {
            match self.attempt(key.as_ref(), &fingerprint, &mutation, permit.is_some()).await {
                Err(StoreError::Contended(code)) if attempt < ATTEMPTS => {
                    tracing::debug!(code, attempt, "serialization conflict; retrying");
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                Err(StoreError::Locked) if permit.is_none() && !self.is_long => {
                    let asked = self.session.permit_to_wait_for_lock().await;
                    permit = Some(asked.map_err(ActionError::Unwritten)?);
                }
                // No server has made it ahead.
                Err(StoreError::NoPartition) if attempt < ATTEMPTS => {
                    partition::add_ahead(self.session).await?;
                    attempt += 1;
                }
                Err(error @ (StoreError::Contended(_) | StoreError::Locked)) => {
                    return Err(ActionError::Unwritten(error));
                }
                result => return Ok(result?),
            }
        }
    }

    /// Runs the mutation once. If it may wait for a lock, it shares no transaction.
    async fn attempt<M: Mutation>(
        &self,
        key: Option<&KeyOf>,
        fingerprint: &[u8],
        mutation: &M,
        may_wait: bool,
    ) -> Result<Done<M::Output>, StoreError> {
        // This commits by itself: not what is only tried and rolled back.
        if let Some(trail) = self.trail.filter(|_| self.writes() && !may_wait) {
            let record = Record { key: key.map(|key| (key, fingerprint)), trail };
            if let Some(done) = self.session.in_time(mutation.run_whole(&record)).await? {
                match done.value {
                    Some(_) => trail.mark_recorded(&done.subjects),
                    None => trail.saw(done.subjects.iter().copied()),
                }
                return Ok(done);
            }
        }
        let ended = self.session.in_time(self.run_up_to_end(key, fingerprint, mutation, may_wait)).await;
        let (transaction, end) = ended.map_err(StoreError::before_commit)?;
        match end {
            TransactionEnd::Commit(done) => {
                self.session.in_time(transaction.commit()).await?;
                self.trail.inspect(|trail| trail.mark_recorded(&done.subjects));
                Ok(done)
            }
            TransactionEnd::Rollback(done) => {
                self.session.in_time(transaction.rollback()).await.map_err(StoreError::before_commit)?;
                // What was only tried may have made people who do not exist.
                let seen = match refuses(&done.problems) {
                    true => done.subjects.clone(),
                    false => participant::existing(self.session, &done.subjects).await?,
                };
                self.trail.inspect(|trail| trail.saw(seen));
                Ok(done)
            }
            TransactionEnd::Replay(used) => {
                self.session.in_time(transaction.rollback()).await.map_err(StoreError::before_commit)?;
                replay(&used, fingerprint)
            }
        }
    }

    /// Begins a transaction and runs the mutation in it. The transaction has to end as it says.
    async fn run_up_to_end<M: Mutation>(
        &self,
        key: Option<&KeyOf>,
        fingerprint: &[u8],
        mutation: &M,
        may_wait: bool,
    ) -> Result<(Transaction, TransactionEnd<M::Output>), StoreError> {
        let mut transaction = match may_wait || self.is_long {
            true => self.session.begin().await?,
            false => self.session.begin_impatient().await?,
        };
        match self.run_within(&mut transaction, key, fingerprint, mutation).await {
            Ok(end) => Ok((transaction, end)),
            // The connection is lost, or it is not known whether it is.
            Err(error @ StoreError::Unavailable(_)) => Err(error),
            Err(error) => {
                transaction.abandon().await;
                Err(error)
            }
        }
    }

    /// Runs the mutation within a transaction, up to its end.
    async fn run_within<M: Mutation>(
        &self,
        conn: &mut PgConnection,
        key: Option<&KeyOf>,
        fingerprint: &[u8],
        mutation: &M,
    ) -> Result<TransactionEnd<M::Output>, StoreError> {
        if let Some(key) = key.filter(|_| self.writes())
            && let Some(used) = idempotency::claim(conn, key, fingerprint).await?
        {
            return Ok(TransactionEnd::Replay(used));
        }
        let mut done = mutation.run(conn).await?;
        if !self.submission.malformed.is_empty() {
            done = Done::refused(self.with_malformed(done.problems)).concerning(done.subjects);
        }
        if done.value.is_some() && !self.writes() {
            done = Done::validated(done.problems).concerning(done.subjects);
        }
        if self.trail.is_none() && !done.subjects.is_empty() {
            return Err(StoreError::Fault("people would be written without a trail".into()));
        }
        let Some(value) = &done.value else { return Ok(TransactionEnd::Rollback(done)) };
        if let Some(key) = key {
            idempotency::record(conn, key, &to_stored(value, &done.problems)?).await?;
        }
        if let Some(trail) = self.trail {
            trail.append(conn, &done.subjects).await?;
        }
        Ok(TransactionEnd::Commit(done))
    }

    /// Does it write what it changes? Not if its input is malformed or only checked.
    fn writes(&self) -> bool {
        self.submission.malformed.is_empty() && !self.submission.validates_only
    }

    /// Puts the problems of malformed fields, and of the key, in front of the others. Leaves out those at the path of a
    /// malformed field: they are about the default in its place.
    fn with_malformed(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let malformed = self.submission.malformed;
        let is_of_default = |problem: &Problem| malformed.iter().any(|m| problem.path.starts_with(&m.path));
        let others = problems.into_iter().filter(|problem| !is_of_default(problem));
        malformed.iter().cloned().chain(judge_key(self.submission.key)).chain(others).collect()
    }

    /// Returns the digest of the input. The scope of the client is not part of it, because it can change between an
    /// attempt and its retry.
    fn fingerprint(&self) -> Result<Vec<u8>, StoreError> {
        let input = serde_json::to_vec(self.input);
        let input = input.map_err(|_| StoreError::Fault("an input cannot be written".into()))?;
        Ok(self.keys.fingerprint(&input))
    }

    /// Returns the key as it is stored: its digest, because people use identity numbers as keys.
    fn stored_key(&self) -> Option<KeyOf> {
        let digest = |key: &str| hex::encode(self.keys.fingerprint(key.as_bytes()));
        let (client, operation) = (self.actor.client.clone(), self.operation);
        self.submission.key.map(|key| KeyOf { client, operation, key: digest(key) })
    }
}

fn under_way() -> StoreError {
    StoreError::Unavailable("another mutation with this key is still under way".into())
}

/// Returns the pause before the next attempt. It grows with each attempt, and jitter prevents the same two transactions
/// from colliding again.
pub(super) fn backoff(attempt: u32) -> Duration {
    let mut jitter = [0; 1];
    getrandom::fill(&mut jitter).expect("the operating system gives random bytes");
    Duration::from_millis(u64::from(5 * attempt * attempt) + u64::from(jitter[0] % 16))
}
