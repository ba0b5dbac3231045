//! The summary that `registry onboard` prints: counts, a table of problems and a table of work units.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::list_figures::ListFigures;
use super::table::table;
use crate::graphql::node_id::NodeId;
use domain::number::{grouped, rupiah};
use domain::onboarding::{Counts, OnboardingKind, RowOutcome};
use domain::problem::{Problem, ProblemCode, Severity, refuses};

/// Maximum number of lines that the table shows for each problem.
const LINES_SHOWN: usize = 5;

/// A row with problems.
pub(super) struct ProblemRow {
    /// The index of the row, from 0.
    pub(super) row: usize,
    pub(super) line: i32,
    pub(super) is_refused: bool,
    pub(super) problems: Vec<Problem>,
}

impl ProblemRow {
    pub(super) fn new(number: i32, line: Option<i32>, outcome: RowOutcome, problems: Vec<Problem>) -> Self {
        let row = usize::try_from(number - 1).expect("rows are numbered from 1");
        // Only rows of a request without a file have no line.
        Self { row, line: line.unwrap_or(number), is_refused: outcome == RowOutcome::Rejected, problems }
    }

    /// Groups the problems of a refused request by row.
    pub(super) fn of_problems(problems: Vec<Problem>, lines: &[i32]) -> Vec<Self> {
        let mut rows: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
        for problem in problems {
            rows.entry(row_of(&problem).unwrap_or_default()).or_default().push(problem);
        }
        let problem_row = |(row, problems): (usize, Vec<Problem>)| Self {
            row,
            line: lines.get(row).copied().unwrap_or_default(),
            is_refused: refuses(&problems),
            problems,
        };
        rows.into_iter().map(problem_row).collect()
    }
}

/// Returns the index of the row that a problem is about.
pub(super) fn row_of(problem: &Problem) -> Option<usize> {
    match problem.path.as_slice() {
        [rows, row, ..] if rows == "rows" => row.parse().ok(),
        _ => None,
    }
}

/// The subject of a summary.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    /// A plan. For a large file, it has a batch with the counts.
    Plan(Option<i64>),
    /// A batch of this command, and when it was submitted.
    Batch(i64, DateTime<Utc>),
    /// A batch that an earlier command submitted with the same rows.
    EarlierBatch(i64, DateTime<Utc>),
}

/// The outcome of a file, or of its plan.
pub(super) struct Summary {
    pub(super) subject: Subject,
    /// Who stopped the batch, and why.
    pub(super) stopped: Option<String>,
    pub(super) counts: Counts,
    pub(super) monthly_contributions: i64,
    /// The figures of a monthly list.
    pub(super) list: Option<ListFigures>,
    pub(super) rows: Vec<ProblemRow>,
    pub(super) units: Option<Vec<(String, Counts)>>,
}

impl Summary {
    /// Whether every row is enrolled, was enrolled before, or would be.
    pub(super) fn is_complete(&self) -> bool {
        self.counts.rejected == 0 && self.counts.pending == 0
    }
}

impl Subject {
    /// Returns what it is as a sentence, of a roster or of a monthly list.
    pub(super) fn sentence(&self, file: OnboardingKind) -> String {
        let batch = |id: &i64| NodeId::Batch(*id).encode().to_string();
        let submitted = |at: &DateTime<Utc>| format!("submitted {}", at.format("%F %T UTC"));
        let (nothing, nothing_now) = match file {
            OnboardingKind::Roster => ("nobody was enrolled", "Nobody was added now"),
            OnboardingKind::MonthlyList => ("nothing was changed", "Nothing was changed now"),
        };
        match self {
            Self::Plan(None) => format!("A plan: {nothing}."),
            Self::Plan(Some(id)) => {
                format!("A plan: {nothing}. Batch {} keeps its counts, but not its rows.", batch(id))
            }
            Self::Batch(id, at) => format!("Batch {}, {}", batch(id), submitted(at)),
            Self::EarlierBatch(id, at) => format!(
                "This file was already onboarded, as batch {}, {}. {nothing_now}. The outcome of that batch:",
                batch(id),
                submitted(at)
            ),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match self.list {
            None => OnboardingKind::Roster,
            Some(_) => OnboardingKind::MonthlyList,
        };
        writeln!(f, "{}", self.subject.sentence(file))?;
        if let Some(stopped) = &self.stopped {
            writeln!(f, "{stopped}")?;
        }
        let Counts { received, pending, enrolled, already_enrolled, rejected, flagged } = self.counts;
        let is_plan = matches!(self.subject, Subject::Plan(_));
        let of_roster = [
            (if is_plan { "Would be enrolled" } else { "Enrolled" }, grouped(enrolled)),
            ("Enrolled before", grouped(already_enrolled)),
        ];
        let not_done = if self.list.is_some() { "Not applied" } else { "Not enrolled" };
        let contributions = ("Contributions a month", rupiah(self.monthly_contributions));
        let mut facts = vec![("Rows", grouped(received))];
        facts.extend(of_roster.into_iter().filter(|_| self.list.is_none()));
        facts.extend((pending > 0).then(|| (not_done, grouped(pending))));
        facts.extend([("Refused", grouped(rejected)), ("Flagged for review", grouped(flagged))]);
        facts.extend(self.list.is_none().then_some(contributions));
        let facts: Vec<_> = facts.into_iter().map(|(name, value)| [name.to_owned(), value]).collect();
        write!(f, "\n{}", table(&facts, [false, true]))?;
        if let Some(list) = &self.list {
            write!(f, "\n{list}")?;
        }
        if !self.rows.is_empty() {
            write!(f, "\n{}", problem_table(&self.rows))?;
        }
        if let Some(units) = &self.units {
            write!(f, "\n{}", unit_table(units))?;
        }
        Ok(())
    }
}

/// Returns a table of problems by code. Those that refuse rows come first, then those that most rows have.
pub(super) fn problem_table(rows: &[ProblemRow]) -> String {
    let mut by_code: BTreeMap<(Severity, ProblemCode), (Vec<i32>, &str)> = BTreeMap::new();
    for row in rows {
        for problem in &row.problems {
            let (lines, _) =
                by_code.entry((problem.severity, problem.code)).or_insert((Vec::new(), &problem.message));
            if lines.last() != Some(&row.line) {
                lines.push(row.line);
            }
        }
    }
    let mut by_code: Vec<_> = by_code.into_iter().collect();
    by_code.sort_by_key(|((severity, _), (lines, _))| (*severity, Reverse(lines.len())));
    let mut table_rows = vec![["Problem", "Severity", "Rows", "Lines", "For example"].map(str::to_owned)];
    table_rows.extend(by_code.into_iter().map(|((severity, code), (lines, example))| {
        let shown: Vec<String> = lines.iter().take(LINES_SHOWN).map(i32::to_string).collect();
        let more = if lines.len() > LINES_SHOWN { ", …" } else { "" };
        let shown = format!("{}{more}", shown.join(", "));
        [code.to_string(), severity.to_string(), lines.len().to_string(), shown, example.to_owned()]
    }));
    table(&table_rows, [false, false, true, false, false])
}

fn unit_table(units: &[(String, Counts)]) -> String {
    let header = ["Work unit", "Rows", "Enrolled", "Before", "Refused", "Flagged"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(units.iter().map(|(unit, counts)| {
        let Counts { received, enrolled, already_enrolled, rejected, flagged, .. } = counts;
        let unit = if unit.is_empty() { "(none)".to_owned() } else { unit.clone() };
        let [received, enrolled, before, rejected, flagged] =
            [received, enrolled, already_enrolled, rejected, flagged].map(i32::to_string);
        [unit, received, enrolled, before, rejected, flagged]
    }));
    table(&rows, [false, true, true, true, true, true])
}

/// Returns a problem as one line.
pub(super) fn explained(problem: &Problem) -> String {
    let Problem { code, path, message, hint, .. } = problem;
    let field = path.last().map_or("", String::as_str);
    let hint = hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
    format!("{code} at {field}: {message}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_rows_and_starts_with_problems_that_refuse() {
        let doubt = Problem::warning(ProblemCode::ServiceNumberMismatch, "f", "A doubt.");
        let fault = Problem::error(ProblemCode::ServiceNumberMalformed, "f", "A fault.");
        let rows = [
            ProblemRow::new(1, Some(2), RowOutcome::Enrolled, vec![doubt.clone()]),
            ProblemRow::new(2, Some(3), RowOutcome::Rejected, vec![fault.clone(), fault]),
            ProblemRow::new(3, Some(5), RowOutcome::Enrolled, vec![doubt]),
        ];
        assert_eq!(
            problem_table(&rows),
            "Problem                   Severity  Rows  Lines  For example\n\
             SERVICE_NUMBER_MALFORMED  ERROR        1  3      A fault.\n\
             SERVICE_NUMBER_MISMATCH   WARNING      2  2, 5   A doubt.\n"
        );
    }

    #[test]
    fn problems_of_a_refused_request_are_grouped_by_row() {
        let at = |row: &str, problem: Problem| problem.within(&["rows", row]);
        let fault = Problem::error(ProblemCode::Required, "sex", "Needed.");
        let doubt = Problem::warning(ProblemCode::ServiceNumberMismatch, "f", "A doubt.");
        let by_row =
            ProblemRow::of_problems(vec![at("1", fault), at("0", doubt.clone()), at("1", doubt)], &[2, 4]);
        let rows: Vec<_> =
            by_row.iter().map(|row| (row.row, row.line, row.is_refused, row.problems.len())).collect();
        assert_eq!(rows, [(0, 2, false, 1), (1, 4, true, 2)]);
    }
}
