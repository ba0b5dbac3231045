//! Takes back what payments had settled, as far as the remaining money would not have covered it.
//!
//! A month is settled when the money of its payer reaches what is owed for it, and again when somebody is added later. So a
//! reversal takes back the settlements for which the money would not have been enough, the latest ones first, and with them the months of
//! the people who were recorded by them. A month that was recorded before a payment covered it stays recorded.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::account::{Account, add_month};
use super::recording::MonthChange;
use crate::store::bill::{self, CoveredMonths, Mark};
use crate::store::enrollment::EnrollmentKey;
use crate::store::settlement::{self, Recordings};
use crate::store::{StoreError, participant};
use domain::actor::Actor;
use domain::money::Ledger;

/// What becomes of the settlements of a month.
#[derive(Debug)]
struct Fate {
    /// Whether the remaining money would have covered some of them.
    is_partly_covered: bool,
    /// When those were that it would not have covered.
    gone: HashSet<DateTime<Utc>>,
    /// When each of them was.
    all: HashSet<DateTime<Utc>>,
}

/// Divides months of enrollments into those that meet a condition and the others.
pub(super) fn split(
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
    /// Takes back the settlements of months that a ledger would not have covered. Returns the person of each month of an enrollment
    /// that is not recorded any more, also where a transfer has taken it over since.
    pub(super) async fn unsettle(
        &self,
        conn: &mut PgConnection,
        actor: &Actor,
        (months, ledger): (Vec<NaiveDate>, &Ledger),
    ) -> Result<Vec<i64>, StoreError> {
        let (mut fates, mut covered, mut gone) = (HashMap::new(), CoveredMonths::new(), Vec::new());
        for month in months {
            let settlements = settlement::of_month(conn, self.payer.id, month).await?;
            let remaining = ledger.contributions(month);
            let not_covered: Vec<_> = settlements.iter().filter(|settled| settled.due > remaining).collect();
            if not_covered.is_empty() && !settlements.is_empty() {
                continue;
            }
            gone.extend(not_covered.iter().map(|settled| settled.id));
            let fate = Fate {
                is_partly_covered: not_covered.len() < settlements.len(),
                gone: not_covered.iter().map(|settled| settled.settled_at).collect(),
                all: settlements.iter().map(|settled| settled.settled_at).collect(),
            };
            fates.insert(month, fate);
            add_month(&mut covered, bill::paid_in(conn, self.payer.id, month).await?, month);
        }
        // Nobody is transferred from now on.
        let people: Vec<i64> = covered.keys().map(|key| key.0).collect();
        participant::hold(conn, &people).await?;
        let recordings = Recordings::read(conn, &covered).await?;
        let is_covered = |key, month| {
            let (fate, time): (&Fate, _) = (&fates[&month], recordings.time(key, month));
            fate.is_partly_covered && !time.is_some_and(|time| fate.gone.contains(&time))
        };
        let was_recorded_before = |key, month| {
            let is_by_payment =
                recordings.time(key, month).is_some_and(|time| fates[&month].all.contains(&time));
            let may_be_recorded =
                || recordings.is_owed(key, month) || self.rules.unpaid_month_rule(month).is_some();
            !is_by_payment && may_be_recorded()
        };
        let (_, lost) = split(&covered, is_covered);
        let (unpaid, mut erased) = split(&lost, was_recorded_before);
        for month in fates.into_keys() {
            let of_month = erased.iter().filter(|(_, months)| months.contains(month));
            let keys: Vec<_> = of_month.map(|(key, _)| *key).collect();
            add_month(&mut erased, bill::taken_over(conn, &keys, month).await?, month);
        }
        bill::mark(conn, &unpaid, Mark::Unpaid).await?;
        settlement::remove(conn, &gone).await?;
        let people = erased.iter().flat_map(|(key, months)| months.months().map(|_| key.0)).collect();
        self.settle(conn, actor, MonthChange::Erase, erased).await?;
        Ok(people)
    }
}
