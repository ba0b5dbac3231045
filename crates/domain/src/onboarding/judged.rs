//! The judgement of one row of a roster.

use std::borrow::Cow;

use chrono::NaiveDate;

use super::row::{Row, is_optional};
use crate::cell;
use crate::enrollment::{NewEnrollment, PersonForm, Terms, judge_person};
use crate::problem::{Problem, ProblemCode, keep};
use crate::rule::Rulebook;

/// A judged row: its problems, and the enrollment that it asks for if none is an error.
#[derive(Clone, Debug)]
pub struct JudgedRow {
    /// Problems, with paths from `input`.
    pub problems: Vec<Problem>,
    /// Enrollment to store; `None` if the row is refused.
    pub candidate: Option<NewEnrollment>,
}

/// Judges a row by itself. Problems name the fields of the row.
pub fn judge_row(row: &Row, terms: &Terms<'_>, rules: &Rulebook, today: NaiveDate) -> JudgedRow {
    if let Some(fault) = &row.fault {
        return JudgedRow { problems: vec![fault.clone()], candidate: None };
    }
    let (optional, needed): (Vec<_>, Vec<_>) =
        row.failed_cells().into_iter().partition(|field| is_optional(field));
    let mut problems: Vec<Problem> = optional.iter().map(|field| failed_cell(field).left_out()).collect();
    let row = if optional.is_empty() { Cow::Borrowed(row) } else { Cow::Owned(row.without(&optional)) };
    let birth_date = keep(cell::parse_date(&row.birth_date, "birthDate"), &mut problems);
    let sex = keep(cell::parse_sex(&row.sex, "sex"), &mut problems);
    let wage = row.monthly_wage.as_deref().unwrap_or_default();
    let kind = terms.roster_kind();
    if kind.needs_wage() && cell::is_blank(wage) {
        let message = "A wage earner needs a monthly wage.";
        problems.push(Problem::error(ProblemCode::Required, "monthlyWage", message).hint(WAGE_OF_ALL));
    }
    let monthly_wage = keep(cell::parse_wage(wage, "monthlyWage"), &mut problems).flatten();
    let starts_on = row.starts_on.as_deref().filter(|text| !cell::is_blank(text));
    let starts_on = starts_on.and_then(|text| keep(cell::parse_date(text, "startsOn"), &mut problems));
    if let (Some(text), Some(category)) = (&row.category, terms.civil_servants) {
        problems.extend(cell::judge_category(text, category, "category"));
    }
    let form = PersonForm {
        national_id: row.national_id.clone(),
        passport_number: row.passport_number.clone(),
        full_name: row.full_name.clone(),
        birth_date,
        sex,
        phone: row.phone.clone(),
        monthly_wage,
        starts_on,
        service_number: kind.is_of_government().then(|| row.service_number.clone()),
        work_unit: row.work_unit.clone(),
        grade: row.grade.clone(),
        problems,
    };
    let (candidate, problems) = judge_person(form, terms, rules, today);
    let judged = JudgedRow { problems, candidate };
    if needed.is_empty() { judged } else { judged.with_failed_cells(&needed) }
}

const WAGE_OF_ALL: &str =
    "Write basic pay and fixed allowances, in whole rupiah a month: 4250000 or 4.250.000,00.";

/// The problem of a cell with a failed formula.
fn failed_cell(field: &str) -> Problem {
    let message = "This cell holds a spreadsheet error, such as #N/A or #REF!, instead of a value.";
    let hint = "Correct the formula in the original list or type the value, and export it again. If it shows ####, widen \
                the column first.";
    Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint)
}

impl JudgedRow {
    /// Prefixes the paths with the index of the row, from 0.
    pub fn set_index(&mut self, index: usize) {
        let index = index.to_string();
        self.problems =
            std::mem::take(&mut self.problems).into_iter().map(|p| p.within(&["rows", &index])).collect();
    }

    /// Refuses the row because of needed cells with a failed formula. Their problems replace all other problems of those
    /// cells.
    fn with_failed_cells(mut self, fields: &[&str]) -> Self {
        self.problems.retain(|problem| problem.path.first().is_none_or(|at| !fields.contains(&at.as_str())));
        self.problems.extend(fields.iter().map(|field| failed_cell(field)));
        self.candidate = None;
        self
    }
}
