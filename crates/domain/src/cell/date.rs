//! Dates as people and spreadsheets write them.

use chrono::{Datelike as _, Days, NaiveDate};

use super::bare;
use crate::problem::{Problem, ProblemCode};
use crate::text::without_numbers;

/// Parses a date: `2014-11-01`, `01/11/2014`, `1-11-2014`, `01.11.2014`, `1 November 2014`, `01-Nov-2014`, or the
/// number that a spreadsheet stores for a day (41944).
///
/// A date in digits has the day first, unless the year is first; the month is never first. Months have their Indonesian
/// or English names, whole or abbreviated. The year has four digits. A time of midnight, which spreadsheets add, is
/// dropped.
///
/// # Errors
///
/// `REQUIRED` if the text is empty, `INVALID_FORMAT` for another form and for a day that does not exist, `OUT_OF_RANGE`
/// outside the years 1900 to 2100.
pub fn parse_date(text: &str, field: &str) -> Result<NaiveDate, Problem> {
    let text = bare(text);
    if text.is_empty() {
        return Err(Problem::error(ProblemCode::Required, field, "A date is needed."));
    }
    let text = without_midnight(&text);
    let invalid = |message: &str, hint: &str| {
        Err(Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint))
    };
    let date = match Written::read(text).or_else(|| spreadsheet_day(text).map(Written::Day)) {
        Some(Written::Day(date)) => date,
        Some(Written::MonthFirst) => {
            return invalid("This day does not exist.", "Dates are day, month, year: 31/01/2014.");
        }
        Some(Written::NoSuchDay) => return invalid("This day does not exist.", AS_WRITTEN),
        Some(Written::ShortYear) => {
            return invalid("The year has only two digits.", "Write the year with four digits: 1985-03-15.");
        }
        None => {
            let message = match words_around(text) {
                Some(words) => format!("The cell contains \"{words}\" in addition to a date."),
                None => "This is not a date.".to_owned(),
            };
            return invalid(&message, AS_WRITTEN);
        }
    };
    if !(1900..=2100).contains(&date.year()) {
        let message = "The year is not between 1900 and 2100.";
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    Ok(date)
}

const AS_WRITTEN: &str =
    "Write the date alone, as 1985-03-15, 15/03/1985 or 15 Maret 1985 (day, month, year).";

/// A text in the form of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Day(NaiveDate),
    NoSuchDay,
    /// The day would exist if the month came first.
    MonthFirst,
    ShortYear,
}

impl Written {
    /// Parses the forms with three parts. Returns `None` for any other text.
    fn read(text: &str) -> Option<Self> {
        in_digits(text).or_else(|| with_named_month(text))
    }

    fn of(year: &str, month: u32, day: &str) -> Option<Self> {
        if year.len() == 2 && is_number(year, 2) && is_number(day, 2) {
            return Some(Self::ShortYear);
        }
        if year.len() != 4 || !is_number(year, 4) || !is_number(day, 2) {
            return None;
        }
        let (year, day) = (year.parse().ok()?, day.parse().ok()?);
        let is_month_first = month > 12 && day <= 12;
        let missing = if is_month_first { Self::MonthFirst } else { Self::NoSuchDay };
        Some(NaiveDate::from_ymd_opt(year, month, day).map_or(missing, Self::Day))
    }
}

/// Parses day, month and year in digits, with one kind of mark between them, or year, month and day.
fn in_digits(text: &str) -> Option<Written> {
    let text = text.replace(['–', '‑', '−'], "-");
    let mark = ['/', '-', '.'].into_iter().find(|&mark| text.contains(mark)).unwrap_or(' ');
    let mut parts = text.split(mark).map(str::trim).filter(|part| mark != ' ' || !part.is_empty());
    let (first, month, last) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !is_number(month, 2) {
        return None;
    }
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    Written::of(year, month.parse().ok()?, day)
}

/// Returns the runs of digits and of letters in a text, without the marks between them. `20Mei1985` has no marks.
fn parts_of(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '‑' | '/' | '.' | ','))
    {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let is_digit = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
            parts.push(&rest[..end]);
            rest = &rest[end..];
        }
    }
    parts
}

/// Parses a day, a year and the name of a month, in any order. Their forms differ.
fn with_named_month(text: &str) -> Option<Written> {
    let mut parts = parts_of(text);
    let at = parts.iter().position(|part| !part.starts_with(|c: char| c.is_ascii_digit()))?;
    let month = month_named(parts.remove(at))?;
    let &[first, second] = parts.as_slice() else { return None };
    let (year, day) = if first.len() == 4 { (first, second) } else { (second, first) };
    Written::of(year, month, day)
}

/// Parses a month by its name and its year: `November 2026`, `NOPEMBER 2026`, `2026 Nov`, `Nov-26`. Returns its first day.
///
/// Of a year with two digits the name comes first, because `26-Nov` is a day. It is a year of this century: no list is
/// older.
pub(crate) fn named_month(text: &str) -> Option<NaiveDate> {
    let text = bare(text);
    let (month, year) = match parts_of(&text)[..] {
        [name, year] if year.len() == 4 && is_number(year, 4) => (month_named(name)?, year.parse().ok()?),
        [year, name] if year.len() == 4 && is_number(year, 4) => (month_named(name)?, year.parse().ok()?),
        [name, year] if year.len() == 2 && is_number(year, 2) => {
            (month_named(name)?, 2000 + year.parse::<i32>().ok()?)
        }
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month, 1)
}

/// Returns the number of a month by its name in Indonesian or English, whole or abbreviated.
fn month_named(name: &str) -> Option<u32> {
    const NAMES: [&[&str]; 12] = [
        &["jan", "januari", "january"],
        &["feb", "peb", "februari", "pebruari", "february"],
        &["mar", "mrt", "maret", "march"],
        &["apr", "april"],
        &["mei", "may"],
        &["jun", "juni", "june"],
        &["jul", "juli", "july"],
        &["agu", "agt", "ags", "agust", "agustus", "aug", "august"],
        &["sep", "sept", "september"],
        &["okt", "oktober", "oct", "october"],
        &["nov", "nop", "november", "nopember"],
        &["des", "desember", "dec", "december"],
    ];
    let name = name.to_lowercase();
    (1..).zip(NAMES).find(|(_, names)| names.contains(&name.as_str())).map(|(month, _)| month)
}

/// Returns the words around the date that a text contains, with long numbers masked. Returns `None` if the text
/// contains no date.
fn words_around(text: &str) -> Option<String> {
    const MAXIMUM: usize = 40;
    if let Some((day, time)) = text.split_once('T')
        && Written::read(day).is_some()
    {
        return Some(time.chars().take(MAXIMUM).collect());
    }
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')'))
        .map(|word| word.trim_matches(':'))
        .filter(|word| !word.is_empty())
        .collect();
    let windows = (1..=5).rev().flat_map(|length| (0..words.len()).map(move |at| at..at + length));
    let mut dates = windows
        .filter(|at| words.get(at.clone()).is_some_and(|window| Written::read(&window.join(" ")).is_some()));
    let date = dates.next()?;
    let around = [&words[..date.start], &words[date.end..]].concat().join(" ");
    Some(without_numbers(&around).chars().take(MAXIMUM).collect())
}

/// Removes a time of midnight that a spreadsheet added to a day: `00:00:00`, `0:00`.
fn without_midnight(text: &str) -> &str {
    let Some((day, time)) = text.rsplit_once(|c: char| c == 'T' || c.is_whitespace()) else { return text };
    let is_midnight = time.contains(':') && time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
    if is_midnight { day.trim_end() } else { text }
}

/// Parses the number that a spreadsheet stores for a day: days since 1899-12-30. Numbers for days before 1927 and after
/// 2118 are refused, because they are more likely a year or an amount.
fn spreadsheet_day(text: &str) -> Option<NaiveDate> {
    let days = text.strip_suffix(".0").unwrap_or(text);
    let days: u64 = if is_number(days, 5) { days.parse().ok()? } else { return None };
    let epoch = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    (10_000..=80_000).contains(&days).then(|| epoch.checked_add_days(Days::new(days)))?
}

fn is_number(text: &str, digits: usize) -> bool {
    (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[track_caller]
    fn refused(text: &str, code: ProblemCode) -> Problem {
        let problem = parse_date(text, "f").unwrap_err();
        assert_eq!(problem.code, code, "{text}");
        problem
    }

    #[test]
    fn a_date_is_read_in_every_form_that_rosters_use() {
        for text in [
            "2014-11-01",
            "01/11/2014",
            "1-11-2014",
            "01.11.2014",
            "01 11 2014",
            "01 - 11 - 2014",
            "01 / 11 / 2014",
            "1–11–2014",
            " 1/11/2014\u{a0}",
            "\u{200e}1/11/\u{200b}2014",
            "'2014-11-01",
            "41944",
            "41944.0",
            "2014-11-01 00:00:00",
            "2014-11-01T00:00:00",
            "1/11/2014 0:00:00",
            "01/11/2014 0:00",
            "1 November 2014",
            "01-Nov-2014",
            "1 NOPEMBER 2014",
            "1\u{a0}Nop.\u{a0}2014",
            "1Nov2014",
            "November 1, 2014",
            "2014-Nov-01",
        ] {
            assert_eq!(parse_date(text, "f"), Ok(day(2014, 11, 1)), "{text}");
        }
    }

    #[test]
    fn months_are_read_by_their_names() {
        for (text, date) in [
            ("20 Mei 1985", day(1985, 5, 20)),
            ("21-Jun-1985", day(1985, 6, 21)),
            ("22 JULI 1985", day(1985, 7, 22)),
            ("23 Agu 1985", day(1985, 8, 23)),
            ("23 Agt. 1985", day(1985, 8, 23)),
            ("1 Pebruari 1985", day(1985, 2, 1)),
            ("31-Des-1985", day(1985, 12, 31)),
        ] {
            assert_eq!(parse_date(text, "f"), Ok(date), "{text}");
        }
        // The names come from `chrono`, not from the table of this file.
        for month in 1..=12 {
            let english = day(1985, month, 9).format("9 %B 1985").to_string();
            assert_eq!(parse_date(&english, "f"), Ok(day(1985, month, 9)), "{english}");
            let short = day(1985, month, 9).format("09-%b-1985").to_string();
            assert_eq!(parse_date(&short, "f"), Ok(day(1985, month, 9)), "{short}");
        }
        for text in ["20 Ma 1985", "20 Juno 1985", "Mei 1985", "20 Mei", "20 Mei Juni 1985", "120 Mei 1985"] {
            refused(text, ProblemCode::InvalidFormat);
        }
        let problem = refused("31 Juni 1985", ProblemCode::InvalidFormat);
        assert!(problem.message.contains("does not exist"), "{}", problem.message);
    }

    #[test]
    fn a_year_of_two_digits_is_refused() {
        for text in ["24/09/85", "24-9-85", "1/11/14", "24 Sep 85", "24-Sep-85"] {
            let problem = refused(text, ProblemCode::InvalidFormat);
            assert!(problem.message.contains("two digits"), "{text}: {}", problem.message);
        }
    }

    #[test]
    fn a_date_with_other_words_is_refused_with_the_words() {
        for (text, words) in [
            ("Palembang, 25 Oktober 1985", "Palembang"),
            ("Palembang,25-10-1985", "Palembang"),
            ("25/10/1985 (perkiraan)", "perkiraan"),
            ("Tempat: Lubuk Linggau 25 - 10 - 1985", "Tempat Lubuk Linggau"),
            ("1671010208850001 25/10/1985", "****************"),
        ] {
            let problem = refused(text, ProblemCode::InvalidFormat);
            assert!(problem.message.contains(&format!("\"{words}\"")), "{text}: {}", problem.message);
        }
        // Midnight in Jakarta, as another program writes it. Its day depends on the time zone of the reader.
        let problem = refused("1985-08-01T17:00:00Z", ProblemCode::InvalidFormat);
        assert!(problem.message.contains("\"17:00:00Z\""), "{}", problem.message);
    }

    #[test]
    fn the_month_is_never_first() {
        assert_eq!(parse_date("02/03/1985", "f"), Ok(day(1985, 3, 2)));
        let problem = refused("03/31/1985", ProblemCode::InvalidFormat);
        assert!(problem.hint.unwrap().contains("day, month, year"));
    }

    #[test]
    fn a_missing_date_is_not_an_impossible_one() {
        refused(" \u{200b} ", ProblemCode::Required);
        let problem = refused("31/02/1975", ProblemCode::InvalidFormat);
        assert!(problem.message.contains("does not exist"));
    }

    #[test]
    fn other_texts_are_not_dates() {
        for text in [
            "01-11/2014",
            "2014-11",
            "besok",
            "9999",
            "80001",
            "20141101",
            "1/11/2014/1",
            "1/11/2014 0:01:00",
            "1/11/2014 000",
            "-1-1-2014",
            "1/11/214",
        ] {
            refused(text, ProblemCode::InvalidFormat);
        }
        for text in ["1899-12-31", "01/01/2101", "0001-01-01", "80000"] {
            refused(text, ProblemCode::OutOfRange);
        }
    }

    proptest! {
        #[test]
        fn every_day_is_read_as_it_is_written(days in 0..73_413_i64) {
            let date = day(1900, 1, 1) + chrono::Duration::days(days);
            for form in ["%Y-%m-%d", "%d/%m/%Y", "%-d.%-m.%Y", "%d-%b-%Y", "%-d %B %Y"] {
                prop_assert_eq!(parse_date(&date.format(form).to_string(), "f"), Ok(date));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[-/., 0-9A-Za-zé'\u{a0}:()]{0,24}") {
            let _ = parse_date(&text, "f");
        }
    }
}
