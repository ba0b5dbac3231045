//! Idempotency keys: a mutation happens once for each key, however often it is sent.
//!
//! The key, the change and its outcome are written in one transaction, so one never exists without the others. A refused
//! mutation writes nothing and uses up no key: the same input is refused again by the same rules.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Done;
use crate::store::StoreError;
use crate::store::idempotency::{KeyOf, Used};
use domain::problem::{Problem, ProblemCode};

/// Checks the form of a key.
pub(super) fn judge_key(key: Option<&str>) -> Option<Problem> {
    let well_formed =
        |key: &str| (16..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    key.filter(|key| !well_formed(key)).map(|_| {
        Problem::error(
            ProblemCode::InvalidFormat,
            "idempotencyKey",
            "A key is 16 to 255 printable ASCII characters without spaces.",
        )
        .hint("Use a new UUID for each mutation, and the same UUID for its retries.")
    })
}

/// What is stored under a key: enough to answer a retry.
#[derive(Serialize)]
struct StoredOutcome<'a, T> {
    value: &'a T,
    warnings: &'a [Problem],
}

/// The same, read back.
#[derive(Deserialize)]
struct ReadOutcome<T> {
    value: T,
    warnings: Vec<Problem>,
}

/// Serializes the outcome of a mutation, to be stored under its key.
pub(super) fn to_stored<T: Serialize>(
    value: &T,
    warnings: &[Problem],
) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(StoredOutcome { value, warnings })
        .map_err(|_| StoreError::Fault("an outcome cannot be written".into()))
}

/// Answers a request whose key was used before: with the stored outcome, or with a problem if the input is another one.
pub(super) fn replay<T: DeserializeOwned>(used: &Used, fingerprint: &[u8]) -> Result<Done<T>, StoreError> {
    if used.fingerprint != fingerprint {
        let problem = Problem::error(
            ProblemCode::IdempotencyKeyReused,
            "idempotencyKey",
            "This key was used with another input. Nothing was changed.",
        );
        return Ok(Done::refused(vec![problem.hint("Use a new key for each mutation.")]));
    }
    let outcome: ReadOutcome<T> = serde_json::from_value(used.outcome.clone())
        .map_err(|_| StoreError::Fault("a stored outcome cannot be read".into()))?;
    Ok(Done { again: true, ..Done::did(outcome.value, outcome.warnings) })
}

/// The lock of a key within this process. Requests with one key wait here instead of holding a connection each. The lock
/// is dropped with its last holder.
pub(super) fn single_flight(key: &KeyOf) -> Arc<tokio::sync::Mutex<()>> {
    static FLIGHTS: LazyLock<Mutex<HashMap<KeyOf, Weak<tokio::sync::Mutex<()>>>>> =
        LazyLock::new(Default::default);
    let mut flights = FLIGHTS.lock();
    if let Some(flight) = flights.get(key).and_then(Weak::upgrade) {
        return flight;
    }
    flights.retain(|_, flight| flight.strong_count() > 0);
    let flight = Arc::new(tokio::sync::Mutex::new(()));
    flights.insert(key.clone(), Arc::downgrade(&flight));
    flight
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
