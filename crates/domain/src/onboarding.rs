//! Onboarding: many civil servants at once, each row judged by itself, every row with exactly one outcome.

mod repeats;
mod staged;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::cell;
use super::enrollment::{NewEnrollment, PersonForm, Terms, judge_person};
use super::identity::NumberColumn;
use super::problem::{Problem, ProblemCode, keep};
use super::rule::Rulebook;

pub use repeats::{Numbers, Repeat};
use staged::FIELDS;
pub use staged::{StagedRow, fields_of_request};

/// Rows of one request at most; files of any size go another way.
pub const MAXIMUM_ROWS: usize = 10_000;

/// Work units that are told of one batch at most, the largest ones: the file names them, and could name one for each row.
pub const MAXIMUM_WORK_UNITS: usize = 500;

closed_list! {
    /// How far a batch is.
    OnboardingState {
        Receiving = "RECEIVING",
        Validating = "VALIDATING",
        AwaitingApproval = "AWAITING_APPROVAL",
        Applying = "APPLYING",
        Completed = "COMPLETED",
        Cancelled = "CANCELLED",
        Failed = "FAILED",
    }
}

impl OnboardingState {
    /// Has every row its outcome, for good?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

closed_list! {
    /// What became of a row.
    RowOutcome {
        Pending = "PENDING",
        Enrolled = "ENROLLED",
        AlreadyEnrolled = "ALREADY_ENROLLED",
        Rejected = "REJECTED",
    }
}

/// One row as the source has it: text, however a spreadsheet wrote it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// NIK.
    pub national_id: String,
    /// NIP.
    pub service_number: String,
    /// NAMA.
    pub full_name: String,
    /// TEMPAT LAHIR. Rosters have it; it is not kept.
    pub birth_place: Option<String>,
    /// TANGGAL LAHIR.
    pub birth_date: String,
    /// JENIS KELAMIN.
    pub sex: String,
    /// UNIT KERJA.
    pub work_unit: Option<String>,
    /// GOLONGAN.
    pub grade: Option<String>,
    /// GAJI POKOK.
    pub monthly_wage: Option<String>,
    /// TMT.
    pub starts_on: Option<String>,
    /// NO HP.
    pub phone: Option<String>,
    /// STATUS KEPEGAWAIAN, where a file says of each row what it says of all. Not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Why nothing of the row could be read; then it says nothing else.
    #[serde(skip)]
    pub fault: Option<Problem>,
}

redacted_debug!(Row);

/// A row with what is wrong with it, and the enrollment that it asks for where nothing forbids it.
#[derive(Clone, Debug)]
pub struct JudgedRow {
    /// All that is wrong, with the path from `input`.
    pub problems: Vec<Problem>,
    /// What is to be written; `None`: the row is refused.
    pub candidate: Option<NewEnrollment>,
}

/// What became of the rows of a batch. `received` is the sum of the next four, at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows sent.
    pub received: i32,
    /// Not decided yet.
    pub pending: i32,
    /// Enrolled by this batch.
    pub enrolled: i32,
    /// Enrolled with this employer before.
    pub already_enrolled: i32,
    /// Refused.
    pub rejected: i32,
    /// Among those enrolled now or before: with a warning that somebody has to look at.
    pub flagged: i32,
}

impl Counts {
    /// Adds one row.
    pub fn add(&mut self, outcome: RowOutcome, flagged: bool) {
        self.add_many(outcome, 1, i32::from(flagged));
    }

    /// Adds rows of one outcome, some of them flagged.
    pub fn add_many(&mut self, outcome: RowOutcome, rows: i32, flagged: i32) {
        self.received += rows;
        *match outcome {
            RowOutcome::Pending => &mut self.pending,
            RowOutcome::Enrolled => &mut self.enrolled,
            RowOutcome::AlreadyEnrolled => &mut self.already_enrolled,
            RowOutcome::Rejected => &mut self.rejected,
        } += rows;
        self.flagged += flagged;
    }
}

/// Judges all rows of a request: each by the rules, then among each other. `lines` says where in their file they stand; it
/// is empty where they came in the request.
///
/// # Errors
/// The problem that stops the request as a whole: a column of identity numbers that a spreadsheet rounded, because
/// then every row is wrong by up to nine.
pub fn judge_rows(
    (rows, lines): (&[Row], &[i32]),
    terms: &Terms<'_>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Result<Vec<JudgedRow>, Problem> {
    let column: NumberColumn = rows.iter().map(|row| row.national_id.as_str()).collect();
    judge_numbers(column, "rows")?;
    let mut judged: Vec<JudgedRow> = rows.iter().map(|row| judge_row(row, terms, rules, today)).collect();
    let mut numbers = Numbers::default();
    for (index, row) in (0..).zip(&judged) {
        let line = lines.get(index as usize).copied();
        row.candidate.iter().for_each(|candidate| numbers.add(index, line, candidate));
    }
    for repeat in numbers.repeats(column) {
        repeat.mark(&mut judged[repeat.row as usize]);
    }
    judged.iter_mut().enumerate().for_each(|(index, row)| row.stand_at(index));
    Ok(judged)
}

/// Judges the identity numbers of all rows together, whether they came in a request or, one by one, from a file.
///
/// # Errors
/// A spreadsheet has rounded the column. Then every row is wrong by up to nine, and none may be enrolled.
pub fn judge_numbers(numbers: NumberColumn, field: &str) -> Result<(), Problem> {
    if !numbers.looks_rounded() {
        return Ok(());
    }
    let message = "Far too many identity numbers end in 0: a spreadsheet has rounded the whole column.";
    let hint = "Format the column as text in the original list, fill it again from the source, and export it as CSV.";
    Err(Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, field, message).hint(hint))
}

impl JudgedRow {
    /// Says in which row, counted from 0, its problems are.
    pub fn stand_at(&mut self, index: usize) {
        let index = index.to_string();
        self.problems =
            std::mem::take(&mut self.problems).into_iter().map(|p| p.within(&["rows", &index])).collect();
    }
}

/// Judges a row by itself; what is said of it names its fields.
pub fn judge_row(row: &Row, terms: &Terms<'_>, rules: &Rulebook, today: NaiveDate) -> JudgedRow {
    if let Some(fault) = &row.fault {
        return JudgedRow { problems: vec![fault.clone()], candidate: None };
    }
    let mut problems = Vec::new();
    let birth_date = keep(cell::parse_date(&row.birth_date, "birthDate"), &mut problems);
    let sex = keep(cell::parse_sex(&row.sex, "sex"), &mut problems);
    let wage = row.monthly_wage.as_deref().unwrap_or_default();
    let monthly_wage = keep(cell::parse_wage(wage, "monthlyWage"), &mut problems).flatten();
    let starts_on = row.starts_on.as_deref().filter(|text| !text.trim().is_empty());
    let starts_on = starts_on.and_then(|text| keep(cell::parse_date(text, "startsOn"), &mut problems));
    if let (Some(text), Some(category)) = (&row.category, terms.civil_servants) {
        problems.extend(cell::judge_category(text, category, "category"));
    }
    let form = PersonForm {
        national_id: row.national_id.clone(),
        full_name: row.full_name.clone(),
        birth_date,
        sex,
        phone: row.phone.clone(),
        monthly_wage,
        starts_on,
        service_number: Some(row.service_number.clone()),
        work_unit: row.work_unit.clone(),
        grade: row.grade.clone(),
        problems,
    };
    let (candidate, problems) = judge_person(form, terms, rules, today);
    let judged = JudgedRow { problems, candidate };
    match row.failed_cells() {
        failed if failed.is_empty() => judged,
        failed => judged.with_failed_cells(&failed),
    }
}

impl Row {
    /// The fields in which stands what a spreadsheet shows for a formula that failed.
    fn failed_cells(&self) -> Vec<&'static str> {
        let texts = [
            Some(&self.national_id),
            Some(&self.service_number),
            Some(&self.full_name),
            self.birth_place.as_ref(),
            Some(&self.birth_date),
            Some(&self.sex),
            self.work_unit.as_ref(),
            self.grade.as_ref(),
            self.monthly_wage.as_ref(),
            self.starts_on.as_ref(),
            self.phone.as_ref(),
            self.category.as_ref(),
        ];
        let fields = FIELDS.into_iter().zip(texts);
        let failed = fields.filter(|(_, text)| text.is_some_and(|text| cell::is_spreadsheet_error(text)));
        failed.map(|(field, _)| field).collect()
    }
}

impl JudgedRow {
    /// Refuses the row for cells whose formula failed. Whatever else was said of them says less.
    fn with_failed_cells(mut self, fields: &[&str]) -> Self {
        self.problems.retain(|problem| problem.path.first().is_none_or(|at| !fields.contains(&at.as_str())));
        let failed = |field: &&str| {
            let message =
                "In this cell stands the error of a spreadsheet, such as #N/A or #REF!, and no value.";
            let hint = "Correct the formula in the original list, or type the value, and export it again. Where #### \
                        stands, widen the column before.";
            Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint)
        };
        self.problems.extend(fields.iter().map(failed));
        self.candidate = None;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_nothing_of_itself_in_a_log() {
        let row = Row { national_id: "1671010208850001".into(), full_name: "Budi".into(), ..Row::default() };
        let form = PersonForm { national_id: row.national_id.clone(), ..PersonForm::default() };
        assert_eq!(format!("{row:?} {form:?}"), "Row(redacted) PersonForm(redacted)");
    }

    #[test]
    fn counts_always_sum() {
        let mut counts = Counts::default();
        for (at, &outcome) in RowOutcome::ALL.iter().cycle().take(23).enumerate() {
            counts.add(outcome, at % 2 == 0);
            let Counts { received, pending, enrolled, already_enrolled, rejected, .. } = counts;
            assert_eq!(received, pending + enrolled + already_enrolled + rejected);
        }
        assert_eq!((counts.received, counts.flagged), (23, 12));
    }
}
