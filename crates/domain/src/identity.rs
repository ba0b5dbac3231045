//! Official numbers of a person: NIK, the identity number, the passport of a foreigner who has none, and NIP, the service
//! number of civil servants.
//!
//! NIK and NIP have no check digit, so this module checks the parts of the number: a region, a birth date, a sex, a serial. A
//! number that cannot exist is an error. A number that disagrees with the declared data is a warning: the state never
//! reissues a number to match a birth date, so refusing it would lock real people out. Only the civil registry knows
//! whether a number was issued.
//!
//! `{:?}` does not show the digits of a value, and no message repeats a number.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use chrono::{Datelike, NaiveDate};

use super::problem::{Problem, ProblemCode, refuses};
use super::text::is_invisible;
use super::vocabulary::Sex;

mod passport;
mod service_number;

pub use passport::{IdentityNumber, PassportNumber};
pub use service_number::{ServiceNumber, ServiceNumberRules, check_service_number};

/// A parsed value with its warnings, or the problems of the text.
pub type Parsed<T> = Result<(T, Vec<Problem>), Vec<Problem>>;

/// *Nomor Induk Kependudukan* (NIK), the identity number of a resident: 16 digits, `PPKKCC DDMMYY SSSS`.
///
/// The parts are the region of first registration, the birth date (the day of a woman plus 40, the year without
/// century) and a serial. The region says where the number was issued, not where its holder lives.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NationalId(String);

impl NationalId {
    /// Parses a number as people and spreadsheets write it.
    ///
    /// `regions` has the province codes of all editions, because a number outlives the province that issued it.
    ///
    /// # Errors
    ///
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET` or `NATIONAL_ID_MALFORMED` alone, unless the text has 16
    /// digits. Otherwise all that apply of `NATIONAL_ID_UNKNOWN_REGION` (province; an impossible regency or district
    /// is only a warning), `NATIONAL_ID_MALFORMED` (birth date) and `IDENTIFIER_DAMAGED_BY_SPREADSHEET` (serial
    /// 0000).
    pub fn parse(text: &str, regions: &RegionCodes, field: &str) -> Parsed<Self> {
        use ProblemCode::{IdentifierDamagedBySpreadsheet, NationalIdMalformed, NationalIdUnknownRegion};
        const SHAPE: Shape =
            Shape { name: "An identity number (NIK)", lengths: &[16], malformed: NationalIdMalformed };

        let id = Self(SHAPE.read(text, field).map_err(|problem| vec![problem])?);
        let mut problems = Vec::new();
        if !regions.contains(id.province_code()) {
            let message = "The first two digits are not the code of any present or past province.";
            problems.push(Problem::error(NationalIdUnknownRegion, field, message).hint(COMPARE_WITH_CARD));
        }
        if matches!(id.part(2..4), 0 | 70) || id.part(4..6) == 0 {
            let message = "Digits 3 to 6 are not the code of a regency and district.";
            problems.push(Problem::warning(NationalIdUnknownRegion, field, message).hint(COMPARE_WITH_CARD));
        }
        if !id.has_birth_date() {
            let message = "Digits 7 to 12 are not a birth date: day (plus 40 for a woman), month, year.";
            problems.push(Problem::error(NationalIdMalformed, field, message).hint(COMPARE_WITH_CARD));
        }
        if id.part(12..16) == 0 {
            let message = "The serial 0000 is never issued; a spreadsheet has rounded the number.";
            problems
                .push(Problem::error(IdentifierDamagedBySpreadsheet, field, message).hint(EXPORT_AS_TEXT));
        }
        if refuses(&problems) { Err(problems) } else { Ok((id, problems)) }
    }

    /// Returns the 16 digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the code of the province of first registration, which may no longer exist.
    pub fn province_code(&self) -> &str {
        &self.0[..2]
    }

    /// Returns the day of birth, 1 to 31.
    pub fn birth_day(&self) -> u32 {
        self.part(6..8) % 40
    }

    /// Returns the month of birth, 1 to 12.
    pub fn birth_month(&self) -> u32 {
        self.part(8..10)
    }

    /// Returns the year of birth modulo 100; the number does not contain the century.
    pub fn birth_year_mod_100(&self) -> u32 {
        self.part(10..12)
    }

    /// Returns the registered sex.
    pub fn sex(&self) -> Sex {
        if self.part(6..8) > 40 { Sex::Female } else { Sex::Male }
    }

    fn was_born_on(&self, date: NaiveDate) -> bool {
        let written = (self.birth_year_mod_100(), self.birth_month(), self.birth_day());
        let year = date.year().rem_euclid(100).unsigned_abs();
        written == (year, date.month(), date.day())
    }

    fn has_birth_date(&self) -> bool {
        // Not `birth_day`: `day % 40` alone would accept days 81 to 99.
        let day = match self.part(6..8) {
            day @ 1..=31 => day,
            day @ 41..=71 => day - 40,
            _ => return false,
        };
        let year = self.birth_year_mod_100();
        [1900, 2000].iter().any(|century| date(century + year, self.birth_month(), day).is_some())
    }

    fn part(&self, at: Range<usize>) -> u32 {
        number(&self.0[at])
    }
}

/// Compares a number with the declared data of its holder. Returns warnings only.
pub fn check_against_person(
    id: &NationalId,
    birth_date: NaiveDate,
    sex: Sex,
    birth_field: &str,
    sex_field: &str,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !id.was_born_on(birth_date) {
        let message = "The identity number (NIK) was issued for another birth date.";
        problems.push(Problem::warning(ProblemCode::NationalIdBirthMismatch, birth_field, message));
    }
    if id.sex() != sex {
        let message = "The identity number (NIK) was issued for the other sex.";
        problems.push(Problem::warning(ProblemCode::NationalIdSexMismatch, sex_field, message));
    }
    problems.into_iter().map(|problem| problem.hint(NUMBER_IS_PERMANENT)).collect()
}

/// The province codes of all editions of the code book of the Ministry of Home Affairs, abolished provinces included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionCodes(HashSet<String>);

impl RegionCodes {
    /// Makes the set from two-digit codes.
    pub fn new<S: Into<String>>(codes: impl IntoIterator<Item = S>) -> Self {
        Self(codes.into_iter().map(Into::into).collect())
    }

    /// Returns whether a province has or had this code.
    pub fn contains(&self, province_code: &str) -> bool {
        self.0.contains(province_code)
    }
}

/// Statistics of a column of identity numbers, which show whether a spreadsheet rounded it.
///
/// A spreadsheet keeps 15 significant digits, so a rounded number of 16 digits ends in 0. A single such number proves
/// nothing: a tenth of all correct numbers end in 0. The column [looks rounded](Self::looks_rounded) if the zeros are
/// more than twice that share *and* six standard deviations above it (11 of 20; 46 of 200). By chance alone that
/// happens in a few of a million files. Then no row can be trusted, not even those that end in another digit.
///
/// Below 20 numbers the probability is computed exactly. The column looks rounded below one in a million (6 of 6, 7
/// of 8, 11 of 19). Below one in a hundred (2 of 2, 3 of 5) it [is doubtful](Self::is_doubtful): the file is
/// accepted, and the numbers that end in 0 are marked. Texts that do not have 16 digits are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberColumn {
    all: u32,
    zeros: u32,
}

impl NumberColumn {
    /// Adds a number.
    pub fn add(&mut self, number: &str) {
        // A numeric cell of a workbook ends in `.0`, and its digits count as well.
        let number = number.strip_suffix(".0").unwrap_or(number);
        let number = clean_digits(number);
        if number.len() == 16 && is_digits(&number) {
            self.all += 1;
            self.zeros += u32::from(number.ends_with('0'));
        }
    }

    /// Returns whether a spreadsheet has certainly rounded the column.
    pub fn looks_rounded(self) -> bool {
        let expected = f64::from(self.all) * 0.1;
        let deviation = (expected * 0.9).sqrt();
        if self.all < FEW {
            return self.happens_once_in(1_000_000);
        }
        f64::from(self.zeros) > (expected + 6.0 * deviation).max(2.0 * expected)
    }

    /// Returns whether a short column has suspiciously many zeros.
    pub fn is_doubtful(self) -> bool {
        self.all < FEW && self.happens_once_in(100) && !self.looks_rounded()
    }

    /// Returns whether correct numbers would have so many zeros in at most one of `files` files. The result is exact:
    /// it counts, of the 10^all possible last digits, those with at least as many zeros.
    fn happens_once_in(self, files: u128) -> bool {
        let Self { all, zeros } = self;
        let (mut ways, mut choices) = (0, 1);
        for some in 0..=all {
            if some >= zeros {
                ways += choices * 9_u128.pow(all - some);
            }
            choices = choices * u128::from(all - some) / u128::from(some + 1);
        }
        ways * files <= 10_u128.pow(all)
    }
}

/// Below this count the normal distribution is too inexact.
const FEW: u32 = 20;

impl<'a> FromIterator<&'a str> for NumberColumn {
    fn from_iter<T: IntoIterator<Item = &'a str>>(numbers: T) -> Self {
        let mut column = Self::default();
        numbers.into_iter().for_each(|number| column.add(number));
        column
    }
}

/// Removes everything that people put around and between the digits of an identifier: white space, dots, hyphens,
/// zero-width characters and the leading apostrophe of spreadsheets. Full-width digits become ASCII. All other
/// characters stay.
///
/// Check for damage by a spreadsheet first. A final `.0`, which a spreadsheet adds to exact numbers, is removed.
pub fn clean_digits(text: &str) -> Cow<'_, str> {
    let is_filler = |c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '.' | '-');
    let text = text.trim_matches(is_filler);
    let text = text.strip_prefix('\'').unwrap_or(text);
    let text = whole_quantity(text).unwrap_or(text);
    if is_digits(text) {
        return Cow::Borrowed(text);
    }
    let to_ascii = |c: char| match c {
        '０'..='９' => char::from(b'0' + (u32::from(c) - u32::from('０')) as u8),
        _ => c,
    };
    Cow::Owned(text.chars().filter(|&c| !is_filler(c)).map(to_ascii).collect())
}

/// Masks all but the last two characters of a valid number.
pub fn masked(number: &str) -> String {
    let covered = number.chars().count().saturating_sub(2);
    number.chars().enumerate().map(|(at, c)| if at < covered { '*' } else { c }).collect()
}

/// The form of an identifier: a number of digits and no other characters.
pub(super) struct Shape {
    /// Name with its article, as it begins a sentence: `A business number (NIB)`.
    pub(super) name: &'static str,
    /// Allowed numbers of digits; messages name the first.
    pub(super) lengths: &'static [usize],
    /// Code for texts of another form.
    pub(super) malformed: ProblemCode,
}

impl Shape {
    /// Returns the digits, or the first reason why the text cannot be such an identifier.
    pub(super) fn read(&self, text: &str, field: &str) -> Result<String, Problem> {
        let name = self.name;
        let malformed = |message| Problem::error(self.malformed, field, message);
        if is_damaged_by_spreadsheet(text) {
            let message = format!("{name} is expected; a spreadsheet has rounded this one to a quantity.");
            let problem = Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, field, message);
            return Err(problem.hint(EXPORT_AS_TEXT));
        }
        let digits = clean_digits(text);
        if digits.is_empty() {
            let message = format!("{name} is needed.");
            return Err(Problem::error(ProblemCode::Required, field, message));
        }
        if !is_digits(&digits) {
            let problem = malformed(format!("{name} has only digits."));
            let has_look_alikes_only = digits.chars().all(|c| c.is_ascii_digit() || "OoIil|".contains(c));
            return Err(if has_look_alikes_only { problem.hint(LOOK_ALIKES) } else { problem });
        }
        if !self.lengths.contains(&digits.len()) {
            let (needed, found) = (self.lengths[0], digits.len());
            return Err(malformed(format!("{name} has {needed} digits; this one has {found}.")));
        }
        Ok(digits.into_owned())
    }
}

redacted_debug!(NationalId);

pub(super) const EXPORT_AS_TEXT: &str = "The lost digits cannot be restored from this file. Format the column as \
    text in the spreadsheet, fill it again from the source, and export again.";
const COMPARE_WITH_CARD: &str = "Compare the number with the identity card (KTP), digit by digit.";
const LOOK_ALIKES: &str = "A letter stands where a digit belongs: O for 0, or l or I for 1. Type the digit. It is not \
    corrected here, because a wrong guess is another person's number.";
const NUMBER_IS_PERMANENT: &str = "Check the identity card (KTP). The number is permanent and is not reissued to \
    match, so the person is accepted and marked.";

/// Returns whether a spreadsheet has printed a number as a quantity and lost digits: `1.67101E+15`, `1,67101E+15`, or 16
/// digits and more with `.0` at the end.
pub(super) fn is_damaged_by_spreadsheet(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)).trim_start_matches('\'');
    if let Some(whole) = whole_quantity(text) {
        return whole.len() > EXACT_DIGITS;
    }
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1
        && [whole, fraction, exponent.strip_prefix('+').unwrap_or(exponent)].into_iter().all(is_digits)
}

/// The number of significant digits that spreadsheets keep.
const EXACT_DIGITS: usize = 15;

/// Returns the digits of a whole number that a spreadsheet has printed with a final `.0`.
fn whole_quantity(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(".0").or_else(|| text.strip_suffix(",0"))?;
    is_digits(whole).then_some(whole)
}

fn date(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// Returns the value of a few ASCII digits.
fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
