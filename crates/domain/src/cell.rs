//! Parses the cells of a roster: text in which people and spreadsheets write dates, amounts and the like.
//!
//! Text with more than one meaning is refused. The month of a date is never first, and no amount is guessed.

use super::identity::is_digits;
use super::number::rupiah;
use super::problem::{Problem, ProblemCode};
use super::text::normalized;
use super::vocabulary::{CivilServantCategory, Sex};

mod date;

pub(crate) use date::named_month;
pub use date::parse_date;

/// Maximum monthly wage, in rupiah. It is far above the wage of the best-paid director, and catches amounts with a few
/// zeros too many before contributions are computed from them.
pub const MAX_MONTHLY_WAGE: i64 = 10_000_000_000;

/// Lowest believable monthly wage, in rupiah. It is far below the minimum wage of any province, and catches amounts
/// that have lost their thousands (`4.250`).
pub const LEAST_BELIEVABLE_WAGE: i64 = 100_000;

/// Returns whether a cell is empty or contains only marks, such as the `-` that people write for an empty value.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric)
}

/// Reads a monthly wage in whole rupiah: `4250000`, `4.250.000,00`, `4,250,000.00`, `Rp 4.250.000,-`. Returns `None` for
/// a [blank](is_blank) cell.
///
/// Points and commas either group digits by threes or are a decimal mark before one or two zeros: `4.250` and `4250.00`
/// are four thousand, and `4250.000` is refused.
///
/// # Errors
///
/// `INVALID_FORMAT` for another text and for fractions of a rupiah, `OUT_OF_RANGE` outside 1 to [`MAX_MONTHLY_WAGE`].
pub fn parse_wage(text: &str, field: &str) -> Result<Option<i64>, Problem> {
    let text = bare(text);
    if is_blank(&text) {
        return Ok(None);
    }
    let invalid = |message| {
        let hint = "Write it as 4250000 or 4.250.000,00.";
        Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint)
    };
    let (is_negative, amount) = without_currency(&text);
    let (whole, fraction) =
        split_amount(amount).ok_or_else(|| invalid("This is not an amount of rupiah."))?;
    if fraction.bytes().any(|digit| digit != b'0') {
        return Err(invalid("A wage must be in whole rupiah."));
    }
    // A number with too many digits is an amount, but out of range.
    let wage = whole.parse().unwrap_or(i64::MAX);
    if is_negative || !(1..=MAX_MONTHLY_WAGE).contains(&wage) {
        let message =
            format!("A monthly wage must be between {} and {}.", rupiah(1), rupiah(MAX_MONTHLY_WAGE));
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    Ok(Some(wage))
}

/// Reads a sex: `L` and `P` (*laki-laki*, *perempuan*) as in rosters, these words, and `M` and `F` with theirs. Case does
/// not matter.
///
/// `W` (*wanita*) is refused: where it is used, `P` means *pria*, a man.
///
/// # Errors
///
/// `REQUIRED` if the text is empty, otherwise `INVALID_FORMAT`.
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
            Err(Problem::error(ProblemCode::InvalidFormat, field, "This is not a sex.").hint(hint))
        }
    }
}

/// Compares the category in a row with the category of the whole onboarding. Another category is an error, because
/// other rules apply to it. An unknown word is a warning.
pub fn judge_category(text: &str, of_all: CivilServantCategory, field: &str) -> Option<Problem> {
    use CivilServantCategory::{Cpns, NonAsn, Pns, Pppk};
    let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let meant: &[CivilServantCategory] = match letters.collect::<String>().as_str() {
        "" => return None,
        "asn" => &[Pns, Cpns, Pppk],
        "pns" | "pnsd" | "pnsdaerah" | "pnspusat" | "pegawainegerisipil" => &[Pns],
        "cpns" | "cpnsd" | "calonpns" | "calonpegawainegerisipil" => &[Cpns],
        "pppk" | "p3k" | "pegawaipemerintahdenganperjanjiankerja" => &[Pppk],
        "nonasn" | "nonpns" | "honorer" | "tenagahonorer" | "honor" | "ptt" | "thl" | "tkk" => &[NonAsn],
        _ => {
            let message = format!(
                "The category of this row is unknown; the row is enrolled as {of_all}, like all others."
            );
            let problem = Problem::warning(ProblemCode::NotEligible, field, message);
            return Some(problem.hint("Write PNS, CPNS, PPPK or NON ASN."));
        }
    };
    (!meant.contains(&of_all)).then(|| {
        let message = format!("The row has the category {}, but this onboarding is for {of_all}.", meant[0]);
        let hint = "Onboard each category separately, or correct the cell.";
        Problem::error(ProblemCode::NotEligible, field, message).hint(hint)
    })
}

/// Returns whether a cell contains a spreadsheet error (`#N/A`, `#REF!`, `Err:502`) or the `####` of a column that is
/// too narrow.
///
/// The list of errors grows with each release, and some spreadsheets translate them. All begin with `#`, and most end in
/// `!` or `?`.
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

/// Returns the visible content of a cell, trimmed and without the apostrophe that spreadsheets put before text.
fn bare(text: &str) -> String {
    let text = normalized(text);
    let text = text.trim();
    text.strip_prefix('\'').unwrap_or(text).trim_start().to_owned()
}

/// Removes the sign, `Rp`, `Rp.` or `IDR`, and the dash of `4.250.000,-` from an amount, and returns whether it is
/// negative.
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
    let (after, text) = if before { (false, text) } else { unsigned(text) };
    (before || after, text.strip_suffix(",-").or_else(|| text.strip_suffix(".-")).unwrap_or(text))
}

/// Returns the digits before and after the decimal mark.
fn split_amount(text: &str) -> Option<(String, &str)> {
    let is_mark = |c: char| matches!(c, '.' | ',');
    let Some((at, last)) = text.char_indices().rfind(|&(_, c)| is_mark(c)) else {
        return is_digits(text).then(|| (text.to_owned(), ""));
    };
    let (before, after) = (&text[..at], &text[at + 1..]);
    if matches!(after.len(), 1 | 2) && is_digits(after) && !before.contains(last) {
        return Some((ungrouped(before)?, after));
    }
    Some((ungrouped(text)?, ""))
}

/// Returns the digits of a whole number that is not grouped or grouped by threes with one kind of mark.
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

    #[track_caller]
    fn refused<T: std::fmt::Debug>(parsed: Result<T, Problem>, code: ProblemCode) -> Problem {
        let problem = parsed.unwrap_err();
        assert_eq!(problem.code, code);
        problem
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
        for blank in ["  ", "-", "\u{200b}", "'-"] {
            assert_eq!(parse_wage(blank, "f"), Ok(None), "{blank:?}");
        }
    }

    #[test]
    fn one_mark_before_three_digits_groups_them() {
        assert_eq!(parse_wage("4.250", "f"), Ok(Some(4_250)));
        assert_eq!(parse_wage("425.000", "f"), Ok(Some(425_000)));
        assert_eq!(parse_wage("4250.00", "f"), Ok(Some(4_250)));
    }

    #[test]
    fn other_texts_are_not_amounts() {
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
    fn spreadsheet_errors_are_recognised() {
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
