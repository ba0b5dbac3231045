//! Checks that need all rows together. Of several rows with the same number, the first valid one is accepted; the
//! others are refused and point to it. In a short roster where suspiciously many numbers end in 0, each of those is
//! marked.
//!
//! A million rows take some 30 MB, because numbers are stored as integers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::judged::JudgedRow;
use crate::enrollment::NewEnrollment;
use crate::identity::{IdentityNumber, NumberColumn};
use crate::problem::{Problem, ProblemCode};

/// The numbers of the valid rows.
#[derive(Default)]
pub struct Numbers {
    /// Identity and passport numbers.
    identities: Vec<u64>,
    service_numbers: Vec<u64>,
    /// Line in the file of each row.
    lines: Vec<i32>,
}

/// The value for a row without a number.
const NONE: u64 = 0;
/// The value for a row without a line.
const NO_LINE: i32 = 0;

/// A row that repeats a number of an earlier row, or whose number is doubtful. Rows are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The row.
    pub row: u32,
    /// Earlier row with the same identity or passport number.
    pub national_id: Option<u32>,
    /// Earlier row with the same service number.
    pub service_number: Option<u32>,
    /// Lines in the file of these two.
    #[serde(default)]
    pub lines: [Option<i32>; 2],
    /// Whether its identity number is one of suspiciously many that end in 0.
    #[serde(default)]
    pub is_doubtful: bool,
}

impl Numbers {
    /// Adds the numbers of a valid row, counted from 0, and its line in the file.
    pub fn add(&mut self, row: u32, line: Option<i32>, candidate: &NewEnrollment) {
        self.add_person(row, line, &candidate.identity);
        let service_number = candidate.civil_servant.as_ref().and_then(|c| c.service_number.as_ref());
        if let Some(number) = service_number {
            put(&mut self.service_numbers, row, number.as_str().parse().unwrap_or(NONE));
        }
    }

    /// Adds the number that identifies the person of a row, counted from 0, and its line in the file.
    pub fn add_person(&mut self, row: u32, line: Option<i32>, number: &IdentityNumber) {
        if let Some(line) = line {
            self.lines.resize(self.lines.len().max(row as usize + 1), NO_LINE);
            self.lines[row as usize] = line;
        }
        put(&mut self.identities, row, as_integer(number));
    }

    /// Returns the repeated and doubtful rows, in their order. `column` has the identity numbers of all rows.
    pub fn repeats(self, column: NumberColumn) -> Vec<Repeat> {
        let Self { identities, service_numbers, lines } = self;
        let line = |row: Option<u32>| lines.get(row? as usize).copied().filter(|&line| line != NO_LINE);
        let (mut first_national, mut first_service) = (doubled(&identities), doubled(&service_numbers));
        let mut repeats = Vec::new();
        for row in 0..u32::try_from(identities.len().max(service_numbers.len())).unwrap_or(u32::MAX) {
            let at = |numbers: &[u64]| numbers.get(row as usize).copied().unwrap_or(NONE);
            let (national_id, service_number) = (at(&identities), at(&service_numbers));
            let first = |firsts: &HashMap<u64, Option<u32>>, number| firsts.get(&number).copied().flatten();
            let twins = [first(&first_national, national_id), first(&first_service, service_number)];
            let repeat = Repeat {
                row,
                national_id: twins[0],
                service_number: twins[1],
                lines: twins.map(line),
                is_doubtful: column.is_doubtful()
                    && (1..PASSPORTS).contains(&national_id)
                    && national_id % 10 == 0,
            };
            if repeat.national_id.is_some() || repeat.service_number.is_some() {
                repeats.push(repeat);
                continue;
            }
            repeats.extend(Some(repeat).filter(|repeat| repeat.is_doubtful));
            // A refused row does not make a later row a repetition.
            first_national.entry(national_id).and_modify(|first| *first = Some(row));
            first_service.entry(service_number).and_modify(|first| *first = Some(row));
        }
        repeats
    }
}

/// Returns the numbers that occur more than once, each with a slot for the first valid row.
fn doubled(numbers: &[u64]) -> HashMap<u64, Option<u32>> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1 && group[0] != NONE);
    groups.map(|group| (group[0], None)).collect()
}

/// The lowest integer of a passport number. All identity numbers are below it.
const PASSPORTS: u64 = 1 << 63;

/// Returns the integer that identifies a number: an identity number has 16 digits, not all zero, and a passport number up to
/// twelve of 36 characters, which are the digits of a number below 2^63 with the base 37.
fn as_integer(number: &IdentityNumber) -> u64 {
    match number {
        IdentityNumber::NationalId(number) => number.as_str().parse().unwrap_or(NONE),
        IdentityNumber::Passport(number) => {
            let digit = |character: char| u64::from(character.to_digit(36).unwrap_or_default()) + 1;
            PASSPORTS | number.as_str().chars().fold(0, |value, c| value * 37 + digit(c))
        }
    }
}

fn put(numbers: &mut Vec<u64>, row: u32, number: u64) {
    let row = row as usize;
    if numbers.len() <= row {
        numbers.resize(row + 1, NONE);
    }
    numbers[row] = number;
}

impl Repeat {
    /// Refuses the row, or marks it if it is only doubtful.
    pub fn mark(&self, row: &mut JudgedRow) {
        let identity = row.candidate.as_ref().map_or("nationalId", |candidate| candidate.identity.field());
        let twins = [
            (identity, self.national_id, self.lines[0]),
            ("serviceNumber", self.service_number, self.lines[1]),
        ];
        let problem =
            |(field, first, line): (&str, Option<u32>, Option<i32>)| {
                let first = first? + 1;
                let message = match line {
                    Some(line) => format!("Line {line} of the file has the same number."),
                    None => format!("Row {first} of this request has the same number."),
                };
                let problem = Problem::error(ProblemCode::DuplicateInRequest, field, message);
                Some(problem.hint(
                    "Keep one row for each person; where these are two people, correct the number of one.",
                ))
            };
        row.problems.extend(twins.into_iter().filter_map(problem));
        if self.is_doubtful {
            self.doubt(row);
        }
        if self.national_id.is_some() || self.service_number.is_some() {
            row.candidate = None;
        }
    }

    fn doubt(&self, row: &mut JudgedRow) {
        let code = ProblemCode::IdentifierDamagedBySpreadsheet;
        let message = "The identity number (NIK) ends in 0, like suspiciously many in this roster: a spreadsheet may have \
                       rounded it.";
        let hint = "Compare it with the identity card (KTP). Where it is another one, format the column as text, fill it \
                    again from the source, and correct the person.";
        row.problems.push(Problem::warning(code, "nationalId", message).hint(hint));
        if let Some(candidate) = &mut row.candidate {
            candidate.flags.push(code);
            candidate.flags.sort_unstable();
            candidate.flags.dedup();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the repeats among rows with these identity and service numbers. 0 means no number.
    fn repeats(rows: &[(u64, u64)]) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let (identities, service_numbers) = rows.iter().copied().unzip();
        let found =
            Numbers { identities, service_numbers, lines: Vec::new() }.repeats(NumberColumn::default());
        found.into_iter().map(|r| (r.row, r.national_id, r.service_number)).collect()
    }

    #[test]
    fn the_first_row_with_a_number_counts_and_the_others_point_to_it() {
        assert_eq!(
            repeats(&[(7, 0), (8, 0), (7, 0), (0, 0), (7, 0)]),
            [(2, Some(0), None), (4, Some(0), None)]
        );
    }

    #[test]
    fn an_identity_number_is_no_service_number() {
        assert_eq!(repeats(&[(7, 0), (0, 7)]), []);
    }

    #[test]
    fn a_refused_row_does_not_make_a_later_one_a_repetition() {
        // Row 1 repeats row 0; row 2 has the service number of row 1, and is the first that has it and counts.
        assert_eq!(repeats(&[(7, 70), (7, 71), (9, 71)]), [(1, Some(0), None)]);
    }

    #[test]
    fn a_row_of_a_file_points_to_the_lines_of_the_file() {
        let numbers = Numbers {
            identities: vec![7, 8, 7],
            service_numbers: vec![70, 71, 71],
            // A title and a header are above them.
            lines: vec![3, 5, 6],
        };
        let repeats = numbers.repeats(NumberColumn::default());
        assert_eq!(repeats[0].lines, [Some(3), Some(5)]);
        let mut row = JudgedRow { problems: Vec::new(), candidate: None };
        repeats[0].mark(&mut row);
        let messages: Vec<&str> = row.problems.iter().map(|problem| problem.message.as_str()).collect();
        let line = |line: i32| format!("Line {line} of the file has the same number.");
        assert_eq!(messages, [line(3), line(5)]);
    }

    #[test]
    fn a_repetition_stored_by_an_earlier_release_is_read() {
        let repeat: Repeat =
            serde_json::from_str(r#"{"row":2,"national_id":0,"service_number":null}"#).unwrap();
        assert_eq!((repeat.national_id, repeat.lines, repeat.is_doubtful), (Some(0), [None; 2], false));
    }

    #[test]
    fn no_passport_number_is_taken_for_another_number() {
        use crate::identity::{NationalId, PassportNumber, RegionCodes};
        let passport =
            |text: &str| as_integer(&IdentityNumber::Passport(PassportNumber::parse(text, "").unwrap()));
        let numbers = ["A0000001", "A000001", "0A000001", "00000", "000000", "ZZZZZZZZZZZ9", "ZZZZZZZZZZY9"]
            .map(passport);
        let mut each_once = numbers.to_vec();
        each_once.sort_unstable();
        each_once.dedup();
        assert_eq!(each_once.len(), numbers.len());
        let (resident, _) = NationalId::parse("1671010208850001", &RegionCodes::new(["16"]), "").unwrap();
        let resident = as_integer(&IdentityNumber::NationalId(resident));
        assert!(resident < PASSPORTS && numbers.iter().all(|&number| number > PASSPORTS));
    }

    #[test]
    fn a_row_may_repeat_two_rows() {
        assert_eq!(repeats(&[(7, 0), (0, 71), (7, 71)]), [(2, Some(0), Some(1))]);
    }
}
