//! Passport numbers, which identify foreigners without an identity number (NIK), and the number that identifies a person:
//! one of the two.

use super::{EXPORT_AS_TEXT, NationalId};
use crate::cell::is_blank;
use crate::problem::{Problem, ProblemCode};
use crate::text::is_invisible;

/// Numbers of characters of a passport number. Machine-readable passports have at most nine; older ones may have more.
const LENGTHS: std::ops::RangeInclusive<usize> = 5..=12;

/// The number of a passport: capital letters and digits. Each country numbers its own, so nothing else is known of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PassportNumber(String);

redacted_debug!(PassportNumber);

impl PassportNumber {
    /// Parses a number as people write it: in small letters, with blanks, hyphens or a leading apostrophe.
    ///
    /// # Errors
    /// `REQUIRED` for a blank text, `IDENTIFIER_DAMAGED_BY_SPREADSHEET` for a quantity, `INVALID_FORMAT` for another text.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        let problem = |code, message: &str| Problem::error(code, field, message.to_owned());
        if is_blank(text) {
            return Err(problem(ProblemCode::Required, "A passport number is needed."));
        }
        let is_filler = |c: char| c.is_whitespace() || is_invisible(c) || c == '-';
        let number = text.trim_matches(is_filler).trim_start_matches('\'');
        let number: String =
            number.chars().filter(|&c| !is_filler(c)).map(|c| c.to_ascii_uppercase()).collect();
        if is_quantity(&number) {
            let message = "A spreadsheet has rounded this passport number to a quantity.";
            return Err(problem(ProblemCode::IdentifierDamagedBySpreadsheet, message).hint(EXPORT_AS_TEXT));
        }
        let is_number = number.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && number.bytes().any(|byte| byte.is_ascii_digit())
            && LENGTHS.contains(&number.len());
        if !is_number {
            let message = format!(
                "A passport number has {} to {} letters and digits, at least one of them a digit.",
                LENGTHS.start(),
                LENGTHS.end()
            );
            return Err(problem(ProblemCode::InvalidFormat, &message)
                .hint("Copy it from the page with the photograph, upper right."));
        }
        Ok(Self(number))
    }

    /// Returns the letters and digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a spreadsheet has printed a number as `1.2E+11` or `123456789.0`.
fn is_quantity(number: &str) -> bool {
    let is_mark = |c: char| matches!(c, '.' | ',' | '+');
    number.contains(is_mark) && number.chars().all(|c| c.is_ascii_digit() || c == 'E' || is_mark(c))
}

/// The number that identifies a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IdentityNumber {
    /// The identity number (NIK) of a resident.
    NationalId(NationalId),
    /// The passport of a foreigner.
    Passport(PassportNumber),
}

impl IdentityNumber {
    /// Returns the letters and digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NationalId(number) => number.as_str(),
            Self::Passport(number) => number.as_str(),
        }
    }

    /// Returns the field that a form has it in.
    pub fn field(&self) -> &'static str {
        match self {
            Self::NationalId(_) => "nationalId",
            Self::Passport(_) => "passportNumber",
        }
    }

    /// Returns the identity number (NIK), of which more can be checked.
    pub fn national_id(&self) -> Option<&NationalId> {
        match self {
            Self::NationalId(number) => Some(number),
            Self::Passport(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passport_number_is_letters_and_digits_however_it_is_written() {
        for (text, number) in [
            ("A1234567", "A1234567"),
            ("'e 12-345 678", "E12345678"),
            ("\u{200b}x98\u{a0}7654", "X987654"),
            ("123456789", "123456789"),
            ("1E234567", "1E234567"),
        ] {
            assert_eq!(PassportNumber::parse(text, "").map(|n| n.0), Ok(number.to_owned()), "{text}");
        }
    }

    #[test]
    fn another_text_is_refused_by_its_cause() {
        use ProblemCode::{IdentifierDamagedBySpreadsheet, InvalidFormat, Required};
        for (text, code) in [
            ("", Required),
            (" - ", Required),
            ("1.23457E+11", IdentifierDamagedBySpreadsheet),
            ("1,2E+8", IdentifierDamagedBySpreadsheet),
            ("123456789.0", IdentifierDamagedBySpreadsheet),
            ("A123", InvalidFormat),
            ("ABCDEFG", InvalidFormat),
            ("A123456789012", InvalidFormat),
            ("Ä1234567", InvalidFormat),
            ("A1234567/B1234567", InvalidFormat),
        ] {
            let problem = PassportNumber::parse(text, "passportNumber").unwrap_err();
            assert_eq!((problem.code, problem.path), (code, vec!["passportNumber".to_owned()]), "{text}");
        }
    }

    #[test]
    fn a_passport_number_is_redacted_in_a_log() {
        let number = IdentityNumber::Passport(PassportNumber::parse("A1234567", "").unwrap());
        assert!(!format!("{number:?}").contains("1234567"));
    }
}
