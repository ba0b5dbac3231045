//! What `registry onboard` has to say in the end: counts, and tables of problems and of work units.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::graphql::node_id::NodeId;
use domain::onboarding::{Counts, RowOutcome};
use domain::problem::{Problem, ProblemCode, Severity, refuses};

/// Lines named of each problem, at most.
const LINES_SHOWN: usize = 5;

/// A row with which something is wrong.
pub(super) struct Failing {
    /// From 0.
    pub(super) row: usize,
    pub(super) line: i32,
    pub(super) is_refused: bool,
    pub(super) problems: Vec<Problem>,
}

impl Failing {
    pub(super) fn new(number: i32, line: Option<i32>, outcome: RowOutcome, problems: Vec<Problem>) -> Self {
        let row = usize::try_from(number - 1).expect("rows are numbered from 1");
        // Only rows that came in a request have no line.
        Self { row, line: line.unwrap_or(number), is_refused: outcome == RowOutcome::Rejected, problems }
    }

    /// The rows that refused a request as a whole.
    pub(super) fn of_problems(problems: Vec<Problem>, lines: &[i32]) -> Vec<Self> {
        let mut rows: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
        for problem in problems {
            rows.entry(row_of(&problem).unwrap_or_default()).or_default().push(problem);
        }
        let failing = |(row, problems): (usize, Vec<Problem>)| Self {
            row,
            line: lines.get(row).copied().unwrap_or_default(),
            is_refused: refuses(&problems),
            problems,
        };
        rows.into_iter().map(failing).collect()
    }
}

/// The row that a problem is about, from 0.
pub(super) fn row_of(problem: &Problem) -> Option<usize> {
    match problem.path.as_slice() {
        [rows, row, ..] if rows == "rows" => row.parse().ok(),
        _ => None,
    }
}

/// Of what a verdict tells.
#[derive(Clone, Copy)]
pub(super) enum Told {
    /// What would happen; a trial of many rows leaves a batch with its counts.
    Plan(Option<i64>),
    /// What this command has done: the batch, and when it was submitted.
    Batch(i64, DateTime<Utc>),
    /// What another command had done before, with the same rows.
    Before(i64, DateTime<Utc>),
}

/// What became of the roster, or would.
pub(super) struct Verdict {
    pub(super) told: Told,
    /// Who has stopped it, or what, and why.
    pub(super) stopped: Option<String>,
    pub(super) counts: Counts,
    pub(super) monthly_contributions: i64,
    pub(super) failing: Vec<Failing>,
    pub(super) units: Option<Vec<(String, Counts)>>,
}

impl Verdict {
    /// Is every row enrolled, now or before, or would be?
    pub(super) fn is_whole(&self) -> bool {
        self.counts.rejected == 0 && self.counts.pending == 0
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch = |id: &i64| NodeId::Batch(*id).encode();
        let submitted = |at: &DateTime<Utc>| format!("submitted {}", at.format("%F %T UTC"));
        match self {
            Self::Plan(None) => write!(f, "A plan: nobody was enrolled."),
            Self::Plan(Some(id)) => {
                write!(
                    f,
                    "A plan: nobody was enrolled. Batch {} has its counts, and none of the rows as sent.",
                    batch(id).as_str()
                )
            }
            Self::Batch(id, at) => write!(f, "Batch {}, {}", batch(id).as_str(), submitted(at)),
            Self::Before(id, at) => write!(
                f,
                "This file was onboarded before, as batch {}, {}. Nobody was added. What became of it then:",
                batch(id).as_str(),
                submitted(at)
            ),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.told)?;
        if let Some(stopped) = &self.stopped {
            writeln!(f, "{stopped}")?;
        }
        let Counts { received, pending, enrolled, already_enrolled, rejected, flagged } = self.counts;
        let rupiah = format!("Rp {}", dotted(self.monthly_contributions));
        let is_plan = matches!(self.told, Told::Plan(_));
        let mut facts = vec![
            ("Rows", received.to_string()),
            (if is_plan { "Would be enrolled" } else { "Enrolled" }, enrolled.to_string()),
            ("Enrolled before", already_enrolled.to_string()),
            ("Refused", rejected.to_string()),
            ("Flagged, to be looked at", flagged.to_string()),
            ("Contributions a month", rupiah),
        ];
        if pending > 0 {
            facts.insert(3, ("Not enrolled", pending.to_string()));
        }
        let facts: Vec<_> = facts.into_iter().map(|(name, value)| [name.to_owned(), value]).collect();
        write!(f, "\n{}", table(&facts, [false, true]))?;
        if !self.failing.is_empty() {
            write!(f, "\n{}", problem_table(&self.failing))?;
        }
        if let Some(units) = &self.units {
            write!(f, "\n{}", unit_table(units))?;
        }
        Ok(())
    }
}

/// The problems by code, those that refuse a row first, then the most frequent.
pub(super) fn problem_table(failing: &[Failing]) -> String {
    let mut by_code: BTreeMap<(Severity, ProblemCode), (Vec<i32>, &str)> = BTreeMap::new();
    for row in failing {
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
    let mut rows = vec![["Problem", "Severity", "Rows", "Lines", "For example"].map(str::to_owned)];
    rows.extend(by_code.into_iter().map(|((severity, code), (lines, example))| {
        let shown: Vec<String> = lines.iter().take(LINES_SHOWN).map(i32::to_string).collect();
        let more = if lines.len() > LINES_SHOWN { ", …" } else { "" };
        let shown = format!("{}{more}", shown.join(", "));
        [code.to_string(), severity.to_string(), lines.len().to_string(), shown, example.to_owned()]
    }));
    table(&rows, [false, false, true, false, false])
}

fn unit_table(units: &[(String, Counts)]) -> String {
    let header = ["Work unit", "Rows", "Enrolled", "Before", "Refused", "Look at"].map(str::to_owned);
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

/// Columns side by side, two spaces between them, those of numbers to the right.
fn table<const N: usize>(rows: &[[String; N]], is_number: [bool; N]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells: [String; N] = std::array::from_fn(|at| match is_number[at] {
            true => format!("{:>width$}", row[at], width = widths[at]),
            false => format!("{:<width$}", row[at], width = widths[at]),
        });
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// An amount as it is written in Indonesia: 4.250.000.
fn dotted(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or_default()).collect();
    format!("{}{}", if amount < 0 { "-" } else { "" }, groups.join("."))
}

/// A problem in one line.
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
    fn amounts_have_dots_where_indonesia_has_them() {
        for (amount, text) in [(0, "0"), (999, "999"), (1_000, "1.000"), (-1_234_567, "-1.234.567")] {
            assert_eq!(dotted(amount), text);
        }
    }

    #[test]
    fn problems_are_counted_by_row_and_those_that_refuse_come_first() {
        let doubt = Problem::warning(ProblemCode::ServiceNumberMismatch, "f", "A doubt.");
        let fault = Problem::error(ProblemCode::ServiceNumberMalformed, "f", "A fault.");
        let failing = [
            Failing::new(1, Some(2), RowOutcome::Enrolled, vec![doubt.clone()]),
            Failing::new(2, Some(3), RowOutcome::Rejected, vec![fault.clone(), fault]),
            Failing::new(3, Some(5), RowOutcome::Enrolled, vec![doubt]),
        ];
        assert_eq!(
            problem_table(&failing),
            "Problem                   Severity  Rows  Lines  For example\n\
             SERVICE_NUMBER_MALFORMED  ERROR        1  3      A fault.\n\
             SERVICE_NUMBER_MISMATCH   WARNING      2  2, 5   A doubt.\n"
        );
    }

    #[test]
    fn the_problems_of_a_whole_request_come_to_their_rows() {
        let at = |row: &str, problem: Problem| problem.within(&["rows", row]);
        let fault = Problem::error(ProblemCode::Required, "sex", "Needed.");
        let doubt = Problem::warning(ProblemCode::ServiceNumberMismatch, "f", "A doubt.");
        let failing =
            Failing::of_problems(vec![at("1", fault), at("0", doubt.clone()), at("1", doubt)], &[2, 4]);
        let rows: Vec<_> =
            failing.iter().map(|row| (row.row, row.line, row.is_refused, row.problems.len())).collect();
        assert_eq!(rows, [(0, 2, false, 1), (1, 4, true, 2)]);
    }
}
