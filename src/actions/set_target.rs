//! `setTarget`: sets the number of active participants to be reached in a year.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission};
use crate::store::{Database, StoreError, target};
use domain::actor::{Actor, Right};
use domain::problem::{Problem, ProblemCode};
use domain::target::judge;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The year.
    pub year: i32,
    /// How many active participants.
    pub active: i32,
    /// The province; `None` for the country.
    pub province_code: Option<String>,
}

/// The target that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Its internal id.
    pub target: i64,
}

/// Sets a target. A year has one for the country and one for each province. It cannot be changed, because results are reported
/// against it.
pub async fn set_target(
    database: &Database,
    actor: &Actor,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Set>, ActionError> {
    let request = Request::new(database, actor, ("setTarget", Right::ManageAgreements), submission, input)?;
    let reference = database.reference();
    let province = input.province_code.as_ref().map(|code| reference.province_by_code(code));
    let work = match judge(input.year, input.active, province.map(|found| found.map(AsRef::as_ref))) {
        Ok(year) => TargetSetting {
            actor,
            year,
            active: input.active,
            province: province.flatten().map(|province| province.id),
        },
        Err(problems) => return request.refuse(problems).await,
    };
    let done = request.run(work).await?;
    // Other processes are notified. This one answers with it.
    if done.value.is_some() {
        database.refresh_reference().await.map_err(ActionError::Store)?;
    }
    Ok(done)
}

struct TargetSetting<'a> {
    actor: &'a Actor,
    year: i16,
    active: i32,
    province: Option<i16>,
}

impl Mutation for TargetSetting<'_> {
    type Output = Set;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Set>, StoreError> {
        if let Some(target) = target::insert(conn, self.actor, self.year, self.active, self.province).await? {
            return Ok(Done::did(Set { target }, Vec::new()));
        }
        let before = target::find(conn, self.year, self.province).await?.unwrap_or_default();
        let message = format!("{} has a target already: {before} active participants.", self.year);
        let hint = "A target cannot be changed, because results are reported against it. A retry with the same \
                    idempotencyKey gets the first answer again.";
        Ok(Done::refused(vec![Problem::error(ProblemCode::Conflict, "year", message).hint(hint)]))
    }
}
