//! NIP, the service number of civil servants.

use chrono::{Datelike, NaiveDate};

use super::{EXPORT_AS_TEXT, NationalId, Parsed, Shape, date, number};
use crate::problem::{Problem, ProblemCode, refuses};
use crate::vocabulary::Sex;

/// *Nomor Induk Pegawai*, the number of a civil servant since 2007: `YYYYMMDD YYYYMM S NNN`.
///
/// Birth date, month of appointment, sex (1 a man, 2 a woman), serial (BKN regulation 22/2007). The number of
/// contract staff (PPPK) has a marker where the month would be.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceNumber {
    digits: String,
    birth_date: NaiveDate,
    sex: Sex,
}

/// What is only recalled about service numbers, and therefore set in table `rule_setting`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceNumberRules {
    /// Years of age below which nobody is appointed; an earlier appointment is doubted, not refused.
    pub minimum_age_at_appointment: i32,
    /// What stands in place of the month of appointment for contract staff: `21` and the like.
    pub contract_markers: Vec<String>,
}

impl ServiceNumber {
    /// Reads a number as people and spreadsheets write it. Only those who serve `on_contract` (PPPK) may have a marker
    /// in place of the month; an ordinary month is taken of them too, as the form of their numbers is only recalled.
    ///
    /// # Errors
    ///
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET`, `SERVICE_NUMBER_OLD_FORMAT` (the nine digits of before 2007)
    /// and `SERVICE_NUMBER_MALFORMED` for a text that is no 18 digits, alone. Otherwise all that apply of
    /// `SERVICE_NUMBER_MALFORMED` (birth date, sex, month of appointment, or an appointment after `today`) and
    /// `IDENTIFIER_DAMAGED_BY_SPREADSHEET` (serial 000). An appointment below the minimum age is a warning,
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
            let message = "This is a service number (NIP) of before 2007, of 9 digits; 18 are needed.";
            let hint = "The personnel agency (BKD or BKN) knows the number that replaced it.";
            return Err(vec![Problem::error(ServiceNumberOldFormat, field, message).hint(hint)]);
        }
        let malformed = |message: &str| Problem::error(ServiceNumberMalformed, field, message);

        let mut problems = Vec::new();
        let birth_date = date(number(&digits[..4]), number(&digits[4..6]), number(&digits[6..8]))
            .filter(|birth| birth.year() >= 1900 && *birth <= today);
        if birth_date.is_none() {
            problems.push(malformed("Digits 1 to 8 are no birth date: year, month, day."));
        }
        match (Appointed::read(&digits[8..14], rules, on_contract), birth_date) {
            (Err((message, hint)), _) => problems.push(malformed(message).hint(hint)),
            (Ok(appointed), _) if appointed.is_after(today) => {
                problems.push(malformed("The appointment in digits 9 to 14 lies in the future."));
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
                problems.push(malformed("Digit 15 is neither 1 (a man) nor 2 (a woman)."));
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

    /// The 18 digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        &self.digits
    }

    /// The birth date under which the person was appointed.
    pub fn birth_date(&self) -> NaiveDate {
        self.birth_date
    }

    /// The sex under which the person was appointed.
    pub fn sex(&self) -> Sex {
        self.sex
    }
}

/// Compares a number with what is known of its holder: the declared birth date and sex, and the identity number.
/// Warnings `SERVICE_NUMBER_MISMATCH` at `field`, up to four: which of them agree tells which datum is wrong.
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

const NUMBER_IS_KEPT: &str =
    "Check the letter of appointment. This alone refuses nobody: who is enrolled with it is marked.";

/// When somebody was appointed, in months since year 0. A contract number says only the year, hence a range.
struct Appointed {
    earliest: i64,
    latest: i64,
}

impl Appointed {
    /// Reads digits 9 to 14. The fault comes with what to do about it.
    fn read(
        digits: &str,
        rules: &ServiceNumberRules,
        on_contract: bool,
    ) -> Result<Self, (&'static str, &'static str)> {
        let (year, month) = (i64::from(number(&digits[..4])), &digits[4..]);
        match i64::from(number(month)) {
            month @ 1..=12 => Ok(Self { earliest: year * 12 + month, latest: year * 12 + month }),
            _ if !rules.contract_markers.iter().any(|marker| marker == month) => {
                let message = "Digits 13 and 14 are no month of appointment.";
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
