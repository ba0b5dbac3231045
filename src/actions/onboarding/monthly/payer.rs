//! Who may send or approve a monthly list. It decides about all people of a payer, so it comes from the payer itself or from a
//! client that may change this payer.

use chrono::NaiveDate;

use crate::actions::account::find_payer;
use crate::actions::terms::{out_of_scope, province_scope};
use crate::store::bill::PayerId;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::problem::Problem;

/// Returns why a list of a payer cannot come from an actor, or cannot be approved by it. `path` is where the input names the
/// payer or the batch. A list without a payer is refused elsewhere.
pub(in crate::actions) async fn judge_payer(
    database: &Database,
    (actor, today): (&Actor, NaiveDate),
    payer: Option<PayerId>,
    path: &str,
) -> Result<Option<Problem>, StoreError> {
    let Some(payer) = payer else { return Ok(None) };
    let scope = &actor.scope;
    if !scope.channels.is_empty() {
        let problem = out_of_scope(path, "a channel, which sees only a part of the people of a payer");
        return Ok(Some(
            problem.hint("A monthly list comes from the payer itself or from an office of its province."),
        ));
    }
    let stands_for = (scope.employer, scope.association);
    if stands_for == (payer.employer(), payer.association()) {
        return Ok(None);
    }
    if find_payer(&database.control, actor, payer).await?.is_some() {
        return Ok(None);
    }
    let provinces = province_scope(&database.reference(), actor, today);
    Ok(Some(out_of_scope(path, &format!("payers in {provinces}"))))
}
