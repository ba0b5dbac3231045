//! Rows with one number: the first that breaks no rule counts, the others are refused and point to it.
//!
//! A million rows are looked at in 32 MB: a number is its value, and not a text.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::JudgedRow;
use crate::domain::enrollment::NewEnrollment;
use crate::domain::problem::{Problem, ProblemCode};

/// Told apart from an identity number of the same value.
const SERVICE_NUMBER: u64 = 1 << 63;

/// The numbers of the rows that break no rule, as they come.
#[derive(Default)]
pub struct Numbers(Vec<(u64, u32)>);

/// A row that has a number of an earlier row; both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The row.
    pub row: u32,
    /// The one that has its identity number.
    pub national_id: Option<u32>,
    /// The one that has its service number.
    pub service_number: Option<u32>,
}

impl Numbers {
    /// Takes down the numbers of a row, counted from 0, that breaks no rule.
    pub fn add(&mut self, row: u32, candidate: &NewEnrollment) {
        let service_number = candidate.civil_servant.as_ref().and_then(|c| c.service_number.as_ref());
        // Both are digits, at most 18 of them.
        self.0.extend(value(candidate.national_id.as_str()).map(|value| (value, row)));
        let service_number = service_number.and_then(|number| value(number.as_str()));
        self.0.extend(service_number.map(|value| (value | SERVICE_NUMBER, row)));
    }

    /// The rows that repeat a number, in their order.
    pub fn repeats(mut self) -> Vec<Repeat> {
        self.0.sort_unstable();
        let mut concerned: Vec<(u32, u64)> = Vec::new();
        for group in self.0.chunk_by(|(a, _), (b, _)| a == b).filter(|group| group.len() > 1) {
            concerned.extend(group.iter().map(|&(value, row)| (row, value)));
        }
        drop(self.0);
        concerned.sort_unstable();
        let mut first_with: HashMap<u64, u32> = HashMap::new();
        let mut repeats = Vec::new();
        for numbers in concerned.chunk_by(|(a, _), (b, _)| a == b) {
            let first = |is_service: bool| {
                let mut found =
                    numbers.iter().filter(|(_, value)| (value & SERVICE_NUMBER != 0) == is_service);
                found.find_map(|(_, value)| first_with.get(value).copied())
            };
            let repeat = Repeat { row: numbers[0].0, national_id: first(false), service_number: first(true) };
            if repeat.national_id.is_none() && repeat.service_number.is_none() {
                // A row that is refused keeps no number from a later one.
                first_with.extend(numbers.iter().map(|&(row, value)| (value, row)));
            } else {
                repeats.push(repeat);
            }
        }
        repeats
    }
}

impl Repeat {
    /// Refuses the row.
    pub fn refuse(&self, row: &mut JudgedRow) {
        let fields = [("nationalId", self.national_id), ("serviceNumber", self.service_number)];
        let problem = |(field, first): (&str, Option<u32>)| {
            let message = format!("Row {} of this request has the same number.", first? + 1);
            let problem = Problem::error(ProblemCode::DuplicateInRequest, field, message);
            Some(problem.hint("Keep one row for each person."))
        };
        row.problems.extend(fields.into_iter().filter_map(problem));
        row.candidate = None;
    }
}

fn value(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|value| value & SERVICE_NUMBER == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(numbers: &[(u64, u32)]) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let found = Numbers(numbers.to_vec()).repeats();
        found.into_iter().map(|r| (r.row, r.national_id, r.service_number)).collect()
    }

    #[test]
    fn the_first_row_with_a_number_counts_and_the_others_point_to_it() {
        assert_eq!(repeats(&[(7, 0), (8, 1), (7, 4), (7, 2)]), [(2, Some(0), None), (4, Some(0), None)]);
    }

    #[test]
    fn an_identity_number_is_no_service_number() {
        assert_eq!(repeats(&[(7, 0), (7 | SERVICE_NUMBER, 1)]), []);
    }

    #[test]
    fn a_row_that_is_refused_keeps_no_number_from_a_later_one() {
        let service = |value: u64| value | SERVICE_NUMBER;
        // Row 1 repeats row 0; row 2 has the service number of row 1 and is the first that has it and counts.
        let numbers = [(7, 0), (service(70), 0), (7, 1), (service(71), 1), (9, 2), (service(71), 2)];
        assert_eq!(repeats(&numbers), [(1, Some(0), None)]);
    }

    #[test]
    fn a_row_may_repeat_two_rows() {
        let service = |value: u64| value | SERVICE_NUMBER;
        let numbers = [(7, 0), (service(71), 1), (7, 2), (service(71), 2)];
        assert_eq!(repeats(&numbers), [(2, Some(0), Some(1))]);
    }
}
