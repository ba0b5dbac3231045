//! The account of a payer: what it owes for its months, the receipts, and what these pay for.

use std::collections::BTreeMap;

use chrono::{Months, NaiveDate};
use sqlx::PgConnection;

use super::member_money::cap_member_allocations;
use super::recording::{MonthChange, MonthRecorder, Progress};
use crate::store::bill::{self, CoveredMonths, PayerId};
use crate::store::enrollment::EnrollmentKey;
use crate::store::reference::Reference;
use crate::store::session::Session;
use crate::store::{StoreError, association, employer, payment, settlement};
use domain::actor::{Actor, Right};
use domain::channel::Channel;
use domain::day::first_of_month;
use domain::employer::{Classification, Dated};
use domain::money::{
    Allocation, AllocationOrder, Bill, FineTerms, Instalment, Ledger, MonthDue, PayerKind, Receipt, allocate,
    fine_of,
};
use domain::problem::{Problem, ProblemCode};
use domain::rule::Rulebook;

/// A payer, as far as bills and payments depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Its id.
    pub id: PayerId,
    /// Its province.
    pub province: i16,
    /// Its risk class and size on each day; those of an association are never asked for.
    pub classification: Dated<Classification>,
}

/// Returns a payer whose bill the actor may see: a partner with a payer of its own sees that one only, and others those of
/// the provinces in their scope. An outlet takes money from everybody, so it sees the bill of any payer.
pub(super) async fn find_payer(
    session: &Session,
    actor: &Actor,
    id: PayerId,
) -> Result<Option<Payer>, StoreError> {
    let own = (actor.scope.employer, actor.scope.association);
    if own != (None, None) && own != (id.employer(), id.association()) {
        return Ok(None);
    }
    let found = match id.kind {
        PayerKind::Employer => {
            let row = employer::by_ids(session, &[id.id]).await?.remove(&id.id);
            row.map(|row| (row.province_id, row.classifications()))
        }
        PayerKind::Association => {
            let row = association::by_ids(session, &[id.id]).await?.remove(&id.id);
            row.map(|row| (row.province_id, Dated::always(Classification::NO_EMPLOYER)))
        }
    };
    let provinces = &actor.scope.provinces;
    let payer = found.map(|(province, classification)| Payer { id, province, classification });
    Ok(payer.filter(|payer| provinces.is_empty() || provinces.contains(&payer.province)))
}

/// Refuses a client whose scope is a payer: a payer cannot confirm its own payments.
pub(super) fn judge_taker(actor: &Actor) -> Option<Problem> {
    (!actor.can_use(Right::ReversePayments)).then(|| {
        let message = "A payment is recorded by the outlet or office that took the money, not by the payer.";
        Problem::error(ProblemCode::OutOfScope, "channelCode", message)
            .hint("Pay at an outlet. Its client records the payment, and contributionBill shows it.")
    })
}

/// Refuses a channel that was not open on the day of the payment.
pub(super) fn judge_channel(channel: &Channel, paid_on: NaiveDate) -> Option<Problem> {
    (!channel.is_open_on(paid_on)).then(|| {
        Problem::error(ProblemCode::ChannelClosed, "channelCode", "This channel was not open on that day.")
    })
}

/// What a payer owes for its months, and what it has paid.
#[derive(Debug)]
pub(super) struct Account<'a> {
    /// Whose it is.
    pub payer: Payer,
    /// The rules.
    pub rules: &'a Rulebook,
    today: NaiveDate,
    /// Months with something to compare, by their first day.
    pub bills: BTreeMap<NaiveDate, Bill>,
    dues: Vec<MonthDue>,
    /// Receipts that are not reversed.
    pub receipts: Vec<Receipt>,
    /// What they pay for by the record.
    pub kept: Vec<Allocation>,
    /// The same, without money of members beyond what these owe.
    pub capped: Vec<Allocation>,
}

impl<'a> Account<'a> {
    /// Reads an account up to the present month: the months of review, those from `oldest` on, and of older months the
    /// people whose month is not recorded. The amount of an older month is what was paid for it and what these people owe.
    pub(super) async fn load(
        conn: &mut PgConnection,
        payer: Payer,
        (today, oldest): (NaiveDate, Option<NaiveDate>),
        rules: &'a Rulebook,
    ) -> Result<Self, StoreError> {
        let (receipts, kept) = payment::ledger_of(&mut *conn, payer.id).await?;
        let present = first_of_month(today);
        let reviewed = rules.payment_rule(today).map_or(0, |rule| rule.reviewed_months);
        let from = present.checked_sub_months(Months::new(reviewed)).unwrap_or(present);
        let from = oldest.map_or(from, |oldest| oldest.min(from));
        let capped =
            cap_member_allocations(&mut *conn, payer.id, (&kept, from..=NaiveDate::MAX), rules).await?;
        let months = (from, present);
        let classified = (payer.id, &payer.classification);
        let mut bills = bill::of_months(&mut *conn, classified, months, true, rules).await?;
        let paid = Ledger::of(&receipts, &capped);
        // Part of the money may be for people who are still open, so such a month is billed as a whole.
        let is_partly_paid = |month: &NaiveDate| *month < from && paid.contributions(*month) > 0;
        let partly_paid: Vec<NaiveDate> = bills.keys().copied().filter(is_partly_paid).collect();
        for month in partly_paid {
            bills.extend(bill::of_months(&mut *conn, classified, (month, month), false, rules).await?);
        }
        let due = |(&month, bill): (&NaiveDate, &Bill)| {
            let is_whole = month >= from || is_partly_paid(&month);
            MonthDue { month, amount: if is_whole { bill.payable() } else { bill.open } }
        };
        let mut dues: Vec<MonthDue> = bills.iter().map(due).collect();
        // Of the others a fine may be left.
        let paid_before = paid.months().filter(|month| *month < from && !bills.contains_key(month));
        dues.extend(paid_before.map(|month| MonthDue { month, amount: paid.contributions(month) }));
        Ok(Self { payer, rules, today, bills, dues, receipts, kept, capped })
    }

    /// Allocates receipts to the months. `kept` are allocations that stay.
    pub(super) fn allocate(&self, receipts: &[Receipt], kept: &[Allocation]) -> Ledger {
        let rule = self.rules.payment_rule(self.today);
        let order = rule.map_or(AllocationOrder::FinesLast, |rule| rule.order);
        let fine = |due: &MonthDue, instalments: &[Instalment]| {
            fine_so_far(self.payer.id.kind, due, instalments, (self.today, self.rules))
        };
        allocate(&self.dues, receipts, kept, order, fine)
    }

    /// Returns what payments have to cover of each month.
    pub(super) fn dues(&self) -> impl Iterator<Item = &MonthDue> {
        self.dues.iter()
    }

    /// Returns what payments have to cover of a month.
    pub(super) fn due(&self, month: NaiveDate) -> i64 {
        self.dues.iter().find(|due| due.month == month).map_or(0, |due| due.amount)
    }

    /// Returns the months that a ledger covers and that are not recorded for everybody yet.
    fn months_to_record(&self, ledger: &Ledger) -> Vec<(NaiveDate, i64)> {
        let is_covered = |due: &&MonthDue| due.amount > 0 && ledger.contributions(due.month) >= due.amount;
        let open =
            |due: &MonthDue| (due.month, self.bills.get(&due.month).map_or(0, |bill| bill.open_people));
        self.dues.iter().filter(is_covered).map(open).filter(|open| open.1 > 0).collect()
    }

    /// Records the months that a ledger covers. Returns the people, the number of recorded months of enrollments, and the
    /// number of those that have become active.
    pub(super) async fn record(
        &self,
        conn: &mut PgConnection,
        actor: &Actor,
        ledger: &Ledger,
    ) -> Result<Recording, StoreError> {
        let months = self.months_to_record(ledger);
        let mut covered = CoveredMonths::new();
        for &(month, _) in &months {
            // Also those whose month somebody has recorded without a payment: money covers it now.
            add_month(&mut covered, bill::open_in(conn, self.payer.id, month, self.rules).await?, month);
        }
        let progress = self.settle(conn, actor, MonthChange::RecordBilled, covered).await?;
        for &(month, people) in &months {
            let recorded = progress.due.values().filter(|months| months.contains(month)).count();
            // Somebody came or left since the bill was computed: it is computed anew.
            if i64::try_from(recorded).ok() != Some(people) {
                return Err(StoreError::Contended("people of a payer changed".into()));
            }
        }
        let settled: Vec<_> = months.iter().map(|&(month, _)| (month, self.due(month))).collect();
        if let Some(latest) = ledger.latest() {
            settlement::insert(conn, (self.payer.id, latest), &settled).await?;
        }
        let mut recording = Recording::default();
        recording.add(&progress);
        Ok(recording)
    }

    /// Changes all months of an enrollment at once, so that its history has no status between two of them.
    pub(super) async fn settle(
        &self,
        conn: &mut PgConnection,
        actor: &Actor,
        change: MonthChange,
        covered: CoveredMonths,
    ) -> Result<Progress, StoreError> {
        let recorder = MonthRecorder { actor, rules: self.rules, today: self.today, change };
        recorder.settle(conn, &covered).await
    }
}

pub(super) fn add_month(covered: &mut CoveredMonths, keys: Vec<EnrollmentKey>, month: NaiveDate) {
    for key in keys {
        covered.entry(key).or_default().add(month);
    }
}

/// What a payment recorded.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// The people.
    pub people: Vec<i64>,
    /// Months of enrollments.
    pub recorded: usize,
    /// Enrollments that have become active.
    pub newly_active: usize,
}

impl Recording {
    /// Adds what was recorded in one step.
    pub(super) fn add(&mut self, progress: &Progress) {
        self.recorded += progress.changed;
        self.newly_active += progress.newly_active;
        self.people.extend(progress.due.keys().map(|key| key.0));
    }

    /// Adds what was recorded in several steps.
    pub(super) fn merge(&mut self, other: Self) {
        self.recorded += other.recorded;
        self.newly_active += other.newly_active;
        self.people.extend(other.people);
    }
}

/// Writes the difference of two ledgers.
pub(super) async fn write_allocations(
    conn: &mut PgConnection,
    before: &[Allocation],
    after: &[Allocation],
) -> Result<(), StoreError> {
    let removed: Vec<Allocation> = before.iter().filter(|one| !after.contains(one)).copied().collect();
    let added: Vec<Allocation> = after.iter().filter(|one| !before.contains(one)).copied().collect();
    payment::replace_allocations(conn, &removed, &added).await
}

/// Returns the fine of a month, as of today unless it is paid in full.
pub(super) fn fine_so_far(
    kind: PayerKind,
    due: &MonthDue,
    instalments: &[Instalment],
    (today, rules): (NaiveDate, &Rulebook),
) -> i64 {
    let Some(rule) = rules.due_rule(kind.segment(), due.month) else { return 0 };
    let due_on = rule.due_on(due.month, &rules.money.holidays);
    fine_of(FineTerms { rule, due_on, amount: due.amount }, instalments, today, rules)
}

/// Returns the channel with a code, if the actor may take money there.
pub(super) fn find_taker(
    reference: &Reference,
    actor: &Actor,
    code: &str,
) -> Result<std::sync::Arc<Channel>, Problem> {
    match judge_taker(actor) {
        Some(problem) => Err(problem),
        None => super::terms::find_channel(reference, actor, code),
    }
}
