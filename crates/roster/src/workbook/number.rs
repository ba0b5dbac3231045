//! Numbers in the cells of a workbook: quantities, and days.

use chrono::{Days, NaiveDate, TimeDelta};

/// Returns whether a number format shows a day: a built-in format by its id, another by its code.
pub(super) fn is_date_format(id: u32, code: Option<&str>) -> bool {
    let Some(code) = code else { return matches!(id, 14..=17 | 22 | 27..=36 | 50..=58) };
    let (mut letters, mut is_quoted, mut is_bracketed) = (code.chars(), false, false);
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' | '_' | '*' if !is_quoted => drop(letters.next()),
            '[' if !is_quoted => is_bracketed = true,
            ']' if !is_quoted => is_bracketed = false,
            'd' | 'D' | 'y' | 'Y' if !is_quoted && !is_bracketed => return true,
            ';' if !is_quoted => return false,
            _ => {}
        }
    }
    false
}

/// The calendar of a workbook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    /// Days are counted from 1904, as on old Macintoshes, and not from 1900.
    pub(super) from_1904: bool,
}

impl Calendar {
    /// Returns the day of a number, `2014-11-01`, followed by the time of day unless it is midnight.
    pub(super) fn day(self, number: f64) -> Option<String> {
        if !(0.0..2_958_466.0).contains(&number) {
            return None;
        }
        let whole = number.floor() as u64;
        let (year, month, first) = match self {
            Self { from_1904: true } => (1904, 1, 1),
            // This calendar has a 29 February 1900, which did not exist.
            Self { from_1904: false } if whole < 60 => (1899, 12, 31),
            Self { from_1904: false } => (1899, 12, 30),
        };
        let day = NaiveDate::from_ymd_opt(year, month, first)?.checked_add_days(Days::new(whole))?;
        let seconds = ((number - number.floor()) * 86_400.0).round() as i64;
        let time = day.and_hms_opt(0, 0, 0)?.checked_add_signed(TimeDelta::seconds(seconds))?;
        Some(time.to_string().trim_end_matches(" 00:00:00").to_owned())
    }
}

/// Returns a quantity as it would be typed. Spreadsheets may write 4250000 as `4.25E6`, or as 4249999.9999999995 if it
/// was computed.
pub(super) fn typed(number: f64, written: &str) -> String {
    let whole = number.round();
    if (number - whole).abs() < 1e-6 && whole.abs() < 1e18 {
        format!("{whole:.0}")
    } else {
        written.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_with_a_day_or_a_year_in_it_is_a_date() {
        for code in ["dd/mm/yyyy", "[$-421]d mmmm yyyy;@", "yyyy\\-mm\\-dd", "D-M-YY"] {
            assert!(is_date_format(164, Some(code)), "{code}");
        }
        for code in
            ["0", "#,##0.00", "\"Rp days\"#,##0", "[Red]0", "[$IDR] #,##0", "h:mm", "\\d0", "@", "0;d"]
        {
            assert!(!is_date_format(164, Some(code)), "{code}");
        }
        assert!(is_date_format(14, None) && !is_date_format(0, None) && !is_date_format(20, None));
    }

    #[test]
    fn days_are_counted_from_1900_or_1904() {
        let [from_1900, from_1904] = [false, true].map(|from_1904| Calendar { from_1904 });
        for (number, day) in
            [(41944.0, "2014-11-01"), (1.0, "1900-01-01"), (59.0, "1900-02-28"), (61.0, "1900-03-01")]
        {
            assert_eq!(from_1900.day(number).unwrap(), day);
        }
        assert_eq!(from_1904.day(40482.0).unwrap(), "2014-11-01");
        assert_eq!(from_1900.day(41944.5).unwrap(), "2014-11-01 12:00:00");
        assert_eq!(from_1900.day(41_943.999_999_99).unwrap(), "2014-11-01");
        for number in [-1.0, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(from_1900.day(number), None);
        }
    }

    #[test]
    fn a_quantity_is_written_as_it_was_typed() {
        assert_eq!(typed(4.25e6, "4.25E6"), "4250000");
        assert_eq!(typed(4_249_999.999_999_999, "4249999.9999999995"), "4250000");
        assert_eq!(typed(2.5, "2.5"), "2.5");
        assert_eq!(typed(-0.0, "-0"), "-0");
    }
}
