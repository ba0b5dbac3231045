//! Monthly lists: their rows are compared with what is registered, planned and applied by the same workers as rosters.

mod absent;
mod apply;
mod approve;
mod payer;
mod plan;

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::chunk::Chunk;
use super::listed::ListBatch;
use super::step::Step;
use crate::actions::enrolling::named_twice;
use crate::store::StoreError;
use crate::store::keys::Keys;
use crate::store::onboarding::monthly::{self, ListConflict, NewListRow};
use crate::store::onboarding::writing::NewRow;
use domain::monthly_list::{Action, Comparison, ListChange, ListTerms, ListedRow, Registered, compare};
use domain::onboarding::{RowOutcome, StagedRow};
use domain::problem::{Problem, ProblemCode};
use domain::text::label;

pub(super) use absent::{end_absent, has_absent_to_end, has_rows_done};
pub(super) use apply::write_rows;
pub use approve::EndAbsent;
pub(in crate::actions) use approve::{approve_list, judge_repeated};
pub(in crate::actions) use payer::judge_payer;
pub(super) use plan::plan;

impl Step {
    /// Calls a function with the terms of the monthly list.
    fn with_list<T>(&self, work: impl FnOnce(&ListTerms<'_>) -> T) -> Result<T, StoreError> {
        let list = ListBatch::of(&self.held, &self.authority.actor);
        let list = list.ok_or_else(|| StoreError::Fault("a batch is no monthly list".into()))?;
        Ok(list.with_terms((&self.authority.agreed, &self.reference.rules, self.today), work))
    }
}

/// A row with the person who has its number, and what the row is.
struct Compared<'a> {
    /// Place of the staged row.
    at: usize,
    row: &'a ListedRow,
    registered: Option<&'a Registered>,
    comparison: Comparison,
    /// Whether an earlier row is about the same person.
    is_again: bool,
}

/// Returns the people who have the numbers of the rows of a chunk.
async fn find_registered(
    conn: &mut PgConnection,
    keys: &Keys,
    chunk: &Chunk,
) -> Result<HashMap<Vec<u8>, Registered>, StoreError> {
    let indexes: Vec<Vec<u8>> = chunk.listed.rows.iter().filter_map(|(_, row)| index_of(row, keys)).collect();
    monthly::registered(conn, &indexes).await
}

fn index_of(row: &ListedRow, keys: &Keys) -> Option<Vec<u8>> {
    row.identity.as_ref().map(|number| keys.identity_index(number))
}

/// Compares the rows of a chunk with the people who have their numbers. Of two rows with numbers of one person, the second
/// one is a problem: a former number still finds its owner.
fn compare_all<'a>(
    chunk: &'a Chunk,
    (registered, keys): (&'a HashMap<Vec<u8>, Registered>, &Keys),
    list: &ListTerms<'_>,
) -> Vec<Compared<'a>> {
    let mut people = HashSet::new();
    let compare = |(at, row): &'a (usize, ListedRow)| {
        let registered = index_of(row, keys).and_then(|index| registered.get(&index));
        let mut comparison = compare(row, registered, list);
        let is_again = registered.is_some_and(|person| !people.insert(person.participant));
        if is_again && comparison.action != Action::Nothing {
            comparison.change = ListChange::Problem;
            comparison.action = Action::Nothing;
            comparison.problems.push(named_twice("nationalId"));
        }
        Compared { at: *at, row, registered, comparison, is_again: is_again || row.is_repeated }
    };
    chunk.listed.rows.iter().map(compare).collect()
}

impl Compared<'_> {
    /// Returns the person, if the person is registered with the payer, or was in the month.
    fn listed(&self) -> Option<i64> {
        self.registered.filter(|_| self.comparison.held.is_some()).map(|person| person.participant)
    }

    /// Returns the planned row. Its person is known if the row names one whom the registry knows already.
    fn planned(&self, staged: &StagedRow) -> NewListRow {
        let Comparison { change, action, problems, wage_before, .. } = &self.comparison;
        let outcome = match change {
            ListChange::Problem => RowOutcome::Rejected,
            ListChange::Unchanged => RowOutcome::AlreadyEnrolled,
            _ => RowOutcome::Pending,
        };
        let known = self.registered.filter(|_| *change != ListChange::Problem);
        let work_unit = staged.row().work_unit;
        let work_unit = work_unit.as_deref().filter(|unit| !domain::cell::is_spreadsheet_error(unit));
        NewListRow {
            row: NewRow {
                number: staged.number,
                line: staged.line,
                outcome,
                flagged: self.comparison.is_flagged(),
                participant_id: known.map(|person| person.participant),
                work_unit: label(work_unit, 200, "workUnit").ok().flatten(),
                problems: at_row(problems, staged.number),
            },
            change: *change,
            listed: self.listed(),
            wages: action.wage().map(|(_, wage)| (*wage_before, wage)),
        }
    }
}

/// Prefixes the paths of problems with the index of the row, from 0.
fn at_row(problems: &[Problem], number: i32) -> Vec<Problem> {
    let index = (number - 1).to_string();
    problems.iter().map(|problem| problem.clone().within(&["rows", &index])).collect()
}

/// Returns the problem of a list that must not be applied, at a field.
pub(in crate::actions) fn conflict_problem(conflict: ListConflict, field: &str) -> Problem {
    let (message, hint) = match conflict {
        ListConflict::NewerMonth(month) => (
            format!("The list of {} of this payer is applied already.", month.format("%Y-%m")),
            "Send the list of the newest month. Correct an older month person by person.",
        ),
        ListConflict::Meanwhile(month) => (
            format!(
                "Another list of this payer, of {}, is being applied or was applied since this one was planned.",
                month.format("%Y-%m")
            ),
            "Send this list again when the other one has ended: its new plan shows what is left.",
        ),
    };
    Problem::error(ProblemCode::Conflict, field, message).hint(hint)
}
