//! What a plan adds up: rows by change, and what is due for the month before and after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::{Action, Comparison, Registered, RegisteredEnrollment, is_with_payer};
use super::{ListChange, ListTerms, ListedRow};
use crate::day::end_of_month;
use crate::problem::ProblemCode;
use crate::rule::{Citation, Contribution};
use crate::vocabulary::Programme;

/// The contributions for one programme in one month, of all people together, in rupiah.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The programme.
    pub programme: Programme,
    /// Number of people.
    pub people: i64,
    /// The employer's share.
    pub employer: i64,
    /// The workers' share.
    pub worker: i64,
    /// The rule of the rate.
    pub rule: Citation,
}

/// The contributions for one month by programme.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueSums(BTreeMap<Programme, Due>);

impl DueSums {
    /// Adds the monthly contributions for one person.
    fn add(&mut self, contributions: Vec<Contribution>) {
        for contribution in contributions.into_iter().filter(|contribution| !contribution.is_once) {
            let Contribution { programme, employer, worker, rule, .. } = contribution;
            let due = Due { programme, people: 0, employer: 0, worker: 0, rule };
            let due = self.0.entry(programme).or_insert(due);
            due.people += 1;
            due.employer += employer;
            due.worker += worker;
        }
    }

    /// Adds those of other people.
    fn merge(&mut self, others: Self) {
        for (programme, other) in others.0 {
            match self.0.get_mut(&programme) {
                None => {
                    self.0.insert(programme, other);
                }
                Some(due) => {
                    due.people += other.people;
                    due.employer += other.employer;
                    due.worker += other.worker;
                }
            }
        }
    }

    /// Returns the contributions in the order of the programmes.
    pub fn by_programme(&self) -> impl Iterator<Item = &Due> {
        self.0.values()
    }

    /// Returns the sum of both shares over all programmes.
    pub fn total(&self) -> i64 {
        self.0.values().map(|due| due.employer + due.worker).sum()
    }
}

/// The figures of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of rows, or of absent people, by change.
    pub changes: BTreeMap<ListChange, i32>,
    /// Number of rows with a wage that falls too far.
    pub fallen_wages: i32,
    /// Due for the month by what is registered.
    pub before: DueSums,
    /// Due for the month by the list.
    pub after: DueSums,
}

impl Summary {
    /// Adds one row.
    pub fn add(
        &mut self,
        row: &ListedRow,
        registered: Option<&Registered>,
        comparison: &Comparison,
        list: &ListTerms<'_>,
    ) {
        *self.changes.entry(comparison.change).or_default() += 1;
        let is_fall = |problem: &crate::problem::Problem| problem.code == ProblemCode::WageFalls;
        let falls = comparison.change != ListChange::Problem && comparison.problems.iter().any(is_fall);
        self.fallen_wages += i32::from(falls);
        for (at, held) in registered.iter().flat_map(|registered| registered.enrollments.iter().enumerate()) {
            match Some(at) == comparison.held {
                true => self.add_registered(held, &comparison.action, list),
                false if is_with_payer(&held.held, list) => {
                    self.add_registered(held, &Action::Nothing, list);
                }
                false => {}
            }
        }
        if let (Action::Enroll { .. }, Some(new)) = (&comparison.action, &row.joining.candidate)
            && new.timeline.starts_on <= end_of_month(list.month)
        {
            self.after.add(contributions(&new.programmes, new.monthly_wage, list));
        }
    }

    /// Adds an enrollment with the payer, and what the list changes of it. A person who is covered on one day of the month at
    /// least is paid for in that month.
    fn add_registered(&mut self, held: &RegisteredEnrollment, action: &Action, list: &ListTerms<'_>) {
        if !held.covers(list.month) {
            return;
        }
        let registered = held.wages.in_month(list.month, list.rules);
        let before = contributions(&held.programmes, registered, list);
        let starts_on = held.held.timeline.starts_on;
        match (action, action.wage()) {
            (Action::End { on, .. }, _) if *on <= list.month.max(starts_on) => {}
            (_, Some((_, wage))) => self.after.add(contributions(&held.programmes, Some(wage), list)),
            _ => self.after.add(before.clone()),
        }
        self.before.add(before);
    }

    /// Adds somebody who is registered with the payer and is not in the list.
    pub fn add_absent(&mut self, open: &RegisteredEnrollment, list: &ListTerms<'_>) {
        *self.changes.entry(ListChange::Absent).or_default() += 1;
        self.add_registered(open, &Action::Nothing, list);
    }

    /// Adds somebody who left the payer before and is not in the list. A part of the month may be covered.
    pub fn add_left(&mut self, ended: &RegisteredEnrollment, list: &ListTerms<'_>) {
        self.add_registered(ended, &Action::Nothing, list);
    }

    /// Adds the figures of other rows.
    pub fn merge(&mut self, others: Self) {
        for (change, rows) in others.changes {
            *self.changes.entry(change).or_default() += rows;
        }
        self.fallen_wages += others.fallen_wages;
        self.before.merge(others.before);
        self.after.merge(others.after);
    }

    /// Returns the number of rows that are something.
    pub fn count(&self, change: ListChange) -> i32 {
        self.changes.get(&change).copied().unwrap_or_default()
    }
}

fn contributions(programmes: &[Programme], wage: Option<i64>, list: &ListTerms<'_>) -> Vec<Contribution> {
    let segment = list.terms.segment;
    match wage {
        Some(wage) => list.rules.contributions(programmes, segment, list.risk_class, wage, list.month),
        None => list.rules.flat_contributions(programmes, segment, list.month),
    }
}
