//! The cells of a roster: text in which people and spreadsheets write dates, amounts and the like.
//!
//! Only what can be read in one way is read. A date is never month first; an amount is never a guess.

use chrono::{Datelike, Days, NaiveDate};

use super::identity::{is_digits, is_zero_width};
use super::problem::{Problem, ProblemCode};
use super::vocabulary::{CivilServantCategory, Sex};

/// No monthly wage is higher, in rupiah. Far above the best-paid director: it is there for amounts with a few zeros
/// too many, before somebody's contribution is computed from them.
pub const MAX_MONTHLY_WAGE: i64 = 10_000_000_000;

/// Nobody works a month for less, in rupiah: below it an amount has lost its thousands (`4.250`), or is not one of a month.
/// Far below the lowest wage that any province has set, so that who is paid little is not doubted.
pub const LEAST_BELIEVABLE_WAGE: i64 = 100_000;

/// Reads a date: `2014-11-01`, `01/11/2014`, `1-11-2014`, `01.11.2014`, or the number by which a spreadsheet stores a
/// day (41944). Day first unless the year is; a time of midnight, which spreadsheets add, is dropped.
///
/// # Errors
///
/// `REQUIRED` if nothing is there, `INVALID_FORMAT` for another form and for a day that does not exist,
/// `OUT_OF_RANGE` outside the years 1900 to 2100.
pub fn parse_date(text: &str, field: &str) -> Result<NaiveDate, Problem> {
    let text = bare(text);
    if text.is_empty() {
        return Err(Problem::error(ProblemCode::Required, field, "A date is needed."));
    }
    let text = without_midnight(text);
    let date = match date_parts(text) {
        Some((year, month, day)) => NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| {
            let problem = Problem::error(ProblemCode::InvalidFormat, field, "That day does not exist.");
            let is_month_first = month > 12 && day <= 12;
            if is_month_first { problem.hint("Dates are day, month, year: 31/01/2014.") } else { problem }
        })?,
        None => spreadsheet_day(text).ok_or_else(|| {
            let hint = "Write it as 2014-11-01 or 01/11/2014 (day, month, year).";
            Problem::error(ProblemCode::InvalidFormat, field, "This is no date.").hint(hint)
        })?,
    };
    if !(1900..=2100).contains(&date.year()) {
        let message = "The year is not between 1900 and 2100.";
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    Ok(date)
}

/// Reads a monthly wage in whole rupiah: `4250000`, `4.250.000,00`, `4,250,000.00`, `Rp 4.250.000,-`. `None` if
/// nothing is there.
///
/// Points and commas group by threes or they are a decimal mark with one or two zeros behind it: `4.250` is four
/// thousand, `4250.00` as well, and `4250.000` is neither.
///
/// # Errors
///
/// `INVALID_FORMAT` if it is no amount, or not a whole one; `OUT_OF_RANGE` for an amount that is not positive or above
/// [`MAX_MONTHLY_WAGE`].
pub fn parse_wage(text: &str, field: &str) -> Result<Option<i64>, Problem> {
    let text = bare(text);
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |message| {
        let hint = "Write it as 4250000 or 4.250.000,00.";
        Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint)
    };
    let (is_negative, amount) = without_currency(text);
    let (whole, fraction) = split_amount(amount).ok_or_else(|| invalid("This is no amount of rupiah."))?;
    if fraction.bytes().any(|digit| digit != b'0') {
        return Err(invalid("A wage is in whole rupiah."));
    }
    // Digits that do not fit are an amount all the same, and too large.
    let rupiah = whole.parse().unwrap_or(i64::MAX);
    if is_negative || !(1..=MAX_MONTHLY_WAGE).contains(&rupiah) {
        let message = format!("A monthly wage is more than 0 and at most {MAX_MONTHLY_WAGE} rupiah.");
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    Ok(Some(rupiah))
}

/// Reads a sex: `L` and `P` (*laki-laki*, *perempuan*) as rosters have it, the words, and `M`, `F` and theirs. Case
/// does not matter.
///
/// `W` (*wanita*) is not read: where it is used, `P` means *pria*, a man.
///
/// # Errors
///
/// `REQUIRED` if nothing is there, otherwise `INVALID_FORMAT`.
pub fn parse_sex(text: &str, field: &str) -> Result<Sex, Problem> {
    let text = bare(text);
    if text.is_empty() {
        return Err(Problem::error(ProblemCode::Required, field, "The sex is needed."));
    }
    let letters: String = text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    match letters.as_str() {
        "l" | "lk" | "laki" | "lakilaki" | "pria" | "m" | "male" => Ok(Sex::Male),
        "p" | "pr" | "perempuan" | "wanita" | "f" | "female" => Ok(Sex::Female),
        _ => {
            let hint = "Write L (laki-laki) or P (perempuan).";
            Err(Problem::error(ProblemCode::InvalidFormat, field, "This is no sex.").hint(hint))
        }
    }
}

/// Compares what a row says of its person's category with that of all rows. A row of another one is refused, since other
/// rules hold for it; a word that is not known is only marked.
pub fn judge_category(text: &str, of_all: CivilServantCategory, field: &str) -> Option<Problem> {
    use CivilServantCategory::{Cpns, NonAsn, Pns, Pppk};
    let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let said: &[CivilServantCategory] = match letters.collect::<String>().as_str() {
        "" => return None,
        "asn" => &[Pns, Cpns, Pppk],
        "pns" | "pnsd" | "pnsdaerah" | "pnspusat" | "pegawainegerisipil" => &[Pns],
        "cpns" | "cpnsd" | "calonpns" | "calonpegawainegerisipil" => &[Cpns],
        "pppk" | "p3k" | "pegawaipemerintahdenganperjanjiankerja" => &[Pppk],
        "nonasn" | "nonpns" | "honorer" | "tenagahonorer" | "honor" | "ptt" | "thl" | "tkk" => &[NonAsn],
        _ => {
            let message =
                format!("The category of this row is not known; it is taken for {of_all}, as all rows are.");
            let problem = Problem::warning(ProblemCode::NotEligible, field, message);
            return Some(problem.hint("Write PNS, CPNS, PPPK or NON ASN."));
        }
    };
    (!said.contains(&of_all)).then(|| {
        let message = format!("The row says {}, and this onboarding is one of {of_all}.", said[0]);
        let hint = "Send the people of each category in an onboarding of their own, or correct the cell.";
        Problem::error(ProblemCode::NotEligible, field, message).hint(hint)
    })
}

/// Is it what a spreadsheet shows where a formula failed (`#N/A`, `#REF!`, `Err:502`) or a column is too narrow (`####`)?
///
/// Newer spreadsheets have more such words, and some have them in the language of their user: they all begin with `#`, are
/// in capital letters, and most end in a mark.
pub fn is_spreadsheet_error(text: &str) -> bool {
    let text = bare(text).to_ascii_uppercase();
    if let Some(number) = text.strip_prefix("ERR:") {
        return is_digits(number);
    }
    let Some(word) = text.strip_prefix('#') else { return false };
    let is_letters = |word: &str| word.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '_'));
    let is_marked = word.strip_suffix(['!', '?']).is_some_and(|word| !word.is_empty() && is_letters(word));
    is_marked
        || word.bytes().all(|byte| byte == b'#')
        || matches!(word, "N/A" | "NV" | "N/D" | "GETTING_DATA")
}

/// What is in a cell, without what cannot be seen around it and the apostrophe by which spreadsheets mark text.
fn bare(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_zero_width(c));
    text.strip_prefix('\'').unwrap_or(text).trim_start()
}

/// Takes off the time of midnight that spreadsheets add to a day: `00:00:00`, `0:00`.
fn without_midnight(text: &str) -> &str {
    let Some((day, time)) = text.rsplit_once(['T', ' ', '\u{a0}']) else { return text };
    let is_midnight = time.contains(':') && time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
    if is_midnight { day.trim_end() } else { text }
}

/// Year, month and day of a text with three numbers in it, whether or not there is such a day.
fn date_parts(text: &str) -> Option<(i32, u32, u32)> {
    let mark = text.chars().find(|c| !c.is_ascii_digit()).filter(|c| matches!(c, '-' | '/' | '.'))?;
    let mut parts = text.split(mark);
    let (first, month, last) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    let is_short = |part: &str| is_digits(part) && part.len() <= 2;
    if parts.next().is_some() || !(is_digits(year) && year.len() == 4 && is_short(month) && is_short(day)) {
        return None;
    }
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}

/// The day that a spreadsheet stores as a number: days since 1899-12-30. Up to 1927 and after 2119 it is more likely
/// something else, a year or an amount.
fn spreadsheet_day(text: &str) -> Option<NaiveDate> {
    let days = text.strip_suffix(".0").unwrap_or(text);
    let days = if is_digits(days) {
        days.parse::<u64>().ok()?
    } else {
        return None;
    };
    let epoch = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    (10_000..=80_000).contains(&days).then(|| epoch.checked_add_days(Days::new(days)))?
}

/// Takes a sign, `Rp`, `Rp.` or `IDR`, and the dash of `4.250.000,-` off an amount.
fn without_currency(text: &str) -> (bool, &str) {
    let unsigned =
        |text| str::strip_prefix(text, ['-', '−']).map_or((false, text), |rest| (true, rest.trim_start()));
    let (before, text) = unsigned(text);
    let currency = text.get(..3).filter(|code| code.eq_ignore_ascii_case("idr"));
    let currency = currency.or_else(|| text.get(..2).filter(|code| code.eq_ignore_ascii_case("rp")));
    let text = match currency {
        Some(code) => text[code.len()..].trim_start_matches('.').trim_start(),
        None => text,
    };
    let (behind, text) = if before { (false, text) } else { unsigned(text) };
    (before || behind, text.strip_suffix(",-").or_else(|| text.strip_suffix(".-")).unwrap_or(text))
}

/// The digits before and behind the decimal mark.
fn split_amount(text: &str) -> Option<(String, &str)> {
    let is_mark = |c: char| matches!(c, '.' | ',');
    let Some((at, last)) = text.char_indices().rfind(|&(_, c)| is_mark(c)) else {
        return is_digits(text).then(|| (text.to_owned(), ""));
    };
    let (before, behind) = (&text[..at], &text[at + 1..]);
    if matches!(behind.len(), 1 | 2) && is_digits(behind) && !before.contains(last) {
        return Some((ungrouped(before)?, behind));
    }
    Some((ungrouped(text)?, ""))
}

/// The digits of a whole number, grouped by threes with one kind of mark or not at all.
fn ungrouped(text: &str) -> Option<String> {
    let Some(mark) = text.chars().find(|c| !c.is_ascii_digit()) else {
        return is_digits(text).then(|| text.to_owned());
    };
    let mut groups = text.split(mark);
    let is_first = |group: &str| is_digits(group) && group.len() <= 3 && !group.starts_with('0');
    let is_grouped = matches!(mark, '.' | ',')
        && groups.next().is_some_and(is_first)
        && groups.all(|group| is_digits(group) && group.len() == 3);
    is_grouped.then(|| text.replace(mark, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(parsed: Result<T, Problem>, code: ProblemCode) -> Problem {
        let problem = parsed.unwrap_err();
        assert_eq!(problem.code, code);
        problem
    }

    #[test]
    fn a_date_is_read_in_every_form_that_rosters_use() {
        for text in [
            "2014-11-01",
            "01/11/2014",
            "1-11-2014",
            "01.11.2014",
            " 1/11/2014\u{a0}",
            "'2014-11-01",
            "41944",
            "41944.0",
            "2014-11-01 00:00:00",
            "2014-11-01T00:00:00",
            "1/11/2014 0:00:00",
            "01/11/2014 0:00",
        ] {
            assert_eq!(parse_date(text, "f").unwrap(), day(2014, 11, 1), "{text}");
        }
    }

    #[test]
    fn the_month_is_never_first() {
        assert_eq!(parse_date("02/03/1985", "f").unwrap(), day(1985, 3, 2));
        let problem = refused(parse_date("03/31/1985", "f"), ProblemCode::InvalidFormat);
        assert!(problem.hint.unwrap().contains("day, month, year"));
    }

    #[test]
    fn a_missing_date_is_not_an_impossible_one() {
        refused(parse_date(" \u{200b} ", "f"), ProblemCode::Required);
        let problem = refused(parse_date("31/02/1975", "f"), ProblemCode::InvalidFormat);
        assert!(problem.message.contains("does not exist"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "1/11/14",
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
        ] {
            refused(parse_date(text, "f"), ProblemCode::InvalidFormat);
        }
        for text in ["1899-12-31", "01/01/2101", "0001-01-01", "80000"] {
            refused(parse_date(text, "f"), ProblemCode::OutOfRange);
        }
    }

    #[test]
    fn a_wage_is_read_in_every_form_that_rosters_use() {
        for text in [
            "4250000",
            "4.250.000",
            "4,250,000",
            "4.250.000,00",
            "4,250,000.00",
            "4250000.00",
            "4250000,0",
            "Rp 4.250.000",
            "Rp. 4.250.000,-",
            "rp4250000",
            "IDR 4,250,000.00",
            "'4250000",
            " 4250000\u{a0}",
        ] {
            assert_eq!(parse_wage(text, "f"), Ok(Some(4_250_000)), "{text}");
        }
        assert_eq!(parse_wage("  ", "f"), Ok(None));
    }

    #[test]
    fn one_mark_before_three_digits_groups_them() {
        assert_eq!(parse_wage("4.250", "f"), Ok(Some(4_250)));
        assert_eq!(parse_wage("425.000", "f"), Ok(Some(425_000)));
        assert_eq!(parse_wage("4250.00", "f"), Ok(Some(4_250)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "dua juta",
            "Rp",
            "4250.000",
            "4.25.000",
            "4.250.00.000",
            "0.250",
            "4.250,000.00",
            "4.250.000,50",
            "2.5",
            "4.25E+06",
            "1..000",
            ",00",
            "4 250 000",
            "--1",
            "4,250.000,00",
        ] {
            refused(parse_wage(text, "f"), ProblemCode::InvalidFormat);
        }
    }

    #[test]
    fn a_wage_is_positive_and_believable() {
        for text in [
            "0",
            "0,00",
            "-2.500.000,00",
            "−1",
            "Rp -1",
            "-Rp 1.000",
            "10000000001",
            "99999999999999999999999",
        ] {
            refused(parse_wage(text, "f"), ProblemCode::OutOfRange);
        }
        assert_eq!(parse_wage("10.000.000.000", "f"), Ok(Some(MAX_MONTHLY_WAGE)));
    }

    #[test]
    fn a_row_of_another_category_is_refused_and_an_unknown_word_is_marked() {
        use CivilServantCategory::{Cpns, NonAsn, Pns, Pppk};
        for (text, of_all) in [
            ("PNS", Pns),
            ("Pegawai Negeri Sipil", Pns),
            ("C.P.N.S.", Cpns),
            ("P3K", Pppk),
            ("ASN", Pppk),
            (" ", Pns),
        ] {
            assert_eq!(judge_category(text, of_all, "f"), None, "{text}");
        }
        for (text, of_all) in [("CPNS", Pns), ("PPPK", Pns), ("Honorer", Pns), ("ASN", NonAsn)] {
            let problem = judge_category(text, of_all, "f").unwrap();
            assert!(problem.is_error() && problem.code == ProblemCode::NotEligible, "{text}");
        }
        assert!(!judge_category("Aktif", Pns, "f").unwrap().is_error());
    }

    #[test]
    fn what_a_spreadsheet_shows_for_a_failed_formula_is_known() {
        for text in [
            "#N/A",
            "#REF!",
            "#NAME?",
            "#VALUE!",
            "#DIV/0!",
            "#NULL!",
            "#NUM!",
            "#SPILL!",
            "#CALC!",
            "#ÜBERLAUF!",
            "#GETTING_DATA",
            "#n/a",
            " '#REF! ",
            "####",
            "Err:502",
        ] {
            assert!(is_spreadsheet_error(text), "{text}");
        }
        for text in ["", "Budi", "#1", "#Budi", "No. #3", "#!", "N/A", "Err: lupa", "Budi!", "#a b!"] {
            assert!(!is_spreadsheet_error(text), "{text}");
        }
    }

    #[test]
    fn a_sex_is_read_in_the_words_that_rosters_use() {
        for text in ["L", "l", " laki-laki ", "Laki - Laki", "LAKI LAKI", "Pria", "M", "MALE", "Lk."] {
            assert_eq!(parse_sex(text, "f"), Ok(Sex::Male), "{text}");
        }
        for text in ["P", "p", "Perempuan", "WANITA", "F", "female", "Pr."] {
            assert_eq!(parse_sex(text, "f"), Ok(Sex::Female), "{text}");
        }
        refused(parse_sex("", "f"), ProblemCode::Required);
        refused(parse_sex("W", "f"), ProblemCode::InvalidFormat);
        refused(parse_sex("1", "f"), ProblemCode::InvalidFormat);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>(), noise in "[-−0-9.,/ RpIDRT:']{0,20}") {
            for text in [text, noise] {
                let _ = (parse_date(&text, "f"), parse_wage(&text, "f"), parse_sex(&text, "f"));
            }
        }

        #[test]
        fn every_date_comes_back(days in 0_u64..73_000) {
            let date = day(1900, 1, 1).checked_add_days(Days::new(days)).unwrap();
            for form in ["%Y-%m-%d", "%d/%m/%Y", "%-d-%-m-%Y", "%d.%m.%Y"] {
                prop_assert_eq!(parse_date(&date.format(form).to_string(), "f"), Ok(date));
            }
        }

        #[test]
        fn every_wage_comes_back(rupiah in 1..=MAX_MONTHLY_WAGE) {
            let mut grouped = rupiah.to_string();
            for at in (1..grouped.len()).rev().filter(|at| (grouped.len() - at) % 3 == 0).collect::<Vec<_>>() {
                grouped.insert(at, '.');
            }
            let english = format!("{}.00", grouped.replace('.', ","));
            for text in [rupiah.to_string(), format!("Rp {grouped},00"), grouped, english] {
                prop_assert_eq!(parse_wage(&text, "f"), Ok(Some(rupiah)));
            }
        }
    }
}
