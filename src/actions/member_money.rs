//! The money of members whom payments of a group name. It pays for them and for nobody else.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use sqlx::PgExecutor;

use crate::store::bill::PayerId;
use crate::store::{StoreError, group_payment};
use domain::money::{Allocation, Purpose, sums_of};
use domain::rule::Rulebook;

/// Returns allocations, those for members with no more than these members owe at present. What is freed goes the way of every payment.
/// Allocations to other months than those given stay as they are.
pub(super) async fn cap_member_allocations(
    executor: impl PgExecutor<'_>,
    payer: PayerId,
    (allocations, months): (&[Allocation], RangeInclusive<NaiveDate>),
    rules: &Rulebook,
) -> Result<Vec<Allocation>, StoreError> {
    let is_meant = |allocation: &Allocation| {
        allocation.purpose == Purpose::Members && months.contains(&allocation.month)
    };
    let payments: Vec<i64> =
        allocations.iter().filter(|one| is_meant(one)).map(|allocation| allocation.receipt).collect();
    let (Some(association), false) = (payer.association(), payments.is_empty()) else {
        return Ok(allocations.to_vec());
    };
    let named = group_payment::named_by(executor, association, &payments).await?;
    let limited = |allocation: &Allocation| {
        let Allocation { receipt, month, amount, .. } = *allocation;
        if !is_meant(allocation) {
            return *allocation;
        }
        let month = [month];
        let members =
            named.iter().filter(|(payment, _, months)| *payment == receipt && months.contains(month[0]));
        let sums = sums_of(members.map(|(_, member, _)| (member, &month[..])), &month, rules);
        let owed = sums.iter().map(|due| due.amount).sum();
        Allocation { amount: amount.min(owed), ..*allocation }
    };
    Ok(allocations.iter().map(limited).filter(|allocation| allocation.amount > 0).collect())
}
