//! Contributions: amounts due with their rules, and the mutation that records payments.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::bill::ContributionBill;
use super::context::{caller, request, written};
use super::declarations::Declarations;
use super::enrollment::Programme;
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::node_id::{association_id, employer_id, enrollment_id};
use super::payment::{Payment, PaymentInput, moment};
use super::problem::{UserError, user_errors};
use super::scalar::{Date, Rupiah};
use crate::actions::Submission;
use crate::actions::group_terms::{GroupTerms, Members};
use crate::actions::pay_contributions::{self, Paid, pay_contributions};
use crate::actions::record_contributions::{self as action, record_contributions};
use domain::access::Right;
use domain::rule;
use domain::timeline::PaidMonths;

/// The most periods of paid days of one enrollment.
const MAXIMUM_PERIODS: usize = 24;

/// A contribution due for one programme.
#[derive(SimpleObject, rows::Row)]
pub struct Contribution {
    /// The programme.
    programme: Programme,
    /// Amount due from the employer.
    employer: Rupiah,
    /// Amount due from the worker.
    worker: Rupiah,
    /// How often the amount is due.
    frequency: ContributionFrequency,
    /// Rule that determines the amounts.
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

/// Days in a row that paid contributions cover.
#[derive(SimpleObject, rows::Row)]
pub struct PaidPeriod {
    /// First day.
    from: Date,
    /// Last day.
    until: Date,
}

impl PaidPeriod {
    /// Returns the days of paid months that an enrollment covers, the newest periods of many.
    pub(super) fn of(paid: &PaidMonths, starts_on: NaiveDate, ends_on: Option<NaiveDate>) -> Vec<Self> {
        let mut periods = paid.days_within(starts_on, ends_on);
        periods.drain(..periods.len().saturating_sub(MAXIMUM_PERIODS));
        periods.into_iter().map(|(from, until)| Self { from: Date(from), until: Date(until) }).collect()
    }
}

/// How often an amount is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ContributionFrequency {
    /// Each month.
    Monthly,
    /// Once for the whole enrollment, for migrant workers.
    Once,
}

/// A citation of the rule behind an amount or a decision.
#[derive(SimpleObject, rows::Row)]
pub struct RuleCitation {
    /// Stable code of the rule.
    code: String,
    /// Title of the regulation.
    title: String,
    /// First day of validity.
    valid_from: Date,
    /// Last day of validity. Null: valid until further notice.
    valid_until: Option<Date>,
}

impl From<rule::Citation> for RuleCitation {
    fn from(rule: rule::Citation) -> Self {
        let rule::Citation { code, title, period } = rule;
        Self { code, title, valid_from: Date(period.from), valid_until: period.until.map(Date) }
    }
}

/// Input of `recordContributions`: a month, and either an employer, an association or a list of enrollments.
#[derive(InputObject)]
pub struct RecordContributionsInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// First day of the month.
    month: Lenient<Date>,
    /// Records the month for all people in your scope who were enrolled at this employer on any day of the month.
    employer_id: Option<ID>,
    /// Records the month for all people in your scope who were enrolled through this association on any day of the
    /// month.
    association_id: Option<ID>,
    /// Records the month for these enrollments: at most 10,000, each once. With a payment of an association: the members who
    /// pay, each with a month to pay and none that is paid.
    enrollment_ids: Option<Vec<ID>>,
    /// With a payment of an association: number of months, from `month` on, that the members pay. 1 unless given, and at most
    /// 36. A rule says how far ahead the last one may be.
    months: Option<Lenient<i32>>,
    /// With a payment of an association: all members pay who have a month to pay, without these, at most 10,000.
    leaving_out: Option<Vec<ID>>,
    /// The payment, with an employer or an association. Only the outlet or office that took the money can record it.
    payment: Option<PaymentInput>,
}

/// Result of `recordContributions`.
#[derive(SimpleObject)]
pub struct RecordContributionsPayload {
    /// Number of enrollments for which the month was newly recorded. With a payment, over all months that it covers. 0 if
    /// an error rejects the input.
    recorded: i32,
    /// Number of enrollments among `recorded` that became active.
    newly_active: i32,
    /// The payment, with what it pays for. Null without one, and if an error rejects the input.
    payment: Option<Payment>,
    /// The bill of the month after the payment: `left` is what was paid too little, `unallocated` what was paid too much.
    /// Null without a payment, and if an error rejects the input.
    bill: Option<ContributionBill>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ContributionMutation;

#[Object]
impl ContributionMutation {
    /// Records the contributions paid for a month, by employer, association or enrollment. People outside your scope
    /// are left out, and a month that is already recorded stays as it is. A past month changes the counts of past days.
    /// A partner reports for its own employer or association without further check, so its report can clear its own
    /// licence of arrears, unless the installation counts paid months only (see `payment`).
    ///
    /// With a payment, the money goes to the oldest month that the employer or association owes, then to later ones up to
    /// the present month, then to fines. Each month that it covers is recorded for all people whom the month is billed for,
    /// whatever your scope. The same channel and reference again give the same answer.
    ///
    /// With `months`, `enrollmentIds` or `leavingOut` beside it, the payment of an association is for these members and months
    /// alone. It must bring at least what they owe (`ContributionBill.quote`). What it brings beyond that goes the way of every
    /// payment.
    async fn record_contributions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The month and the people.")] input: RecordContributionsInput,
    ) -> Result<RecordContributionsPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let (key, mut reader) = (input.idempotency_key.clone(), InputReader::default());
        let mut input = input;
        let payment = input.payment.take();
        let input = read((input, payment.is_some()), today, &mut reader);
        if let Some(payment) = payment {
            let input = payment.read(input, today, &mut reader);
            return pay(ctx, input, reader.submission(key.as_deref())).await;
        }
        let submission = reader.submission(key.as_deref());
        let done =
            record_contributions(&caller.database, &caller.actor, today, submission, &input, trail).await?;
        let action::Recorded { recorded, newly_active } = done.value.unwrap_or_default();
        let errors = user_errors(done.problems);
        Ok(RecordContributionsPayload { recorded, newly_active, payment: None, bill: None, errors })
    }
}

async fn pay(
    ctx: &Context<'_>,
    input: pay_contributions::Input,
    submission: Submission<'_>,
) -> Result<RecordContributionsPayload, FieldError> {
    let (caller, trail) = (caller(ctx), &request(ctx).trail);
    let moment = moment(caller);
    let done = pay_contributions(&caller.database, &caller.actor, moment, submission, &input, trail).await?;
    let errors = user_errors(done.problems);
    let Some(Paid { payment, recorded }) = done.value else {
        return Ok(RecordContributionsPayload {
            recorded: 0,
            newly_active: 0,
            payment: None,
            bill: None,
            errors,
        });
    };
    let action::Recorded { recorded, newly_active } = recorded;
    let payment = written(Some(payment), |id| Payment::load(ctx, id)).await?;
    let month = input.contributions.month;
    let is_billed = ctx.look_ahead().field("bill").exists();
    let bill = match payment.as_ref().filter(|_| is_billed).map(Payment::payer) {
        Some(payer) => ContributionBill::of(caller, payer, month).await.map_err(FieldError::of_written)?,
        None => None,
    };
    Ok(RecordContributionsPayload { recorded, newly_active, payment, bill, errors })
}

fn read(
    (input, is_paid): (RecordContributionsInput, bool),
    today: NaiveDate,
    reader: &mut InputReader,
) -> action::Input {
    let mut ids = |ids: Vec<ID>, field: &str| {
        let ids = ids.into_iter().enumerate();
        ids.map(|(at, id)| reader.id(id, enrollment_id, &format!("{field}.{at}"))).collect::<Vec<_>>()
    };
    let named = input.enrollment_ids.map(|named| ids(named, "enrollmentIds"));
    let left_out = input.leaving_out.map(|left_out| ids(left_out, "leavingOut"));
    let months = input.months.map(|months| reader.scalar(months, "months").unwrap_or(1));
    // Without a payment, and of an employer, enrollments are those whose month is recorded.
    let is_group = is_paid && input.association_id.is_some() && input.employer_id.is_none();
    let (group, enrollments) = match (months, left_out, named) {
        (months, None, Some(named)) if is_group => (group_terms(months, Members::Only(named)), None),
        (None, None, named) => (None, named),
        (months, None, named) => (group_terms(months, Members::All), named),
        (months, Some(left_out), named) => (group_terms(months, Members::AllBut(left_out)), named),
    };
    action::Input {
        month: reader.scalar(input.month, "month").unwrap_or(today),
        employer: input.employer_id.map(|id| reader.id(id, employer_id, "employerId")),
        association: input.association_id.map(|id| reader.id(id, association_id, "associationId")),
        enrollments,
        group,
    }
}

fn group_terms(months: Option<i32>, members: Members) -> Option<GroupTerms> {
    Some(GroupTerms { months: months.unwrap_or(1), members })
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadPersonalData, &["Contribution"]),
        (Right::ReadPeople, &["PaidPeriod"]),
        (Right::RecordContributions, &["Mutation.recordContributions", "RecordContributionsPayload"]),
    ],
    rules: Rules {
        lists: &[("Contribution", 20), ("PaidPeriod", MAXIMUM_PERIODS)],
        bulk: &["Mutation.recordContributions"],
        ..Rules::NONE
    },
};
