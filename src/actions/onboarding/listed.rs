//! The rows of a monthly list, judged by themselves.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::SharedTerms;
use crate::store::onboarding::lease::LeasedBatch;
use crate::store::onboarding::monthly::PlannedRow;
use crate::store::reference::Reference;
use domain::actor::Actor;
use domain::enrollment::Terms;
use domain::identity::IdentityNumber;
use domain::monthly_list::{ListTerms, ListedRow, judge_listed};
use domain::onboarding::{OnboardingKind, OnboardingState, Repeat, RowOutcome, StagedRow};
use domain::rule::Rulebook;

/// What a monthly list is read for.
#[derive(Clone, Debug)]
pub(super) struct ListBatch {
    month: NaiveDate,
    /// The provinces in the scope of the sender; empty: all.
    provinces: Vec<i16>,
    /// Whether only the rows are needed that the plan left to be applied.
    pub(super) is_applied: bool,
}

/// Rows of a monthly list.
#[derive(Default)]
pub(super) struct ListedRows {
    /// Each with the place of its staged row.
    pub rows: Vec<(usize, ListedRow)>,
    /// The planned rows by number, if the list is planned.
    pub planned: HashMap<i32, PlannedRow>,
}

impl ListBatch {
    /// Returns what a batch is read for, or `None` for a roster.
    pub(super) fn of(held: &LeasedBatch, sender: &Actor) -> Option<Self> {
        let month = held.month.filter(|_| held.kind == OnboardingKind::MonthlyList)?;
        let is_applied = held.state == OnboardingState::Applying;
        Some(Self { month, provinces: sender.scope.provinces.clone(), is_applied })
    }

    /// Judges rows by themselves: all of them, or those that the plan left to be applied.
    pub(super) fn judge_all(
        &self,
        (reference, today): (&Reference, NaiveDate),
        (agreed, repeats): (&SharedTerms, &HashMap<u32, Repeat>),
        staged: &[StagedRow],
        planned: Vec<PlannedRow>,
    ) -> ListedRows {
        let planned: HashMap<i32, PlannedRow> = planned.into_iter().map(|row| (row.number, row)).collect();
        let is_wanted = |row: &StagedRow| {
            !self.is_applied || planned.get(&row.number).is_some_and(|row| row.outcome == RowOutcome::Pending)
        };
        let judge = |list: &ListTerms<'_>| {
            let rows = staged.iter().enumerate().filter(|(_, row)| is_wanted(row));
            let judge = |(at, row): (usize, &StagedRow)| {
                let mut listed = self.judge(reference, list, row);
                let index = u32::try_from(row.number - 1).unwrap_or_default();
                if let Some(repeat) = repeats.get(&index) {
                    listed.is_repeated = repeat.national_id.is_some();
                    repeat.mark(&mut listed.joining);
                }
                (at, listed)
            };
            rows.map(judge).collect()
        };
        let rows = self.with_terms((agreed, &reference.rules, today), judge);
        ListedRows { rows, planned }
    }

    /// Returns the number by which repetitions of a row are found; `None` if the row is refused by itself.
    pub(super) fn number_of(
        &self,
        (reference, today): (&Reference, NaiveDate),
        agreed: &SharedTerms,
        staged: &StagedRow,
    ) -> Option<IdentityNumber> {
        let listed =
            self.with_terms((agreed, &reference.rules, today), |list| self.judge(reference, list, staged));
        listed.identity.clone().filter(|_| !listed.is_refused())
    }

    fn judge(&self, reference: &Reference, list: &ListTerms<'_>, staged: &StagedRow) -> ListedRow {
        judge_listed(&staged.row(), list, |text| province_named(reference, self.month, text))
    }

    /// Calls a function with the terms of the list.
    pub(super) fn with_terms<T>(
        &self,
        (agreed, rules, today): (&SharedTerms, &Rulebook, NaiveDate),
        work: impl FnOnce(&ListTerms<'_>) -> T,
    ) -> T {
        // A list says nothing about programmes: those that are missing are on the bill, and not in each row.
        let terms = Terms { classification: None, ..agreed.terms() };
        work(&ListTerms {
            month: self.month,
            terms: &terms,
            risk_class: agreed.classification_in(self.month, rules).risk_class,
            provinces: &self.provinces,
            rules,
            today,
        })
    }
}

/// Returns the province with a code, a name or an abbreviation that exists on a day.
fn province_named(reference: &Reference, day: NaiveDate, text: &str) -> Option<i16> {
    let mut existing = reference.provinces().iter().filter(|province| province.exists_on(day));
    existing.find(|province| province.is_named(text)).map(|province| province.id)
}
