//! Contributions: what is due and by which rule, and what was paid.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use graphql_front::catalogue::Rules;

use super::context::{caller, request};
use super::enrollment::{Programme, read_id};
use super::error::FieldError;
use super::node_id::{association_id, employer_id, enrollment_id};
use super::noun::Noun;
use super::problem::{UserError, user_errors};
use super::scalar::{Date, Rupiah};
use crate::actions::record_contributions::{self as action, record_contributions};
use domain::actor::Operation;
use domain::problem::Problem;
use domain::rule;

/// What is due for one programme.
#[derive(SimpleObject)]
pub struct Contribution {
    /// The programme.
    programme: Programme,
    /// The employer's part.
    employer: Rupiah,
    /// The worker's part.
    worker: Rupiah,
    /// How often that is due.
    frequency: ContributionFrequency,
    /// The rule that the amounts follow from.
    rule: RuleCitation,
}

impl From<rule::Contribution> for Contribution {
    fn from(due: rule::Contribution) -> Self {
        Self {
            programme: due.programme.into(),
            employer: Rupiah(due.employer),
            worker: Rupiah(due.worker),
            frequency: if due.is_once { ContributionFrequency::Once } else { ContributionFrequency::Monthly },
            rule: due.rule.into(),
        }
    }
}

/// How often an amount is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ContributionFrequency {
    /// Each month.
    Monthly,
    /// Once, for the whole enrollment: of migrant workers.
    Once,
}

/// The rule behind an amount or a refusal.
#[derive(SimpleObject)]
pub struct RuleCitation {
    /// Stable name of the rule.
    code: String,
    /// The regulation, as it is cited.
    title: String,
    /// First day on which it holds.
    valid_from: Date,
    /// Last day; null: until further notice.
    valid_until: Option<Date>,
}

impl From<rule::Citation> for RuleCitation {
    fn from(rule: rule::Citation) -> Self {
        let rule::Citation { code, title, period } = rule;
        Self { code, title, valid_from: Date(period.from), valid_until: period.until.map(Date) }
    }
}

/// Contributions paid for a month: by an employer or association for all its people whom you see, or for the enrollments
/// named.
#[derive(InputObject)]
pub struct RecordContributionsInput {
    /// The same key and input answer the first result again: 16 to 255 characters.
    idempotency_key: Option<String>,
    /// First day of the month.
    month: Date,
    /// All people of this employer whom you see and who were enrolled on some day of the month.
    employer_id: Option<ID>,
    /// All people of this association whom you see and who were enrolled on some day of the month.
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
    /// Contributions paid for a month: by an employer or association for all its people whom you see, or for the
    /// enrollments named. Of people outside of your scope nothing is recorded. A month that is recorded already is left as
    /// it is. A month gone by changes the figures of the days that it belongs to. A partner reports for its own employer or
    /// association, and is believed: what it records can clear its own licence of arrears.
    async fn record_contributions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was paid, and for whom.")] input: RecordContributionsInput,
    ) -> Result<RecordContributionsPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key.clone();
        let input = match read(input) {
            Ok(input) => input,
            Err(problems) => {
                caller.demand(Operation::RecordContributions)?;
                let errors = user_errors(problems);
                return Ok(RecordContributionsPayload { recorded: 0, newly_active: 0, errors });
            }
        };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done =
            record_contributions(&caller.database, &caller.actor, today, key.as_deref(), &input, trail)
                .await?;
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

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadPersonalData, &["Contribution"]),
        (Operation::RecordContributions, &["Mutation.recordContributions", "RecordContributionsPayload"]),
    ],
    rules: Rules { lists: &[("Contribution", 20)], bulk: &["Mutation.recordContributions"], ..Rules::NONE },
};
