//! Retrying is safe: a key makes a mutation happen once, however often it is sent.
//!
//! The key, what was done and its outcome are written in one transaction: there is no moment at which one exists
//! without the others. A refused input writes nothing, so it spends no key; the same input is refused again by the
//! same rules.
//!
//! That people were written goes on record in the same transaction too: no data without evidence, no evidence of what was
//! not done.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use tokio::time::timeout;

use super::{ActionError, Done};
use crate::store::StoreError;
use crate::store::audit::Trail;
use crate::store::idempotency::{self, KeyOf};
use crate::store::keys::Keys;
use crate::store::session::Session;
use domain::actor::Actor;
use domain::problem::{Problem, ProblemCode};

/// How often a transaction that met another one is tried.
const TRIES: u32 = 4;

/// How long a caller waits for another one with its key. It holds a place that others want.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// A mutation as it was sent.
pub struct Request<'a, I> {
    /// Who sends it.
    pub actor: &'a Actor,
    /// Its name in the API.
    pub operation: &'static str,
    /// The caller's key.
    pub key: Option<&'a str>,
    /// What it asks for, without the key.
    pub input: &'a I,
    /// Where it goes on record; `None` for what concerns no people.
    pub trail: Option<&'a Trail>,
}

impl<I: Serialize> Request<'_, I> {
    /// Digest of what is asked for. Not of what the client may see: that can have changed since, and a retry must be
    /// told what happened.
    fn fingerprint(&self, keys: &Keys) -> Result<Vec<u8>, StoreError> {
        let input = serde_json::to_vec(self.input);
        let input = input.map_err(|_| StoreError::Fault("an input cannot be written".into()))?;
        Ok(keys.fingerprint(&input))
    }

    /// The key as it is kept: by its digest, because people use identity numbers for keys.
    fn key_of(&self, keys: &Keys) -> Option<KeyOf> {
        let digest = |key: &str| hex::encode(keys.fingerprint(key.as_bytes()));
        let (client, operation) = (self.actor.client.clone(), self.operation);
        self.key.map(|key| KeyOf { client, operation, key: digest(key) })
    }
}

/// What a key did before, for an input that is refused: what was right then may be against the rules today, and a
/// retry must be told what happened.
///
/// # Errors
/// The database failed.
pub async fn recall<I: Serialize, T: DeserializeOwned>(
    session: &Session,
    keys: &Keys,
    request: &Request<'_, I>,
    problems: Vec<Problem>,
) -> Result<Done<T>, ActionError> {
    let (Some(key), None) = (request.key_of(keys), judge_key(request.key)) else {
        return Ok(Done::refused(problems));
    };
    let fingerprint = request.fingerprint(keys)?;
    match idempotency::find(session, &key).await?.filter(|used| used.fingerprint == fingerprint) {
        Some(used) => Ok(replay(&used, &fingerprint)?),
        None => Ok(Done::refused(problems)),
    }
}

/// The problem of a key that is not one.
pub fn judge_key(key: Option<&str>) -> Option<Problem> {
    let well_formed =
        |key: &str| (16..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    key.filter(|key| !well_formed(key)).map(|_| {
        Problem::error(
            ProblemCode::InvalidFormat,
            "idempotencyKey",
            "A key is 16 to 255 printable ASCII characters without spaces.",
        )
        .hint("Make a new UUID for each thing to be done, and send the same one with each retry of it.")
    })
}

/// What a mutation does, within the transaction that it is given.
pub trait Work: Sync {
    /// What it did: ids and codes, kept under the key.
    type Outcome: Serialize + DeserializeOwned + Send;

    /// Does it, or says which problems refuse it: then all of it is rolled back. May run again after a rollback.
    fn run(
        &self,
        conn: &mut PgConnection,
    ) -> impl Future<Output = Result<Done<Self::Outcome>, StoreError>> + Send;
}

/// Runs `work` in one transaction, once for each key: the same key with the same input gives the first outcome again,
/// with another input a problem. What `work` refuses is rolled back. Transactions that meet are tried again.
///
/// # Errors
/// The database failed; nothing was written, or the key tells whether it was.
pub async fn once<I: Serialize, W: Work>(
    session: &Session,
    keys: &Keys,
    request: Request<'_, I>,
    work: W,
) -> Result<Done<W::Outcome>, ActionError> {
    if let Some(problem) = judge_key(request.key) {
        return Ok(Done::refused(vec![problem]));
    }
    let fingerprint = request.fingerprint(keys)?;
    let key = request.key_of(keys);
    // Callers with one key wait here, and not on a connection each.
    let flight = key.as_ref().map(flight);
    let _alone = match &flight {
        Some(flight) => Some(timeout(LONGEST_TURN, flight.lock()).await.map_err(|_| under_way())?),
        None => None,
    };
    let mut attempt = 1;
    loop {
        let tried = try_once(session, key.as_ref(), &fingerprint, request.trail, &work);
        match timeout(session.transaction_deadline(), tried).await.unwrap_or_else(|_| Err(too_slow())) {
            Err(StoreError::Contended(code)) if attempt < TRIES => {
                tracing::debug!(code, attempt, "two transactions met; trying again");
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            result => return Ok(result?),
        }
    }
}

fn under_way() -> StoreError {
    StoreError::Unavailable("another mutation with this key is still under way".into())
}

/// On a silent network nobody says that a transaction is over.
fn too_slow() -> StoreError {
    StoreError::Unavailable("the transaction took too long".into())
}

async fn try_once<W: Work>(
    session: &Session,
    key: Option<&KeyOf>,
    fingerprint: &[u8],
    trail: Option<&Trail>,
    work: &W,
) -> Result<Done<W::Outcome>, StoreError> {
    let mut transaction = session.begin().await?;
    if let Some(key) = key
        && let Some(used) = idempotency::claim(&mut transaction, key, fingerprint).await?
    {
        transaction.rollback().await?;
        return replay(&used, fingerprint);
    }
    let done = work.run(&mut transaction).await?;
    if trail.is_none() && !done.subjects.is_empty() {
        return Err(StoreError::Fault("people would be written without a trail".into()));
    }
    match &done.value {
        None => {
            transaction.rollback().await?;
            trail.inspect(|trail| trail.saw(done.subjects.iter().copied()));
        }
        Some(value) => {
            if let Some(key) = key {
                let outcome = Outcome { value, warnings: &done.problems };
                let outcome = serde_json::to_value(outcome)
                    .map_err(|_| StoreError::Fault("an outcome cannot be written".into()))?;
                idempotency::record(&mut transaction, key, &outcome).await?;
            }
            if let Some(trail) = trail {
                trail.append(&mut transaction, &done.subjects).await?;
            }
            transaction.commit().await?;
            trail.inspect(|trail| trail.settle(&done.subjects));
        }
    }
    Ok(done)
}

fn replay<T: DeserializeOwned>(used: &idempotency::Used, fingerprint: &[u8]) -> Result<Done<T>, StoreError> {
    if used.fingerprint != fingerprint {
        let problem = Problem::error(
            ProblemCode::IdempotencyKeyReused,
            "idempotencyKey",
            "This key was used with another input. Nothing was changed.",
        );
        return Ok(Done::refused(vec![problem.hint("Make a new key for each thing to be done.")]));
    }
    let outcome: Replayed<T> = serde_json::from_value(used.outcome.clone())
        .map_err(|_| StoreError::Fault("a kept outcome cannot be read".into()))?;
    Ok(Done { again: true, ..Done::did(outcome.value, outcome.warnings) })
}

#[derive(Serialize)]
struct Outcome<'a, T> {
    value: &'a T,
    warnings: &'a [Problem],
}

#[derive(serde::Deserialize)]
struct Replayed<T> {
    value: T,
    warnings: Vec<Problem>,
}

/// The turn of a key within this process; forgotten when nobody waits for it.
fn flight(key: &KeyOf) -> Arc<tokio::sync::Mutex<()>> {
    static FLIGHTS: LazyLock<Mutex<HashMap<KeyOf, Weak<tokio::sync::Mutex<()>>>>> =
        LazyLock::new(Default::default);
    let mut flights = FLIGHTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(flight) = flights.get(key).and_then(Weak::upgrade) {
        return flight;
    }
    flights.retain(|_, flight| flight.strong_count() > 0);
    let flight = Arc::new(tokio::sync::Mutex::new(()));
    flights.insert(key.clone(), Arc::downgrade(&flight));
    flight
}

/// Longer with each attempt, and different for each of two that met.
pub(super) fn pause(attempt: u32) -> Duration {
    let mut jitter = [0; 1];
    getrandom::fill(&mut jitter).expect("the operating system gives random bytes");
    Duration::from_millis(u64::from(5 * attempt * attempt) + u64::from(jitter[0] % 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_printable_characters_or_more() {
        assert_eq!(judge_key(None), None);
        assert_eq!(judge_key(Some("0123456789abcdef")), None);
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcde\0", "0123456789abcdé"] {
            assert!(judge_key(Some(bad)).is_some(), "{bad:?}");
        }
        assert!(judge_key(Some(&"k".repeat(256))).is_some());
    }
}
