//! `contributionBill`: what a payer owes for a month, and what of it is paid.

use chrono::NaiveDate;

use super::account::{Account, Payer, find_payer, fine_so_far};
use super::member_money::cap_member_allocations;
use super::{ActionError, require};
use crate::store::bill::{self, PayerId};
use crate::store::session::Session;
use crate::store::{StoreError, payment};
use domain::actor::{Actor, Right};
use domain::money::{Bill, DueRule, Ledger, MonthDue, Purpose};
use domain::rule::Rulebook;

/// A bill with what is paid of it.
#[derive(Clone, Debug)]
pub struct BillState {
    /// The payer.
    pub payer: Payer,
    /// What is owed.
    pub bill: Bill,
    /// The rule and the due day, if a rule is in force.
    pub due: Option<(DueRule, NaiveDate)>,
    /// Contributions that are paid.
    pub paid: i64,
    /// The day of the last instalment, if all is paid.
    pub paid_on: Option<NaiveDate>,
    /// Fine of the month, as of today unless all is paid.
    pub fine: i64,
    /// Paid part of the fine.
    pub fine_paid: i64,
}

/// Returns the bill of a payer for a month, or `None` if the actor sees no such payer. The session is the registry's own.
pub async fn bill_of(
    session: &Session,
    actor: &Actor,
    (today, rules): (NaiveDate, &Rulebook),
    payer: PayerId,
    month: NaiveDate,
) -> Result<Option<BillState>, ActionError> {
    require(actor, Right::ReadPayments)?;
    let Some(payer) = find_payer(session, actor, payer).await? else { return Ok(None) };
    let bills =
        bill::of_months(session, (payer.id, &payer.classification), (month, month), false, rules).await?;
    let bill = bills.into_values().next().ok_or_else(|| StoreError::Fault("a month has no bill".into()))?;
    let (receipts, allocations) = payment::ledger_of(session, payer.id).await?;
    let within = (&allocations[..], month..=month);
    let allocations = cap_member_allocations(session, payer.id, within, rules).await?;
    let ledger = Ledger::of(&receipts, &allocations);
    Ok(Some(state(payer, bill, &ledger, (today, rules))))
}

fn state(payer: Payer, bill: Bill, ledger: &Ledger, (today, rules): (NaiveDate, &Rulebook)) -> BillState {
    let (kind, month) = (payer.id.kind, bill.month);
    let due = MonthDue { month, amount: bill.payable() };
    let instalments = ledger.instalments(month);
    let paid = ledger.contributions(month);
    let last = instalments.iter().map(|instalment| instalment.paid_on).max();
    let rule = rules.due_rule(kind.segment(), month);
    BillState {
        payer,
        due: rule.map(|rule| (rule.clone(), rule.due_on(month, &rules.money.holidays))),
        paid,
        paid_on: last.filter(|_| paid >= due.amount),
        fine: fine_so_far(kind, &due, &instalments, (today, rules)),
        fine_paid: ledger.paid(month, Purpose::Fine),
        bill,
    }
}

/// What a payer owes for the months before one, and has beside, in rupiah.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Money that pays for nothing: what was paid beyond the bills, also where a bill became less since.
    pub unallocated: i64,
    /// Contributions that are not paid.
    pub contributions: i64,
    /// Fines that are not paid; of months that are not paid in full, as of today.
    pub fines: i64,
}

/// Returns what a payer owes for months before one, and has beside. The session is the registry's own.
pub async fn balance_before(
    session: &Session,
    (today, rules): (NaiveDate, &Rulebook),
    payer: Payer,
    month: NaiveDate,
) -> Result<Balance, StoreError> {
    let kind = payer.id.kind;
    let mut transaction = session.begin().await?;
    let account = Account::load(&mut transaction, payer, (today, None), rules).await?;
    transaction.rollback().await?;
    let ledger = Ledger::of(&account.receipts, &account.capped);
    let unallocated = ledger.clone().without_excess(account.dues()).unallocated();
    let mut owed = Balance { unallocated, ..Balance::default() };
    for due in account.dues().filter(|due| due.month < month) {
        let fine = fine_so_far(kind, due, &ledger.instalments(due.month), (today, rules));
        owed.contributions += (due.amount - ledger.contributions(due.month)).max(0);
        owed.fines += (fine - ledger.paid(due.month, Purpose::Fine)).max(0);
    }
    Ok(owed)
}
