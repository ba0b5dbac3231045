//! `registerAssociation`: registers an association of informal workers.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep, terms};
use crate::store::{Database, StoreError, association};
use domain::actor::{Actor, Right};
use domain::association::NewAssociation;
use domain::employer::OrganisationName;
use domain::problem::{Problem, ProblemCode};
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Name.
    pub name: String,
    /// What its members do.
    pub trade: String,
    /// Province.
    pub province_code: String,
}

/// The association that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its internal id.
    pub association: i64,
}

/// Registers an association. Its name is unique in the province.
pub async fn register_association(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Registered>, ActionError> {
    let request =
        Request::new(database, actor, ("registerAssociation", Right::RegisterPayers), submission, input)?;
    let mut problems = Vec::new();
    let name = keep(OrganisationName::parse(&input.name, "name"), &mut problems);
    let trade = keep(text::required(&input.trade, 100, "trade"), &mut problems);
    let province = terms::find_province(&database.reference(), actor, today, &input.province_code);
    let (Some(name), Some(trade), Some(province)) = (name, trade, keep(province, &mut problems)) else {
        return request.refuse(problems).await;
    };
    let new = NewAssociation { name: name.as_str().to_owned(), name_key: name.key(), trade, province };
    request.run(AssociationRegistration { actor, new }).await
}

struct AssociationRegistration<'a> {
    actor: &'a Actor,
    new: NewAssociation,
}

impl Mutation for AssociationRegistration<'_> {
    type Output = Registered;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Registered>, StoreError> {
        Ok(match association::insert(conn, self.actor, &self.new).await? {
            Some(association) => Done::did(Registered { association }, Vec::new()),
            None => Done::refused(vec![
                Problem::error(
                    ProblemCode::Conflict,
                    "name",
                    "An association of this name is registered in that province already.",
                )
                .hint("Look it up: associations(filterBy: {name: …, provinceCode: …})."),
            ]),
        })
    }
}
