//! `reversePayment`: takes back a payment, and allocates the others of its payer anew.
//!
//! Months that are no longer covered are no longer recorded for the people whom the payment covered. A payment that is
//! reversed already is answered as the first time.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::account::{Account, Recording, find_payer, find_taker, write_allocations};
use super::pay_contributions::Moment;
use super::recording::{MonthChange, MonthRecorder, int};
use super::request::{Mutation, Request};
use super::unsettling::partition_months;
use super::{ActionError, Done, Submission};
use crate::store::audit::Trail;
use crate::store::bill::{self, MonthMark};
use crate::store::payment::{self, PaymentRow};
use crate::store::{Database, StoreError, group_payment, participant, settlement};
use domain::actor::{Actor, Right, Role};
use domain::money::{
    Allocation, Ledger, Purpose, Receipt, ReversalTime, judge_reversal, parse_reason, parse_reference,
};
use domain::problem::{Problem, ProblemCode, keep};
use domain::rule::Rulebook;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Code of the channel that took the money.
    pub channel_code: String,
    /// What the channel calls the payment.
    pub reference: String,
    /// Why it is reversed.
    pub reason: String,
}

/// A reversed payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversed {
    /// The payment.
    pub payment: i64,
    /// Months of enrollments that are not recorded any more.
    pub unrecorded: i32,
}

/// Reverses a payment. The people whose months are not recorded any more are recorded in `trail`.
pub async fn reverse_payment(
    database: &Database,
    actor: &Actor,
    moment: Moment,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Reversed>, ActionError> {
    let operation = ("reversePayment", Right::ReversePayments);
    let request =
        Request::new(database, actor, operation, submission, input)?.recorded_in(trail).on(&database.bulk);
    let reference = database.reference();
    let mut problems = Vec::new();
    let channel = keep(find_taker(&reference, actor, &input.channel_code), &mut problems);
    let number = keep(parse_reference(&input.reference), &mut problems);
    let reason = keep(parse_reason(&input.reason), &mut problems);
    match (channel, number, reason) {
        (Some(channel), Some(reference_number), Some(reason)) => {
            let work = Reversal {
                database,
                actor,
                rules: &reference.rules,
                moment,
                channel: channel.id,
                reference: reference_number,
                reason,
            };
            request.run(work).await
        }
        _ => request.refuse(problems).await,
    }
}

struct Reversal<'a> {
    database: &'a Database,
    actor: &'a Actor,
    rules: &'a Rulebook,
    moment: Moment,
    channel: i64,
    reference: String,
    reason: String,
}

impl Mutation for Reversal<'_> {
    type Output = Reversed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Reversed>, StoreError> {
        let not_found = || {
            let message = "No payment of this channel that you see has this reference.";
            Done::refused(vec![Problem::error(ProblemCode::NotFound, "reference", message)])
        };
        let Some(found) = payment::find(conn, self.channel, &self.reference).await? else {
            return Ok(not_found());
        };
        let payer = find_payer(&self.database.writer, self.actor, found.payer()).await?;
        let Some(payer) = payer else { return Ok(not_found()) };
        payment::lock_payer(conn, payer.id).await?;
        // Another request may have reversed it while this one waited.
        let Some(found) = payment::find(conn, self.channel, &self.reference).await? else {
            return Ok(not_found());
        };
        if let Some(unrecorded) = found.unrecorded {
            let reversed = Reversed { payment: found.id, unrecorded };
            return Ok(Done { again: true, ..Done::did(reversed, Vec::new()) });
        }
        if let Some(problem) = self.too_late(&found) {
            return Ok(Done::refused(vec![problem]));
        }
        let (today, rules) = (self.moment.today, self.rules);
        let members = self.erase_members(conn, &found).await?;
        let (mut people, mut unrecorded) = (members.people, members.recorded);
        let account = Account::load(conn, payer, (today, oldest_month(&found, |_| true)?), rules).await?;
        // Money for members of the payment paid for nobody else.
        let oldest = oldest_month(&found, |purpose| purpose != Purpose::Members)?;
        let (receipts, kept) = without(&account, &found, oldest);
        let before = Ledger::of(&account.receipts, &account.kept);
        let after = account.allocate(&receipts, &kept);
        write_allocations(conn, &account.kept, &after.allocations()).await?;
        let settled = settlement::months_with(conn, found.id).await?;
        let uncovered = (uncovered(&account, (&before, &after), &settled), &after);
        let erased = account.unsettle(conn, (self.actor, found.id), uncovered).await?;
        unrecorded += erased.len();
        people.extend(erased);
        // Money of later months may cover an older one by now.
        people.extend(account.record(conn, self.actor, &after).await?.people);
        let (now, unrecorded) = (self.moment.now, int(unrecorded));
        payment::reverse(conn, self.actor, (found.id, now), &self.reason, unrecorded).await?;
        people.sort_unstable();
        people.dedup();
        Ok(Done::did(Reversed { payment: found.id, unrecorded }, Vec::new()).concerning(people))
    }
}

impl Reversal<'_> {
    /// Takes back the months of the members whom a group's payment covers.
    async fn erase_members(
        &self,
        conn: &mut PgConnection,
        found: &PaymentRow,
    ) -> Result<Recording, StoreError> {
        let mut erased = Recording::default();
        if found.terms.is_some() {
            let (today, change) = (self.moment.today, MonthChange::Erase);
            let recorder = MonthRecorder { actor: self.actor, rules: self.rules, today, change };
            let (covered, settled_at) = group_payment::covered_by(conn, found.id).await?;
            let people: Vec<i64> = covered.keys().map(|key| key.0).collect();
            participant::lock_rows(conn, &people).await?;
            let recordings = settlement::recordings(conn, &covered).await?;
            let was_recorded_before = |key, month| {
                let recorded_at = recordings.get(&(key, month)).and_then(|recording| recording.recorded_at);
                let is_by_payment = settled_at.is_none() || recorded_at == settled_at;
                !is_by_payment && self.rules.unpaid_month_rule(month).is_some()
            };
            let (unpaid, gone) = partition_months(&covered, was_recorded_before);
            bill::mark(conn, &unpaid, MonthMark::Unpaid).await?;
            erased.add(&recorder.settle(conn, &gone).await?);
        }
        Ok(erased)
    }

    /// Refuses an outlet after the cut-off. Officers of the agency reverse later too.
    fn too_late(&self, found: &PaymentRow) -> Option<Problem> {
        let time = ReversalTime { recorded_at: found.recorded_at, now: self.moment.now };
        let rule = self.rules.payment_rule(found.paid_on);
        judge_reversal(time, rule).filter(|_| self.actor.role == Role::Partner)
    }
}

/// Returns the oldest month of which a payment pays for such purposes.
fn oldest_month(
    found: &PaymentRow,
    is_meant: impl Fn(Purpose) -> bool,
) -> Result<Option<NaiveDate>, StoreError> {
    let allocations = found.allocations()?.into_iter().filter(|allocation| is_meant(allocation.purpose));
    Ok(allocations.map(|allocation| allocation.month).min())
}

/// Returns the other receipts of an account, and their allocations that stay: those for members that a payment names, those to
/// months before the oldest that the reversed payment pays for, and those of earlier payments, which knew nothing of this one. Others
/// are allocated anew.
fn without(
    account: &Account<'_>,
    found: &PaymentRow,
    oldest: Option<NaiveDate>,
) -> (Vec<Receipt>, Vec<Allocation>) {
    let receipts = account.receipts.iter().filter(|receipt| receipt.id != found.id);
    let is_older =
        |kept: &Allocation| kept.receipt < found.id || oldest.is_none_or(|oldest| kept.month < oldest);
    let stays =
        |kept: &&Allocation| kept.receipt != found.id && (kept.purpose == Purpose::Members || is_older(kept));
    (receipts.copied().collect(), account.capped.iter().filter(stays).copied().collect())
}

/// Returns the months that have lost money of the whole bill, or were settled when the payment was the latest one, and are not covered
/// any more. A month without money is covered by none, also if nobody is billed for it any more.
fn uncovered(
    account: &Account<'_>,
    (before, after): (&Ledger, &Ledger),
    settled: &[NaiveDate],
) -> Vec<NaiveDate> {
    let paid = |ledger: &Ledger, month| ledger.paid(month, Purpose::Contribution);
    let lost = before.months().filter(|&month| paid(after, month) < paid(before, month));
    let months: BTreeSet<NaiveDate> = lost.chain(settled.iter().copied()).collect();
    let is_uncovered = |&month: &NaiveDate| after.contributions(month) < account.due(month).max(1);
    months.into_iter().filter(is_uncovered).collect()
}
