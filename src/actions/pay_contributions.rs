//! `recordContributions` with a payment: money for the months of a payer.
//!
//! A payment happens once for each channel and reference, with or without an idempotency key. Its money is allocated to the
//! oldest month first, and each month that it covers is recorded for the people whom the month is billed for. The money of a
//! group's members pays for them first ([`super::group_payment`]). Payments of one payer wait for each other.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::account::{Account, Payer, Recording, find_payer, find_taker, judge_channel, write_allocations};
use super::group_payment::{judge_terms, plan_locked};
use super::group_terms::GroupTerms;
use super::record_contributions::{self, Recorded};
use super::recording::{MonthChange, MonthRecorder, int};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission};
use crate::store::audit::Trail;
use crate::store::bill::PayerId;
use crate::store::payment::{self, NewPayment, PaymentRow};
use crate::store::{Database, StoreError, group_payment};
use domain::actor::{Actor, Right};
use domain::money::{Allocation, MonthDue, PayerKind, PaymentForm, Purpose, judge_month};
use domain::problem::{Problem, ProblemCode, collect, keep};
use domain::rule::Rulebook;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The month, and the payer.
    pub contributions: record_contributions::Input,
    /// Code of the channel that took the money.
    pub channel_code: String,
    /// What the channel calls the payment.
    pub reference: String,
    /// The day on which it was paid.
    pub paid_on: NaiveDate,
    /// Rupiah.
    pub amount: i64,
}

/// A recorded payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The payment.
    pub payment: i64,
    /// What it recorded.
    pub recorded: Recorded,
}

/// When a payment is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Today.
    pub today: NaiveDate,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// Records a payment. The people whose months it covers are recorded in `trail`.
pub async fn pay_contributions(
    database: &Database,
    actor: &Actor,
    moment: Moment,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Paid>, ActionError> {
    let right = Right::RecordContributions;
    let request = Request::new(database, actor, ("recordContributions", right), submission, input)?
        .recorded_in(trail)
        // An employer may have a hundred thousand people.
        .on(&database.bulk);
    let reference = database.reference();
    let (month, rules) = (input.contributions.month, &reference.rules);
    let mut problems = Vec::new();
    if input.contributions.group.is_none() {
        problems.extend(judge_month(month, "month", moment.today));
    }
    let mut of_payment = Vec::new();
    let form = PaymentForm::parse(&input.reference, input.paid_on, input.amount, moment.today);
    let form = collect(form.map(|form| (form, Vec::new())), &mut of_payment);
    let channel = keep(find_taker(&reference, actor, &input.channel_code), &mut of_payment);
    if let Some(channel) = &channel {
        of_payment.extend(judge_channel(channel, input.paid_on));
    }
    problems.extend(of_payment.into_iter().map(|problem| problem.within(&["payment"])));
    let mut group = None;
    let payer = match named_payer(&input.contributions) {
        Ok(id) => {
            if let Some(terms) = &input.contributions.group {
                let span = judge_terms(terms, (id.kind, month), moment.today, rules);
                let span = collect(span.map(|span| (span, Vec::new())), &mut problems);
                group = span.map(|span| Group { terms, span });
            }
            let found = find_payer(&database.writer, actor, id).await?;
            keep(found.ok_or_else(|| no_payer(id)), &mut problems)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match (form, channel, payer) {
        (Some(form), Some(channel), Some(payer)) if problems.is_empty() => {
            let work = Payment { actor, rules, moment, month, group, payer, channel: channel.id, form };
            request.run(work).await
        }
        _ => request.refuse(problems).await,
    }
}

/// Returns the payer that an input names.
fn named_payer(input: &record_contributions::Input) -> Result<PayerId, Problem> {
    match (input.employer, input.association, &input.enrollments) {
        (Some(id), None, None) => Ok(PayerId { kind: PayerKind::Employer, id }),
        (None, Some(id), None) => Ok(PayerId { kind: PayerKind::Association, id }),
        (None, None, None) => {
            let message = "Give the employer or the association that paid.";
            Err(Problem::error(ProblemCode::Required, "employerId", message))
        }
        (Some(_), Some(_), None) => {
            let message = "Give only one of an employer and an association.";
            Err(Problem::error(ProblemCode::Conflict, "associationId", message))
        }
        (None, Some(_), Some(_)) => {
            let message = "Name the members who pay or those who are left out, not both.";
            Err(Problem::error(ProblemCode::Conflict, "leavingOut", message))
        }
        _ => {
            let message =
                "A payment is for the bill of an employer or an association, not for single enrollments.";
            Err(Problem::error(ProblemCode::Conflict, "enrollmentIds", message))
        }
    }
}

fn no_payer(id: PayerId) -> Problem {
    let (field, message) = match id.kind {
        PayerKind::Employer => ("employerId", "No employer that you see has this id."),
        PayerKind::Association => ("associationId", "No association that you see has this id."),
    };
    Problem::error(ProblemCode::NotFound, field, message)
}

struct Payment<'a> {
    actor: &'a Actor,
    rules: &'a Rulebook,
    moment: Moment,
    month: NaiveDate,
    group: Option<Group<'a>>,
    payer: Payer,
    channel: i64,
    form: PaymentForm,
}

/// What a group's payment says beside the money.
struct Group<'a> {
    terms: &'a GroupTerms,
    span: Vec<NaiveDate>,
}

impl Mutation for Payment<'_> {
    type Output = Paid;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Paid>, StoreError> {
        let Self { actor, rules, moment, month, ref payer, channel, ref group, ref form } = *self;
        payment::lock_payer(conn, payer.id).await?;
        let terms = group.as_ref().map(|group| group.terms.members.digest());
        let new = NewPayment {
            channel,
            payer: payer.id,
            province: payer.province,
            month,
            months: self.months(),
            terms: terms.as_deref(),
            form,
            recorded_at: moment.now,
        };
        let Some(id) = payment::insert(conn, actor, &new).await? else {
            let known = payment::find(conn, channel, &form.reference).await?;
            let known =
                known.ok_or_else(|| StoreError::Fault("a reference is taken by no payment".into()))?;
            return Ok(self.again(&known, terms.as_deref()));
        };
        let mut recording = Recording::default();
        if let Some(group) = group
            && let Err(problems) = self.pay_members(conn, (id, group), &mut recording).await?
        {
            // The problems tell something of the members who are named.
            let named = group.terms.members.named().0.iter().map(|key| key.0).collect();
            return Ok(Done::refused(problems).concerning(named));
        }
        let members = group.as_ref().map(|_| int(recording.people.len()));
        let account = Account::load(conn, payer.clone(), (moment.today, Some(month)), rules).await?;
        if group.is_none() && account.bills.get(&month).is_none_or(|bill| bill.people == 0) {
            let message = "Nobody was enrolled there in this month, so nothing is due.";
            return Ok(Done::refused(vec![Problem::error(ProblemCode::OutOfRange, "month", message)]));
        }
        let ledger = account.allocate(&account.receipts, &account.capped);
        write_allocations(conn, &account.kept, &ledger.allocations()).await?;
        recording.merge(account.record(conn, actor, &ledger).await?);
        let recorded =
            Recorded { recorded: int(recording.recorded), newly_active: int(recording.newly_active) };
        payment::set_outcome(conn, id, (recorded.recorded, recorded.newly_active), members).await?;
        Ok(Done::did(Paid { payment: id, recorded }, Vec::new()).concerning(recording.people))
    }
}

impl Payment<'_> {
    fn months(&self) -> i16 {
        let months = self.group.as_ref().map_or(1, |group| group.terms.months);
        // The bounds of the number are judged before.
        i16::try_from(months).unwrap_or(i16::MAX)
    }

    /// Allocates the money of members to their months, and records these. Fails if they owe more.
    async fn pay_members(
        &self,
        conn: &mut PgConnection,
        (id, group): (i64, &Group<'_>),
        recording: &mut Recording,
    ) -> Result<Result<(), Vec<Problem>>, StoreError> {
        let (today, rules) = (self.moment.today, self.rules);
        let what = (&group.terms.members, &group.span[..]);
        let plan = match plan_locked(conn, self.payer.id.id, what, today, rules).await? {
            Ok(plan) => plan,
            Err(problems) => return Ok(Err(problems)),
        };
        let total = plan.total();
        if self.form.amount < total {
            let message = format!("The members who pay owe {total} rupiah for these months.");
            let problem = Problem::error(ProblemCode::OutOfRange, "amount", message);
            let problem = problem.hint("Ask for the quote of the bill before you take the money.");
            return Ok(Err(vec![problem.within(&["payment"])]));
        }
        let of = |due: &MonthDue| Allocation {
            receipt: id,
            month: due.month,
            purpose: Purpose::Members,
            amount: due.amount,
        };
        let allocations: Vec<Allocation> =
            plan.months.iter().map(|(due, _)| of(due)).filter(|allocation| allocation.amount > 0).collect();
        write_allocations(conn, &[], &allocations).await?;
        let change = MonthChange::RecordBilled;
        let recorder = MonthRecorder { actor: self.actor, rules, today, change };
        recording.add(&recorder.settle(conn, &plan.covered).await?);
        group_payment::insert_covered(conn, id, &plan.covered).await?;
        Ok(Ok(()))
    }

    /// Answers a payment whose reference the channel has used before: as the first time, or with what differs.
    fn again(&self, known: &PaymentRow, terms: Option<&[u8]>) -> Done<Paid> {
        let differs = |is_different: bool, path: &[&str], message: &str| {
            let (field, outer) = path.split_last()?;
            is_different.then(|| Problem::error(ProblemCode::Conflict, field, message).within(outer))
        };
        let of_other_payer = known.payer() != self.payer.id;
        let problems = [
            differs(
                of_other_payer,
                &["payment", "reference"],
                "This channel has recorded this reference for another payer.",
            ),
            differs(
                !of_other_payer && known.reversed_at.is_some(),
                &["payment", "reference"],
                "The payment with this reference was reversed. A new payment has a new reference.",
            ),
            differs(
                !of_other_payer && known.amount != self.form.amount,
                &["payment", "amount"],
                "This channel has recorded this reference with another amount.",
            ),
            differs(
                !of_other_payer && known.paid_on != self.form.paid_on,
                &["payment", "paidOn"],
                "This channel has recorded this reference with another day.",
            ),
            differs(
                !of_other_payer && known.month != self.month,
                &["month"],
                "This channel has recorded this reference for another month.",
            ),
            differs(
                !of_other_payer && known.months != self.months(),
                &["months"],
                "This channel has recorded this reference for another number of months.",
            ),
            differs(
                !of_other_payer && known.terms.as_deref() != terms,
                &[self.group.as_ref().map_or("enrollmentIds", |group| group.terms.members.field())],
                "This channel has recorded this reference for other members.",
            ),
        ];
        let problems: Vec<Problem> = problems.into_iter().flatten().collect();
        if !problems.is_empty() {
            return Done::refused(problems);
        }
        let recorded = Recorded { recorded: known.recorded, newly_active: known.newly_active };
        Done { again: true, ..Done::did(Paid { payment: known.id, recorded }, Vec::new()) }
    }
}
