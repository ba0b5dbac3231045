//! The numbers by which the state knows a person: NIK, the identity number, and NIP, the service number of civil
//! servants.
//!
//! Neither has a check digit. What can be checked is what the digits mean: a region, a birth date, a sex, a serial.
//! A number that cannot exist is refused. One that disagrees with what a person declares is taken and marked: the
//! state never reissues a number to match a birth date, so to refuse it would lock out real people (domain facts,
//! 1.1). Whether the number was ever issued is a question for the civil registry, not for this module.
//!
//! No value here shows itself in `{:?}`, and no message repeats a number.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use chrono::{Datelike, NaiveDate};

use super::problem::{Problem, ProblemCode, refuses};
use super::vocabulary::Sex;

mod service_number;

pub use service_number::{ServiceNumber, ServiceNumberRules, check_service_number};

/// A value with the doubts about it (warnings only), or everything that is wrong with the text.
pub type Parsed<T> = Result<(T, Vec<Problem>), Vec<Problem>>;

/// *Nomor Induk Kependudukan*, the identity number of a resident: 16 digits, `PPKKCC DDMMYY SSSS`.
///
/// Region of first registration, birth date (40 is added to a woman's day; the century is not written), serial.
/// The region says where the number was first issued, never where its holder lives.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NationalId(String);

impl NationalId {
    /// Reads a number as people and spreadsheets write it.
    ///
    /// `book` has the province codes of every edition, since a number outlives the province that issued it.
    ///
    /// # Errors
    ///
    /// `REQUIRED`, `IDENTIFIER_DAMAGED_BY_SPREADSHEET` and `NATIONAL_ID_MALFORMED` for a text that is no 16 digits,
    /// alone: the parts of such a number mean nothing. Otherwise all that apply of `NATIONAL_ID_UNKNOWN_REGION` (the
    /// province; below it only a warning, as this module has no table of regencies), `NATIONAL_ID_MALFORMED` (the
    /// birth date) and `IDENTIFIER_DAMAGED_BY_SPREADSHEET` (serial 0000).
    pub fn parse(text: &str, book: &RegionCodes, field: &str) -> Parsed<Self> {
        use ProblemCode::{IdentifierDamagedBySpreadsheet, NationalIdMalformed, NationalIdUnknownRegion};
        const SHAPE: Shape =
            Shape { name: "An identity number (NIK)", lengths: &[16], malformed: NationalIdMalformed };

        let id = Self(SHAPE.read(text, field).map_err(|problem| vec![problem])?);
        let mut problems = Vec::new();
        if !book.contains(id.province_code()) {
            let message = "The first two digits are the code of no province, present or past.";
            problems.push(Problem::error(NationalIdUnknownRegion, field, message).hint(COMPARE_WITH_CARD));
        }
        if matches!(id.part(2..4), 0 | 70) || id.part(4..6) == 0 {
            let message = "Digits 3 to 6 are the code of no regency and district.";
            problems.push(Problem::warning(NationalIdUnknownRegion, field, message).hint(COMPARE_WITH_CARD));
        }
        if !id.has_birth_date() {
            let message = "Digits 7 to 12 are no birth date: day (plus 40 for a woman), month, year.";
            problems.push(Problem::error(NationalIdMalformed, field, message).hint(COMPARE_WITH_CARD));
        }
        if id.part(12..16) == 0 {
            let message = "The serial 0000 is never issued; a spreadsheet has rounded the number.";
            problems
                .push(Problem::error(IdentifierDamagedBySpreadsheet, field, message).hint(EXPORT_AS_TEXT));
        }
        if refuses(&problems) { Err(problems) } else { Ok((id, problems)) }
    }

    /// The 16 digits, for encryption and look-up only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The province that first registered the person; it may no longer exist.
    pub fn province_code(&self) -> &str {
        &self.0[..2]
    }

    /// Day of birth, 1 to 31.
    pub fn birth_day(&self) -> u32 {
        self.part(6..8) % 40
    }

    /// Month of birth, 1 to 12.
    pub fn birth_month(&self) -> u32 {
        self.part(8..10)
    }

    /// The last two digits of the year of birth: the number does not say the century.
    pub fn birth_year_mod_100(&self) -> u32 {
        self.part(10..12)
    }

    /// The sex under which the person was registered.
    pub fn sex(&self) -> Sex {
        if self.part(6..8) > 40 { Sex::Female } else { Sex::Male }
    }

    fn was_born_on(&self, date: NaiveDate) -> bool {
        let written = (self.birth_year_mod_100(), self.birth_month(), self.birth_day());
        let year = date.year().rem_euclid(100).unsigned_abs();
        written == (year, date.month(), date.day())
    }

    fn has_birth_date(&self) -> bool {
        // Not `birth_day`: `day % 40` alone lets 81 to 99 through, as a widely used validator does.
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

/// Compares a number with what its holder declares. Warnings only: the person is enrolled and marked.
///
/// `NATIONAL_ID_BIRTH_MISMATCH` is put at `birth_field`, `NATIONAL_ID_SEX_MISMATCH` at `sex_field`.
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

/// The province codes of every edition of the Ministry's code book, abolished provinces included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionCodes(HashSet<String>);

impl RegionCodes {
    /// Makes the book from its two-digit codes, as the database has them.
    pub fn new<S: Into<String>>(codes: impl IntoIterator<Item = S>) -> Self {
        Self(codes.into_iter().map(Into::into).collect())
    }

    /// Was this ever the code of a province?
    pub fn contains(&self, province_code: &str) -> bool {
        self.0.contains(province_code)
    }
}

/// A column of identity numbers, seen one by one as they stand in the file: has a spreadsheet rounded it?
///
/// A spreadsheet keeps 15 significant digits, so every rounded number of 16 ends in 0. One such number proves
/// nothing: a tenth of all honest ones do. The answer is yes when the zeros are more than twice that, *and* more
/// than six standard deviations above it (11 of 20; 46 of 200), which chance brings about in a few files of a
/// million. Then no row can be trusted, the ones that do not end in 0 included: stop the file. Of fewer than 20 the
/// chance of so many zeros is reckoned as it is, and the answer is yes where it is one in a million at most: 6 of 6,
/// 7 of 8, 11 of 19. Between that and one in a hundred (2 of 2, 3 of 5) there is a [doubt](Self::is_doubtful): the file
/// is not stopped, and the numbers that end in 0 are to be looked at. Texts that are no 16 digits do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberColumn {
    all: u32,
    zeros: u32,
}

impl NumberColumn {
    /// Sees the next number.
    pub fn add(&mut self, number: &str) {
        // A workbook's own number, not its text: it is as rounded as the others.
        let number = number.strip_suffix(".0").unwrap_or(number);
        let number = clean_digits(number);
        if number.len() == 16 && is_digits(&number) {
            self.all += 1;
            self.zeros += u32::from(number.ends_with('0'));
        }
    }

    /// Are there far too many zeros?
    pub fn looks_rounded(self) -> bool {
        let expected = f64::from(self.all) * 0.1;
        let deviation = (expected * 0.9).sqrt();
        if self.all < FEW {
            return self.happens_once_in(1_000_000);
        }
        f64::from(self.zeros) > (expected + 6.0 * deviation).max(2.0 * expected)
    }

    /// Are there more zeros among a few numbers than one would expect, and too few to be certain?
    pub fn is_doubtful(self) -> bool {
        self.all < FEW && self.happens_once_in(100) && !self.looks_rounded()
    }

    /// Do so many of so few numbers end in 0 at most once in so many files of honest numbers? Reckoned without rounding:
    /// of the 10^all ways in which the numbers can end, how many have as many zeros or more.
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

/// Fewer numbers than this are too few for a normal distribution.
const FEW: u32 = 20;

impl<'a> FromIterator<&'a str> for NumberColumn {
    fn from_iter<T: IntoIterator<Item = &'a str>>(numbers: T) -> Self {
        let mut column = Self::default();
        numbers.into_iter().for_each(|number| column.add(number));
        column
    }
}

/// An identifier without what people put around and between its digits: white space of any kind, dots, hyphens, the
/// spreadsheet's leading apostrophe, zero-width characters. Full-width digits become ASCII; all else stays.
///
/// Look for damage by a spreadsheet before: `16.0` and `160` are the same afterwards.
pub fn clean_digits(text: &str) -> Cow<'_, str> {
    let is_filler = |c: char| c.is_whitespace() || is_zero_width(c) || matches!(c, '.' | '-');
    let text = text.trim_matches(is_filler);
    let text = text.strip_prefix('\'').unwrap_or(text);
    if is_digits(text) {
        return Cow::Borrowed(text);
    }
    let to_ascii = |c: char| match c {
        '０'..='９' => char::from(b'0' + (u32::from(c) - u32::from('０')) as u8),
        _ => c,
    };
    Cow::Owned(text.chars().filter(|&c| !is_filler(c)).map(to_ascii).collect())
}

/// Covers all but the last two characters of a number that is already known to be one.
pub fn masked(number: &str) -> String {
    let covered = number.chars().count().saturating_sub(2);
    number.chars().enumerate().map(|(at, c)| if at < covered { '*' } else { c }).collect()
}

/// How an identifier is written: so many digits and nothing else.
pub(super) struct Shape {
    /// With its article, as a sentence begins: `A business number (NIB)`.
    pub(super) name: &'static str,
    /// How many digits it may have; the first is what people are told.
    pub(super) lengths: &'static [usize],
    /// The code of a text that is not written so.
    pub(super) malformed: ProblemCode,
}

impl Shape {
    /// The digits alone, or the first reason why the text cannot be such an identifier.
    pub(super) fn read(&self, text: &str, field: &str) -> Result<String, Problem> {
        let name = self.name;
        let malformed = |message| Problem::error(self.malformed, field, message);
        if is_spreadsheet_number(text) {
            let message =
                format!("{name} was turned into a quantity by a spreadsheet; its last digits are lost.");
            let problem = Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, field, message);
            return Err(problem.hint(EXPORT_AS_TEXT));
        }
        let digits = clean_digits(text);
        if digits.is_empty() {
            let message = format!("{name} is needed.");
            return Err(Problem::error(ProblemCode::Required, field, message));
        }
        if !is_digits(&digits) {
            let problem = malformed(format!("{name} has digits only."));
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

/// Characters that show nothing and come along when text is copied from a page or a message.
pub(super) fn is_zero_width(c: char) -> bool {
    const SINGLE: &[char] = &['\u{ad}', '\u{61c}', '\u{180e}', '\u{feff}'];
    const RANGES: &[std::ops::RangeInclusive<char>] =
        &['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}'];
    SINGLE.contains(&c) || RANGES.iter().any(|range| range.contains(&c))
}

redacted_debug!(NationalId);

pub(super) const EXPORT_AS_TEXT: &str = "The lost digits cannot be restored from this file. Format the column as \
    text in the spreadsheet, fill it again from the source, and export again.";
const COMPARE_WITH_CARD: &str = "Compare the number with the identity card (KTP), digit by digit.";
const LOOK_ALIKES: &str = "A letter stands where a digit belongs: O for 0, or l or I for 1. Type the digit. It is not \
    corrected here, because a wrong guess is another person's number.";
const NUMBER_IS_PERMANENT: &str = "Check the identity card (KTP). The number is permanent and is not reissued to \
    match, so this alone refuses nobody: who is enrolled with it is marked.";

/// A number in the way a spreadsheet shows a quantity: `1.67101E+15`, `1,67101E+15`, or with `.0` at its end.
fn is_spreadsheet_number(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_zero_width(c)).trim_start_matches('\'');
    if let Some(whole) = text.strip_suffix(".0").or_else(|| text.strip_suffix(",0")) {
        return is_digits(whole);
    }
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1
        && [whole, fraction, exponent.strip_prefix('+').unwrap_or(exponent)].into_iter().all(is_digits)
}

fn date(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// The value of a few ASCII digits.
fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
