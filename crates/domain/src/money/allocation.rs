//! Allocation: what the money that arrived pays for.
//!
//! Months are paid in order: money clears the oldest shortage first, and what is left counts towards later months and
//! fines. Money for which nothing is owed yet stays with its receipt.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::AllocationOrder;
use super::due::Instalment;

/// What an allocation pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// The contributions of the month.
    Contribution,
    /// The contributions of the members that a group's payment names, in the month.
    Members,
    /// The fine of the month.
    Fine,
}

/// Money that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Internal id.
    pub id: i64,
    /// The day on which it was paid.
    pub paid_on: NaiveDate,
    /// Rupiah.
    pub amount: i64,
}

/// A part of a receipt, and what it pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The receipt, by internal id.
    pub receipt: i64,
    /// First day of the month.
    pub month: NaiveDate,
    /// What it pays for.
    pub purpose: Purpose,
    /// Rupiah, more than 0.
    pub amount: i64,
}

/// What payments have to cover of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthDue {
    /// First day of the month.
    pub month: NaiveDate,
    /// Contributions, in rupiah.
    pub amount: i64,
}

/// Receipts and what they pay for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    receipts: Vec<Receipt>,
    /// By month and purpose, then in the order of the receipts.
    parts: BTreeMap<(NaiveDate, Purpose), Vec<(usize, i64)>>,
}

/// Allocates receipts to the months of a payer.
///
/// `kept` are allocations that stay, as far as their receipts are given and their months still owe so much: months that
/// were paid in full stay paid when a correction adds a shortage to an older one. Without them everything is allocated
/// anew, as after a reversal. `fine` returns the fine of a month that its instalments have paid in full; for other months
/// it is not known yet. What pays for [`Purpose::Members`] is given, and only freed where a month owes less.
///
/// The result does not depend on the order of the arguments' items: receipts are taken in the order of their days, then of
/// their ids, and months from the oldest on.
pub fn allocate(
    months: &[MonthDue],
    receipts: &[Receipt],
    kept: &[Allocation],
    order: AllocationOrder,
    fine: impl Fn(&MonthDue, &[Instalment]) -> i64,
) -> Ledger {
    let mut months = months.to_vec();
    months.sort_by_key(|due| due.month);
    let mut ledger = Ledger::of(receipts, kept);
    ledger = ledger.without_excess(&months);
    for due in &months {
        // First, because contributions go before fines.
        ledger.trim_fine(due, &fine);
    }
    for due in &months {
        ledger.fill((due.month, Purpose::Contribution), ledger.beside_members(due));
        if order == AllocationOrder::FinesWithMonth {
            ledger.pay_fine(due, &fine);
        }
    }
    for due in months.iter().filter(|_| order == AllocationOrder::FinesLast) {
        ledger.pay_fine(due, &fine);
    }
    ledger
}

impl Ledger {
    /// Makes a ledger of receipts with the allocations that stay.
    pub fn of(receipts: &[Receipt], kept: &[Allocation]) -> Self {
        let mut receipts = receipts.to_vec();
        receipts.sort_by_key(|receipt| (receipt.paid_on, receipt.id));
        let mut parts: BTreeMap<_, Vec<(usize, i64)>> = BTreeMap::new();
        for allocation in kept {
            if let Some(at) = receipts.iter().position(|receipt| receipt.id == allocation.receipt) {
                parts
                    .entry((allocation.month, allocation.purpose))
                    .or_default()
                    .push((at, allocation.amount));
            }
        }
        parts.values_mut().for_each(|parts| parts.sort_unstable());
        Self { receipts, parts }
    }

    /// Frees the money that pays for contributions beyond what months owe.
    #[must_use]
    pub fn without_excess<'a>(mut self, months: impl IntoIterator<Item = &'a MonthDue>) -> Self {
        for due in months {
            self.trim((due.month, Purpose::Members), due.amount);
            let beside = self.beside_members(due);
            self.trim((due.month, Purpose::Contribution), beside);
        }
        self
    }

    /// Returns all allocations, by month, purpose and receipt.
    pub fn allocations(&self) -> Vec<Allocation> {
        let of = |(&(month, purpose), parts): (&(NaiveDate, Purpose), &Vec<(usize, i64)>)| {
            let part = |&(at, amount): &(usize, i64)| Allocation {
                receipt: self.receipts[at].id,
                month,
                purpose,
                amount,
            };
            parts.iter().map(part).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(of).collect()
    }

    /// Returns the receipt that was recorded last.
    pub fn latest(&self) -> Option<i64> {
        self.receipts.iter().map(|receipt| receipt.id).max()
    }

    /// Returns the months that it pays for, from the oldest on.
    pub fn months(&self) -> impl Iterator<Item = NaiveDate> {
        let months: BTreeSet<NaiveDate> = self.parts.keys().map(|&(month, _)| month).collect();
        months.into_iter()
    }

    /// Returns how much of a purpose is paid in a month.
    pub fn paid(&self, month: NaiveDate, purpose: Purpose) -> i64 {
        self.parts.get(&(month, purpose)).into_iter().flatten().map(|&(_, amount)| amount).sum()
    }

    /// Returns how much of the contributions of a month is paid, by whomever.
    pub fn contributions(&self, month: NaiveDate) -> i64 {
        self.paid(month, Purpose::Contribution) + self.paid(month, Purpose::Members)
    }

    /// Returns the instalments of a month's contributions, the earliest first.
    pub fn instalments(&self, month: NaiveDate) -> Vec<Instalment> {
        let of = |purpose| self.parts.get(&(month, purpose)).into_iter().flatten();
        let mut parts: Vec<_> = of(Purpose::Contribution).chain(of(Purpose::Members)).copied().collect();
        parts.sort_unstable();
        let instalment =
            |(at, amount): (usize, i64)| Instalment { paid_on: self.receipts[at].paid_on, amount };
        parts.into_iter().map(instalment).collect()
    }

    /// Returns what a month owes beside the members whom payments name.
    fn beside_members(&self, due: &MonthDue) -> i64 {
        due.amount - self.paid(due.month, Purpose::Members)
    }

    /// Returns the money that pays for nothing yet.
    pub fn unallocated(&self) -> i64 {
        (0..self.receipts.len()).map(|at| self.left(at)).sum()
    }

    fn left(&self, at: usize) -> i64 {
        let parts = self.parts.values().flatten().filter(|part| part.0 == at);
        self.receipts[at].amount - parts.map(|part| part.1).sum::<i64>()
    }

    /// Frees what is allocated beyond an amount, from the latest receipt on.
    fn trim(&mut self, key: (NaiveDate, Purpose), amount: i64) {
        let Some(parts) = self.parts.get_mut(&key) else { return };
        let mut room = amount;
        for part in parts.iter_mut() {
            part.1 = part.1.min(room);
            room -= part.1;
        }
        parts.retain(|part| part.1 > 0);
    }

    /// Allocates money of the earliest receipts until an amount is reached.
    fn fill(&mut self, key: (NaiveDate, Purpose), amount: i64) {
        let mut lacking = amount - self.paid(key.0, key.1);
        for at in 0..self.receipts.len() {
            if lacking <= 0 {
                return;
            }
            let part = self.left(at).min(lacking);
            if part > 0 {
                let parts = self.parts.entry(key).or_default();
                match parts.iter_mut().find(|kept| kept.0 == at) {
                    Some(kept) => kept.1 += part,
                    None => parts.push((at, part)),
                }
                parts.sort_unstable();
                lacking -= part;
            }
        }
    }

    fn pay_fine(&mut self, due: &MonthDue, fine: &impl Fn(&MonthDue, &[Instalment]) -> i64) {
        let amount = self.trim_fine(due, fine);
        self.fill((due.month, Purpose::Fine), amount);
    }

    /// Frees the money that pays for a fine beyond its amount, and returns that.
    fn trim_fine(&mut self, due: &MonthDue, fine: &impl Fn(&MonthDue, &[Instalment]) -> i64) -> i64 {
        let instalments = self.instalments(due.month);
        let is_paid = instalments.iter().map(|instalment| instalment.amount).sum::<i64>() >= due.amount;
        let amount = if is_paid && due.amount > 0 { fine(due, &instalments) } else { 0 };
        self.trim((due.month, Purpose::Fine), amount);
        amount
    }
}
