//! Employers: their names, official numbers, risk class, size and headcount; and changes of them.
//!
//! The tax number of a natural person is their identity number, and needs the same protection.

use super::identity::{EXPORT_AS_TEXT, NationalId, Parsed, RegionCodes, Shape};
use super::participant::name_key;
use super::problem::{Problem, ProblemCode};
use super::text;
pub use super::vocabulary::{EmployerKind, EmployerSize};

mod facts;

pub use facts::{
    Classification, Dated, EmployerField, EmployerHistory, FactChange, FactRecord, FactStep, Facts,
    StoredNumber, judge_change, judge_change_form, number_taken,
};

/// The name of an employer or association.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrganisationName(String);

impl OrganisationName {
    /// Maximum length in characters.
    pub const MAX_CHARS: usize = 200;

    /// Parses a name into [normal form](crate::text::fold).
    ///
    /// # Errors
    /// `REQUIRED` if empty, `OUT_OF_RANGE` above [`MAX_CHARS`](Self::MAX_CHARS), `INVALID_FORMAT` for control
    /// characters and for a name without letter and digit.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        let name = text::required(text, Self::MAX_CHARS, field)?;
        if !name.chars().any(char::is_alphanumeric) {
            let message = "A name has at least one letter or digit.";
            return Err(Problem::error(ProblemCode::InvalidFormat, field, message));
        }
        Ok(Self(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name for matching and ordering: lower case, with spaces for punctuation. Never empty.
    pub fn key(&self) -> String {
        organisation_key(&self.0)
    }
}

/// Returns a name for matching and ordering, as [`OrganisationName::key`] does, from its normal form.
pub fn organisation_key(name: &str) -> String {
    let key = name_key(name);
    if key.is_empty() { name.to_lowercase() } else { key }
}

/// *Nomor Pokok Wajib Pajak* (NPWP), the tax number, in its current form of 16 digits.
///
/// Organisations have a 0 before the former 15 digits, the ninth of which is a check digit. Residents have their
/// identity number, which never begins with 0 (Regulation of the Minister of Finance 112/2022).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TaxNumber(String);

impl TaxNumber {
    /// Parses a number of 15 or 16 digits and returns 16. `regions` are needed to check the numbers of persons.
    ///
    /// # Errors
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET` or `TAX_NUMBER_MALFORMED`. For the number of a person, all
    /// errors of the identity number under this code; its warnings stay warnings.
    pub fn parse(text: &str, regions: &RegionCodes, field: &str) -> Parsed<Self> {
        const SHAPE: Shape = Shape {
            name: "A tax number (NPWP)",
            lengths: &[16, 15],
            malformed: ProblemCode::TaxNumberMalformed,
        };
        let malformed = |message: &str| Problem::error(ProblemCode::TaxNumberMalformed, field, message);

        let digits = SHAPE.read(text, field).map_err(|problem| vec![problem])?;
        let sixteen = if digits.len() == 15 { format!("0{digits}") } else { digits };
        if !sixteen.starts_with('0') {
            return match NationalId::parse(&sixteen, regions, field) {
                Ok((_, doubts)) => Ok((Self(sixteen), doubts.into_iter().map(as_tax_problem).collect())),
                Err(problems) => Err(problems.into_iter().map(as_tax_problem).collect()),
            };
        }
        let (checked, _office_and_branch) = sixteen.split_at(10);
        if checked.bytes().all(|digit| digit == b'0') {
            let message = "A tax number (NPWP) of zeros means that there is none.";
            return Err(vec![malformed(message).hint("Leave the field empty if there is no number.")]);
        }
        if luhn(checked) != 0 {
            let message = "The check digit of the tax number (NPWP) is wrong: a digit was mistyped.";
            return Err(vec![
                malformed(message).hint("Compare the number with the tax card, digit by digit."),
            ]);
        }
        Ok((Self(sixteen), Vec::new()))
    }

    /// Returns the 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is an identity number and must be protected like one. A number of the former form may also
    /// belong to a person, but its digits do not show that.
    pub fn is_personal(&self) -> bool {
        !self.0.starts_with('0')
    }
}

/// *Nomor Induk Berusaha* (NIB), the business number: 13 digits, issued since 2018. No check digit is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BusinessNumber(String);

impl BusinessNumber {
    /// Parses a number as people and spreadsheets write it.
    ///
    /// # Errors
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET`, or `BUSINESS_NUMBER_MALFORMED` unless it has 13 digits.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        const SHAPE: Shape = Shape {
            name: "A business number (NIB)",
            lengths: &[13],
            malformed: ProblemCode::BusinessNumberMalformed,
        };
        SHAPE.read(text, field).map(Self)
    }

    /// Returns the 13 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Work-accident risk class of a line of business, 1 (lowest) to 5: Government Regulation 44/2015, annex I.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RiskClass(i32);

impl RiskClass {
    /// Checks a class.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` outside 1 to 5.
    pub fn parse(class: i32, field: &str) -> Result<Self, Problem> {
        if (1..=5).contains(&class) {
            return Ok(Self(class));
        }
        Err(Problem::error(ProblemCode::OutOfRange, field, "The risk class must be between 1 and 5."))
    }

    /// Returns the number, 1 to 5.
    pub fn get(self) -> i32 {
        self.0
    }
}

/// Headcount declared by an employer. Zero is valid: a new company starts without workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Headcount(i32);

impl Headcount {
    /// Checks a count.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` below 0.
    pub fn parse(count: i32, field: &str) -> Result<Self, Problem> {
        if count >= 0 {
            return Ok(Self(count));
        }
        Err(Problem::error(ProblemCode::OutOfRange, field, "A headcount must be 0 or more."))
    }

    /// Returns the count.
    pub fn get(self) -> i32 {
        self.0
    }
}

redacted_debug!(TaxNumber);

/// Turns a problem of an identity number into one of a tax number, because the caller may not know that they are the
/// same.
fn as_tax_problem(problem: Problem) -> Problem {
    if problem.code == ProblemCode::IdentifierDamagedBySpreadsheet {
        return problem.hint(EXPORT_AS_TEXT);
    }
    let hint = "A tax number of 16 digits that does not begin with 0 is a person's identity number (NIK). An \
                organisation's is 0 and its 15 digits.";
    Problem { code: ProblemCode::TaxNumberMalformed, ..problem }.hint(hint)
}

/// Returns the sum of the Luhn algorithm modulo 10: 0 if the last digit is the right check digit.
fn luhn(digits: &str) -> u32 {
    let double = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let value = |(at, digit)| {
        let digit = u32::from(digit - b'0');
        if at % 2 == 1 { double(digit) } else { digit }
    };
    digits.bytes().rev().enumerate().map(value).sum::<u32>() % 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tax_number(text: &str) -> Parsed<TaxNumber> {
        TaxNumber::parse(text, &RegionCodes::new(["16", "65"]), "taxNumber")
    }

    #[track_caller]
    fn code_of<T>(parsed: Parsed<T>) -> ProblemCode {
        match parsed {
            Ok(_) => panic!("accepted"),
            Err(problems) => problems[0].code,
        }
    }

    #[test]
    fn both_forms_of_a_tax_number_become_one() {
        for text in ["01.312.166.0-091.000", "013121660091000", "0013121660091000", "'01 312 166 0 091 000"] {
            assert_eq!(tax_number(text).unwrap().0.as_str(), "0013121660091000");
        }
        assert_eq!(
            crate::identity::masked(tax_number("02.433.917.8-011.000").unwrap().0.as_str()),
            "**************00"
        );
        assert!(!tax_number("02.433.917.8-011.000").unwrap().0.is_personal());
    }

    #[test]
    fn a_wrong_check_digit_is_refused_in_both_forms() {
        for text in ["01.451.869.7-054.000", "0014518697054000"] {
            assert_eq!(code_of(tax_number(text)), ProblemCode::TaxNumberMalformed);
        }
    }

    #[test]
    fn a_tax_number_of_zeros_is_refused() {
        assert_eq!(code_of(tax_number("00.000.000.0-000.000")), ProblemCode::TaxNumberMalformed);
    }

    #[test]
    fn the_tax_number_of_a_person_is_their_identity_number() {
        let (number, doubts) = tax_number("1671010208850001").unwrap();
        assert!(number.is_personal() && doubts.is_empty());
        assert_eq!(code_of(tax_number("9971010208850001")), ProblemCode::TaxNumberMalformed);
        assert_eq!(code_of(tax_number("1671010208850000")), ProblemCode::IdentifierDamagedBySpreadsheet);
    }

    #[test]
    fn a_doubtful_regency_does_not_refuse_a_tax_number() {
        let (_, doubts) = tax_number("1600010208850001").unwrap();
        assert_eq!(doubts.len(), 1);
        assert!(!doubts[0].is_error() && doubts[0].code == ProblemCode::TaxNumberMalformed);
    }

    #[test]
    fn a_tax_number_is_redacted_in_a_log() {
        assert_eq!(format!("{:?}", tax_number("1671010208850001").unwrap().0), "TaxNumber(redacted)");
    }

    #[test]
    fn a_business_number_has_13_digits() {
        assert_eq!(BusinessNumber::parse(" 8120-0138-21456 ", "f").unwrap().as_str(), "8120013821456");
        for (text, code) in [
            ("812001382145", ProblemCode::BusinessNumberMalformed),
            ("81200138214 NIB", ProblemCode::BusinessNumberMalformed),
            ("8,12E+12", ProblemCode::IdentifierDamagedBySpreadsheet),
            (" ", ProblemCode::Required),
        ] {
            assert_eq!(BusinessNumber::parse(text, "f").unwrap_err().code, code);
        }
    }

    #[test]
    fn risk_classes_and_headcounts_have_limits() {
        assert_eq!([1, 5].map(|class| RiskClass::parse(class, "f").unwrap().get()), [1, 5]);
        assert!([0, 6, -1].iter().all(|&class| RiskClass::parse(class, "f").is_err()));
        assert_eq!(Headcount::parse(0, "f").unwrap().get(), 0);
        assert_eq!(Headcount::parse(-1, "f").unwrap_err().code, ProblemCode::OutOfRange);
    }

    #[test]
    fn the_name_of_an_organisation_keeps_its_form_and_has_a_key() {
        let name = OrganisationName::parse("  PT.  Karya\n\"Mandiri\" (Persero), Tbk. ", "f").unwrap();
        assert_eq!(name.as_str(), "PT. Karya \"Mandiri\" (Persero), Tbk.");
        assert_eq!(name.key(), "pt karya mandiri persero tbk");
        assert_eq!(OrganisationName::parse("...", "f").unwrap_err().code, ProblemCode::InvalidFormat);
        assert_eq!(OrganisationName::parse(&"a".repeat(201), "f").unwrap_err().code, ProblemCode::OutOfRange);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>(), digits in "[0-9OEe+., '-]{0,24}") {
            for text in [text, digits] {
                let _ = (tax_number(&text), BusinessNumber::parse(&text, "f"));
                if let Ok(name) = OrganisationName::parse(&text, "f") {
                    prop_assert!(!name.key().is_empty());
                }
            }
        }

        #[test]
        fn one_wrong_digit_of_a_tax_number_is_found(at in 0_usize..9, to in 0_u8..10) {
            let mut digits = "013121660091000".to_owned().into_bytes();
            prop_assume!(digits[at] != b'0' + to);
            digits[at] = b'0' + to;
            prop_assert!(tax_number(std::str::from_utf8(&digits).unwrap()).is_err());
        }
    }
}
