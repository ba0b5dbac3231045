//! Properties of allocations and bills.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::tests::{day, rules};
use super::*;
use crate::employer::Classification;
use crate::vocabulary::Programme;

fn months() -> impl Strategy<Value = Vec<MonthDue>> {
    prop::collection::vec(0_i64..3_000, 0..8).prop_map(|amounts| {
        let first = day("2014-01-01");
        let month = |at| first.checked_add_months(chrono::Months::new(at)).unwrap();
        (0..).zip(amounts).map(|(at, amount)| MonthDue { month: month(at), amount }).collect()
    })
}

fn receipts() -> impl Strategy<Value = Vec<Receipt>> {
    prop::collection::vec((0_u64..300, 1_i64..4_000), 0..8).prop_map(|receipts| {
        let first = day("2014-01-10");
        let receipt = |(id, (days, amount))| Receipt { id, paid_on: first + Days::new(days), amount };
        (1..).zip(receipts).map(receipt).collect()
    })
}

fn order() -> impl Strategy<Value = AllocationOrder> {
    prop_oneof![Just(AllocationOrder::FinesLast), Just(AllocationOrder::FinesWithMonth)]
}

/// Two percent of the month for each started month after the 15th of the next.
fn fine(due: &MonthDue, instalments: &[Instalment]) -> i64 {
    let rules = rules();
    let rule = rules.due_rule(Segment::WageEarner, due.month).unwrap();
    let terms = FineTerms { rule, due_on: rule.due_on(due.month, &BTreeSet::new()), amount: due.amount };
    fine_of(terms, instalments, NaiveDate::MAX, &rules)
}

fn sum(receipts: &[Receipt]) -> i64 {
    receipts.iter().map(|receipt| receipt.amount).sum()
}

proptest! {
    #[test]
    fn what_is_allocated_after_bills_changed_stays_when_it_is_allocated_again(
        before in months(), months in months(), receipts in receipts(), order in order()
    ) {
        let kept = allocate(&before, &receipts, &[], order, fine).allocations();
        let once = allocate(&months, &receipts, &kept, order, fine).allocations();
        prop_assert_eq!(&allocate(&months, &receipts, &once, order, fine).allocations(), &once);
    }

    #[test]
    fn every_rupiah_pays_for_one_thing_or_waits(months in months(), receipts in receipts(), order in order()) {
        let ledger = allocate(&months, &receipts, &[], order, fine);
        let allocations = ledger.allocations();
        let allocated: i64 = allocations.iter().map(|allocation| allocation.amount).sum();
        prop_assert_eq!(allocated + ledger.unallocated(), sum(&receipts));
        prop_assert!(ledger.unallocated() >= 0);
        prop_assert!(allocations.iter().all(|allocation| allocation.amount > 0));
        for receipt in &receipts {
            let of_it = allocations.iter().filter(|allocation| allocation.receipt == receipt.id);
            prop_assert!(of_it.map(|allocation| allocation.amount).sum::<i64>() <= receipt.amount);
        }
        for due in &months {
            prop_assert!(ledger.paid(due.month, Purpose::Contribution) <= due.amount);
        }
        // An older month is never short while a later one has money.
        let short = months.iter().position(|due| ledger.paid(due.month, Purpose::Contribution) < due.amount);
        if let Some(at) = short {
            prop_assert!(months[at + 1..].iter().all(|due| ledger.paid(due.month, Purpose::Contribution) == 0));
            prop_assert_eq!(ledger.unallocated(), 0);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(
        months in months(), receipts in receipts(), order in order(), turn in 0_usize..8,
    ) {
        let mut turned = receipts.clone();
        turned.rotate_left(turn.min(receipts.len()));
        turned.reverse();
        let mut shuffled = months.clone();
        shuffled.reverse();
        let ledger = allocate(&months, &receipts, &[], order, fine);
        prop_assert_eq!(allocate(&shuffled, &turned, &[], order, fine), ledger);
    }

    #[test]
    fn one_after_the_other_pays_the_same_months_as_all_at_once(months in months(), receipts in receipts()) {
        let mut kept = Vec::new();
        for known in 1..=receipts.len() {
            let ledger = allocate(&months, &receipts[..known], &kept, AllocationOrder::FinesLast, |_, _| 0);
            kept = ledger.allocations();
        }
        let together = allocate(&months, &receipts, &[], AllocationOrder::FinesLast, |_, _| 0);
        let stepwise = Ledger::of(&receipts, &kept);
        for due in &months {
            prop_assert_eq!(
                stepwise.paid(due.month, Purpose::Contribution),
                together.paid(due.month, Purpose::Contribution)
            );
        }
        prop_assert_eq!(stepwise.unallocated(), together.unallocated());
        // Allocating again changes nothing.
        let again = allocate(&months, &receipts, &kept, AllocationOrder::FinesLast, |_, _| 0);
        prop_assert_eq!(again.allocations(), kept);
    }

    #[test]
    fn money_of_a_month_that_owes_less_is_freed(months in months(), receipts in receipts(), less in 0_i64..3_000) {
        let before = allocate(&months, &receipts, &[], AllocationOrder::FinesLast, |_, _| 0);
        let fewer: Vec<MonthDue> =
            months.iter().map(|due| MonthDue { amount: (due.amount - less).max(0), ..*due }).collect();
        let after = allocate(&fewer, &receipts, &before.allocations(), AllocationOrder::FinesLast, |_, _| 0);
        let owed: i64 = fewer.iter().map(|due| due.amount).sum();
        prop_assert_eq!(after.unallocated(), (sum(&receipts) - owed).max(0));
    }

    #[test]
    fn the_money_of_members_pays_for_their_months_and_the_rest_for_the_others(
        months in months(), receipts in receipts(), named in prop::collection::vec((0_usize..8, 1_i64..3_000), 0..8),
    ) {
        let mut left: Vec<i64> = receipts.iter().map(|receipt| receipt.amount).collect();
        let mut kept: Vec<Allocation> = Vec::new();
        for (at, (month, amount)) in named.into_iter().enumerate().take(receipts.len()) {
            let Some(due) = months.get(month) else { continue };
            let of_month = kept.iter().filter(|one| one.month == due.month).map(|one| one.amount).sum::<i64>();
            let amount = amount.min(left[at]).min(due.amount - of_month);
            if amount > 0 {
                left[at] -= amount;
                let receipt = receipts[at].id;
                kept.push(Allocation { receipt, month: due.month, purpose: Purpose::Members, amount });
            }
        }
        let ledger = allocate(&months, &receipts, &kept, AllocationOrder::FinesLast, |_, _| 0);
        let mut stayed = ledger.allocations();
        stayed.retain(|one| one.purpose == Purpose::Members);
        kept.sort_by_key(|one| (one.month, one.receipt));
        stayed.sort_by_key(|one| (one.month, one.receipt));
        prop_assert_eq!(stayed, kept, "no month owes less than its members have paid");
        for due in &months {
            prop_assert!(ledger.contributions(due.month) <= due.amount);
        }
        let owed: i64 = months.iter().map(|due| due.amount).sum();
        prop_assert_eq!(ledger.unallocated(), (sum(&receipts) - owed).max(0));
        // Beside members, an older month is never short while a later one has money.
        let other = |due: &MonthDue| ledger.paid(due.month, Purpose::Contribution);
        if let Some(at) = months.iter().position(|due| ledger.contributions(due.month) < due.amount) {
            prop_assert!(months[at + 1..].iter().all(|due| other(due) == 0));
        }
    }

    #[test]
    fn a_bill_is_the_sum_of_its_people(
        people in prop::collection::vec((1_i64..20_000_000, 1_i64..50, 0_usize..3), 0..20),
    ) {
        let rules = rules();
        let records = [MonthRecord::Open, MonthRecord::WithoutPayment, MonthRecord::Paid];
        let insured = |&(wage, people, record): &(i64, i64, usize)| Insured {
            segment: Segment::WageEarner,
            programmes: vec![Programme::WorkAccident, Programme::Death, Programme::OldAge],
            classification: Classification::NO_EMPLOYER,
            wage: Some(wage),
            starts_on: day("2014-01-01"),
            ends_on: None,
            deceased_on: None,
            record: records[record],
            people,
        };
        let bill = |people: &[(i64, i64, usize)]| {
            let mut maker = BillMaker::new(day("2014-10-01"), &rules);
            people.iter().for_each(|one| maker.add(&insured(one)));
            maker.finish()
        };
        let all = bill(&people);
        let parts: Vec<Bill> = people.iter().map(|one| bill(std::slice::from_ref(one))).collect();
        prop_assert_eq!(all.total(), parts.iter().map(Bill::total).sum::<i64>());
        prop_assert_eq!(all.payable(), parts.iter().map(Bill::payable).sum::<i64>());
        prop_assert_eq!(all.open, parts.iter().map(|part| part.open).sum::<i64>());
        prop_assert_eq!(all.people, parts.iter().map(|part| part.people).sum::<i64>());
    }
}
