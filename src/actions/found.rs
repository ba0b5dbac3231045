//! Records that an actor may change, found by the ids of an input.

use chrono::NaiveDate;

use super::terms::{self, out_of_scope, province_scope};
use crate::store::employer::{self, EmployerRow};
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::problem::{Problem, ProblemCode};

/// Finds an employer in the provinces of the actor. `path` is where the input names it.
pub(super) async fn employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    (id, path): (i64, &str),
) -> Result<Result<EmployerRow, Problem>, StoreError> {
    let provinces = &actor.scope.provinces;
    Ok(match employer::by_ids(&database.writer, &[id]).await?.remove(&id) {
        None => Err(terms::no_employer()),
        Some(row) if !provinces.is_empty() && !provinces.contains(&row.province_id) => {
            let provinces = province_scope(&database.reference(), actor, today);
            Err(out_of_scope(path, &format!("employers in {provinces}")))
        }
        Some(row) => Ok(row),
    })
}

/// The problem of a person who is not registered, or whom the actor may not see.
pub(super) fn no_participant() -> Problem {
    let message = "No participant that you may see has this id.";
    Problem::error(ProblemCode::NotFound, "participantId", message)
}
