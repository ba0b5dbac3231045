//! Takes back what payments had settled, as far as the remaining money would not have covered it.
//!
//! A month is settled when the money of its payer reaches what is owed for it, and again when somebody is added later. So a
//! reversal takes back the settlements since the payment for which the money would not have been enough, and with them the months
//! of the people who were recorded by them. A month that was recorded before a payment covered it stays recorded.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::account::{Account, add_month};
use super::recording::MonthChange;
use crate::store::bill::{self, CoveredMonths, MonthMark};
use crate::store::enrollment::EnrollmentKey;
use crate::store::settlement::{self, MonthRecording, Settlement};
use crate::store::{StoreError, participant};
use domain::actor::Actor;
use domain::money::Ledger;

/// The settlements of a month when a payment is reversed.
#[derive(Debug)]
struct SettledMonth {
    /// In the order in which they came.
    all: Vec<Settlement>,
    /// What the remaining money pays.
    remaining: i64,
    /// The payment.
    payment: i64,
}

impl SettledMonth {
    /// Whether the remaining money would not have been enough for a settlement. The money of the payment was not there before it.
    fn is_lost(&self, settlement: &Settlement) -> bool {
        settlement.due > self.remaining && settlement.payment_id >= self.payment
    }

    /// Whether a payment recorded the month, and did not only cover what was recorded already.
    fn has_recorded(&self, recording: &MonthRecording) -> bool {
        self.all.iter().any(|settled| Some(settled.settled_at) == recording.recorded_at)
    }

    /// Whether the month of an enrollment is not covered any more. `is_open_before`: it could be owed although it was recorded.
    fn loses(&self, recording: &MonthRecording, is_open_before: bool) -> bool {
        if !self.has_recorded(recording) && !is_open_before {
            // It was settled before settlements were stored.
            return self.all.first().is_none_or(|settled| self.payment < settled.payment_id);
        }
        let since = recording.recorded_at.unwrap_or(recording.enrolled_at);
        // Each settlement is for everybody whose month was open.
        let by = self.all.iter().find(|settled| settled.settled_at >= since);
        by.is_none_or(|settled| self.is_lost(settled))
    }
}

/// Divides months of enrollments into those that meet a condition and the others.
pub(super) fn partition_months(
    covered: &CoveredMonths,
    condition: impl Fn(EnrollmentKey, NaiveDate) -> bool,
) -> (CoveredMonths, CoveredMonths) {
    let mut parts = (CoveredMonths::new(), CoveredMonths::new());
    for (&key, months) in covered {
        for month in months.months() {
            let part = if condition(key, month) { &mut parts.0 } else { &mut parts.1 };
            add_month(part, vec![key], month);
        }
    }
    parts
}

impl Account<'_> {
    /// Takes back the settlements of months since a payment that a ledger would not have covered. Returns the person of each month of
    /// an enrollment that is not recorded any more, also where a transfer has taken it over since.
    pub(super) async fn unsettle(
        &self,
        conn: &mut PgConnection,
        (actor, payment): (&Actor, i64),
        (months, ledger): (Vec<NaiveDate>, &Ledger),
    ) -> Result<Vec<i64>, StoreError> {
        let (mut settled, mut covered) = (HashMap::new(), CoveredMonths::new());
        for month in months {
            let all = settlement::of_month(conn, self.payer.id, month).await?;
            let of_month = SettledMonth { all, remaining: ledger.contributions(month), payment };
            if of_month.all.is_empty() || of_month.all.iter().any(|settled| of_month.is_lost(settled)) {
                add_month(&mut covered, bill::paid_in(conn, self.payer.id, month).await?, month);
                settled.insert(month, of_month);
            }
        }
        // Nobody is transferred from now on.
        let people: Vec<i64> = covered.keys().map(|key| key.0).collect();
        participant::lock_rows(conn, &people).await?;
        let recordings = settlement::recordings(conn, &covered).await?;
        let may_be_owed = |recording: &MonthRecording, month| {
            recording.is_owed || self.rules.unpaid_month_rule(month).is_some()
        };
        let is_lost = |key, month: NaiveDate| {
            let recording = recordings.get(&(key, month));
            recording.is_some_and(|recording| settled[&month].loses(recording, may_be_owed(recording, month)))
        };
        let was_recorded_before = |key, month: NaiveDate| {
            recordings.get(&(key, month)).is_some_and(|recording| {
                !settled[&month].has_recorded(recording) && may_be_owed(recording, month)
            })
        };
        let (lost, _) = partition_months(&covered, is_lost);
        let (unpaid, mut erased) = partition_months(&lost, was_recorded_before);
        for &month in settled.keys() {
            let of_month = erased.iter().filter(|(_, months)| months.contains(month));
            let keys: Vec<_> = of_month.map(|(key, _)| *key).collect();
            add_month(&mut erased, bill::taken_over(conn, &keys, month).await?, month);
        }
        bill::mark(conn, &unpaid, MonthMark::Unpaid).await?;
        let of_month = |of_month: &SettledMonth| {
            let lost = of_month.all.iter().filter(|settled| of_month.is_lost(settled));
            lost.map(|settled| settled.id).collect::<Vec<_>>()
        };
        settlement::remove(conn, &settled.values().flat_map(of_month).collect::<Vec<_>>()).await?;
        settlement::rest_on(conn, (self.payer.id, ledger.latest()), payment).await?;
        let people = erased.iter().flat_map(|(key, months)| months.months().map(|_| key.0)).collect();
        self.settle(conn, actor, MonthChange::Erase, erased).await?;
        Ok(people)
    }
}
