//! Records that an actor may change, found by the ids of an input.

use chrono::NaiveDate;

use super::terms::{self, out_of_scope, province_scope};
use crate::store::employer::{self, EmployerRow};
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::problem::{Problem, ProblemCode};

/// Finds an employer that the actor may change: one in the provinces of its scope, or in those of its channel. `path` is where
/// the input names it.
pub(super) async fn employer(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    (id, path): (i64, &str),
) -> Result<Result<EmployerRow, Problem>, StoreError> {
    let Some(row) = employer::by_ids(&database.writer, &[id]).await?.remove(&id) else {
        return Ok(Err(terms::no_employer()));
    };
    let (reference, scope) = (database.reference(), &actor.scope);
    let is_outside = |provinces: &[i16]| !provinces.is_empty() && !provinces.contains(&row.province_id);
    if is_outside(&scope.provinces) {
        let provinces = province_scope(&reference, actor, today);
        return Ok(Err(out_of_scope(path, &format!("employers in {provinces}"))));
    }
    // A channel without provinces serves the whole country.
    let mut channels = scope.channels.iter().filter_map(|&channel| reference.channel(channel));
    let is_elsewhere = !scope.channels.is_empty() && channels.all(|channel| is_outside(&channel.provinces));
    if is_elsewhere {
        return Ok(Err(out_of_scope(path, "employers in the provinces that its channel serves")));
    }
    Ok(Ok(row))
}

/// The problem of a person who is not registered, or whom the actor may not see.
pub(super) fn no_participant() -> Problem {
    let message = "No participant that you may see has this id.";
    Problem::error(ProblemCode::NotFound, "participantId", message)
}
