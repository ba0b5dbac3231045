//! Contributions that were paid.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::context::{asker, request};
use super::enrollment::read_id;
use super::error::FieldError;
use super::node_id::{association_id, employer_id, enrollment_id};
use super::problem::{UserError, user_errors};
use super::scalar::Date;
use crate::actions::record_contributions::{self as action, record_contributions};
use crate::domain::actor::Operation;
use crate::domain::problem::Problem;

/// Contributions paid for a month: by an employer or association for all its people, or for the enrollments named.
#[derive(InputObject)]
pub struct RecordContributionsInput {
    /// The same key and input answer the first result again: 16 to 255 characters.
    idempotency_key: Option<String>,
    /// First day of the month.
    month: Date,
    /// All people of this employer who were enrolled on some day of the month.
    employer_id: Option<ID>,
    /// All people of this association who were enrolled on some day of the month.
    association_id: Option<ID>,
    /// These enrollments: 10,000 at most, each once.
    enrollment_ids: Option<Vec<ID>>,
}

/// What was recorded, or why nothing was.
#[derive(SimpleObject)]
pub struct RecordContributionsPayload {
    /// Enrollments for which the month was not recorded before; 0 where an error refuses the request.
    recorded: i32,
    /// Of these, enrollments that were not active and are now.
    newly_active: i32,
    /// All that is wrong with the request.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct ContributionMutation;

#[Object]
impl ContributionMutation {
    /// Contributions paid for a month: by an employer for all its people, or for the enrollments named. A month that is
    /// recorded already is left as it is. A month gone by changes the figures of the days that it belongs to.
    async fn record_contributions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was paid, and for whom.")] input: RecordContributionsInput,
    ) -> Result<RecordContributionsPayload, FieldError> {
        let asker = asker(ctx);
        let key = input.idempotency_key.clone();
        let input = match read(input) {
            Ok(input) => input,
            Err(problems) => {
                asker.demand(Operation::RecordContributions)?;
                let errors = user_errors(problems);
                return Ok(RecordContributionsPayload { recorded: 0, newly_active: 0, errors });
            }
        };
        let (today, trail) = (asker.today(), &request(ctx).trail);
        let done =
            record_contributions(&asker.database, &asker.actor, today, key.as_deref(), &input, trail).await?;
        let action::Recorded { recorded, newly_active } = done.value.unwrap_or_default();
        Ok(RecordContributionsPayload { recorded, newly_active, errors: user_errors(done.problems) })
    }
}

fn read(input: RecordContributionsInput) -> Result<action::Input, Vec<Problem>> {
    let mut problems = Vec::new();
    let employer = read_id(input.employer_id, employer_id, "employerId", &mut problems);
    let association = read_id(input.association_id, association_id, "associationId", &mut problems);
    let enrollments = input.enrollment_ids.map(|ids| {
        let read = |(at, id): (usize, ID)| {
            let mut wrong = Vec::new();
            let key = read_id(Some(id), enrollment_id, &at.to_string(), &mut wrong);
            problems.extend(wrong.into_iter().map(|problem| problem.within(&["enrollmentIds"])));
            key
        };
        ids.into_iter().enumerate().filter_map(read).collect()
    });
    if problems.is_empty() {
        Ok(action::Input { month: input.month.0, employer, association, enrollments })
    } else {
        Err(problems)
    }
}
