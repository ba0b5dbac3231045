//! Service numbers (NIP) of civil servants.

use chrono::{Datelike, NaiveDate};

use super::{EXPORT_AS_TEXT, NationalId, Parsed, Shape, date, number};
use crate::problem::{Problem, ProblemCode, refuses};
use crate::vocabulary::Sex;

/// *Nomor Induk Pegawai* (NIP), the number of a civil servant since 2007: `YYYYMMDD YYYYMM S NNN`.
///
/// The parts are birth date, month of appointment, sex (1 male, 2 female) and serial (BKN Regulation 22/2007).
/// Contract staff (PPPK) have a marker in place of the month.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceNumber {
    digits: String,
    birth_date: NaiveDate,
    sex: Sex,
}

/// Parameters of the check that have no published source. They are in table `rule_setting`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceNumberRules {
    /// Minimum age at appointment, in years; an earlier appointment is a warning.
    pub minimum_age_at_appointment: i32,
    /// Markers in place of the month for contract staff, such as `21`.
    pub contract_markers: Vec<String>,
}

impl ServiceNumber {
    /// Parses a number as people and spreadsheets write it. Only contract staff (PPPK, `on_contract`) may have a marker
    /// in place of the month; they may also have an ordinary month.
    ///
    /// # Errors
    ///
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET`, `SERVICE_NUMBER_OLD_FORMAT` (nine digits, before 2007) or
    /// `SERVICE_NUMBER_MALFORMED` alone, unless the text has 18 digits. Otherwise all that apply of
    /// `SERVICE_NUMBER_MALFORMED` (birth date, sex, month of appointment, appointment after `today`) and
    /// `IDENTIFIER_DAMAGED_BY_SPREADSHEET` (serial 000). An appointment below the minimum age is the warning
    /// `SERVICE_NUMBER_MISMATCH`.
    pub fn parse(
        text: &str,
        rules: &ServiceNumberRules,
        on_contract: bool,
        today: NaiveDate,
        field: &str,
    ) -> Parsed<Self> {
        use ProblemCode::{
            IdentifierDamagedBySpreadsheet, ServiceNumberMalformed, ServiceNumberMismatch,
            ServiceNumberOldFormat,
        };
        const SHAPE: Shape =
            Shape { name: "A service number (NIP)", lengths: &[18, 9], malformed: ServiceNumberMalformed };

        let digits = SHAPE.read(text, field).map_err(|problem| vec![problem])?;
        if digits.len() == 9 {
            let message =
                "This service number (NIP) has the 9 digits of the form before 2007; 18 are needed.";
            let hint = "The personnel agency (BKD or BKN) knows the number that replaced it.";
            return Err(vec![Problem::error(ServiceNumberOldFormat, field, message).hint(hint)]);
        }
        let malformed = |message: &str| Problem::error(ServiceNumberMalformed, field, message);

        let mut problems = Vec::new();
        let birth_date = date(number(&digits[..4]), number(&digits[4..6]), number(&digits[6..8]))
            .filter(|birth| birth.year() >= 1900 && *birth <= today);
        if birth_date.is_none() {
            problems.push(malformed("Digits 1 to 8 are not a birth date: year, month, day."));
        }
        match (Appointed::read(&digits[8..14], rules, on_contract), birth_date) {
            (Err((message, hint)), _) => problems.push(malformed(message).hint(hint)),
            (Ok(appointed), _) if appointed.is_after(today) => {
                problems.push(malformed("The month of appointment in digits 9 to 14 is in the future."));
            }
            (Ok(appointed), Some(birth))
                if appointed.is_below_age(rules.minimum_age_at_appointment, birth) =>
            {
                let age = rules.minimum_age_at_appointment;
                let message =
                    format!("By its service number (NIP) the person was appointed before the age of {age}.");
                problems.push(Problem::warning(ServiceNumberMismatch, field, message).hint(NUMBER_IS_KEPT));
            }
            _ => {}
        }
        let sex = match &digits[14..15] {
            "1" => Some(Sex::Male),
            "2" => Some(Sex::Female),
            _ => {
                problems.push(malformed("Digit 15 must be 1 (male) or 2 (female)."));
                None
            }
        };
        if &digits[15..] == "000" {
            let message = "The serial 000 is never issued; a spreadsheet has rounded the number.";
            problems
                .push(Problem::error(IdentifierDamagedBySpreadsheet, field, message).hint(EXPORT_AS_TEXT));
        }
        match (birth_date, sex) {
            (Some(birth_date), Some(sex)) if !refuses(&problems) => {
                Ok((Self { digits, birth_date, sex }, problems))
            }
            _ => Err(problems),
        }
    }

    /// Returns the 18 digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        &self.digits
    }

    /// Returns the registered birth date.
    pub fn birth_date(&self) -> NaiveDate {
        self.birth_date
    }

    /// Returns the registered sex.
    pub fn sex(&self) -> Sex {
        self.sex
    }
}

/// Compares a number with the declared birth date and sex and with the identity number. Returns up to four warnings
/// `SERVICE_NUMBER_MISMATCH` at `field`; which of them occur shows which datum is wrong.
pub fn check_service_number(
    number: &ServiceNumber,
    birth_date: Option<NaiveDate>,
    sex: Option<Sex>,
    national_id: Option<&NationalId>,
    field: &str,
) -> Vec<Problem> {
    let found = [
        (
            birth_date.is_some_and(|date| date != number.birth_date),
            "The service number (NIP) was issued for another birth date.",
        ),
        (sex.is_some_and(|sex| sex != number.sex), "The service number (NIP) was issued for the other sex."),
        (
            national_id.is_some_and(|id| !id.was_born_on(number.birth_date)),
            "The service number (NIP) and the identity number (NIK) have different birth dates.",
        ),
        (
            national_id.is_some_and(|id| id.sex() != number.sex),
            "The service number (NIP) and the identity number (NIK) were issued for different sexes.",
        ),
    ];
    let problem = |(_, message)| {
        Problem::warning(ProblemCode::ServiceNumberMismatch, field, message).hint(NUMBER_IS_KEPT)
    };
    found.into_iter().filter(|(differs, _)| *differs).map(problem).collect()
}

redacted_debug!(ServiceNumber);

const NUMBER_IS_KEPT: &str = "Check the letter of appointment. The person is accepted and marked.";

/// Time of appointment, in months since year 0. A contract number contains only the year, hence a range.
struct Appointed {
    earliest: i64,
    latest: i64,
}

impl Appointed {
    /// Reads digits 9 to 14. An error comes with a hint.
    fn read(
        digits: &str,
        rules: &ServiceNumberRules,
        on_contract: bool,
    ) -> Result<Self, (&'static str, &'static str)> {
        let (year, month) = (i64::from(number(&digits[..4])), &digits[4..]);
        match i64::from(number(month)) {
            month @ 1..=12 => Ok(Self { earliest: year * 12 + month, latest: year * 12 + month }),
            _ if !rules.contract_markers.iter().any(|marker| marker == month) => {
                let message = "Digits 13 and 14 are not a month.";
                Err((message, "Compare the number with the letter of appointment."))
            }
            _ if on_contract => Ok(Self { earliest: year * 12 + 1, latest: year * 12 + 12 }),
            _ => {
                let message = "This is the number of contract staff (PPPK), not of a civil servant.";
                Err((message, "If the person serves under contract, enroll them in the category PPPK."))
            }
        }
    }

    fn is_after(&self, today: NaiveDate) -> bool {
        self.earliest > months(today)
    }

    fn is_below_age(&self, years: i32, birth_date: NaiveDate) -> bool {
        self.latest - months(birth_date) < i64::from(years) * 12
    }
}

fn months(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month())
}
