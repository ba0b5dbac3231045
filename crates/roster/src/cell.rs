//! Text of cells, as people and spreadsheets write it.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

/// The time zones of Indonesia: WIB, WITA and WIT, in hours east of Greenwich.
const ZONES: [i32; 3] = [7, 8, 9];

/// Maximum number of characters of a column's name that are shown to a person.
const NAME_LENGTH_SHOWN: usize = 40;

/// Some spreadsheets treat the text after one of these as the beginning of a cell.
pub(super) const CELL_BREAKS: [char; 3] = ['\t', '\r', '\n'];

/// A spreadsheet treats a cell that begins with one of these as a formula, which could do harm. Some accept the wide
/// forms of East Asian keyboards too.
pub(super) const FORMULA_MARKS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Returns the text of a cell without the marks that keep spreadsheets from changing it: the apostrophe that a
/// [report](super::ReportWriter) puts before formulas, and the `="…"` that people put around long numbers.
pub(super) fn as_typed(cell: &str) -> &str {
    let cell = cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell);
    let guarded = cell.trim().strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    guarded.filter(|text| !text.contains('"')).unwrap_or(cell)
}

/// Returns the text of an optional cell. A dash means that the cell is empty.
pub(super) fn unless_blank(text: String) -> Option<String> {
    Some(text).filter(|text| !is_blank(text) && !is_dash(text))
}

/// Returns whether a cell has a dash in place of a value.
pub(super) fn is_dash(text: &str) -> bool {
    !is_blank(text) && text.chars().all(|c| matches!(c, '-' | '–' | '—') || is_invisible(c))
}

/// Returns the day of an instant that is midnight in its own time zone or in one of Indonesia, which is how programs
/// write a date: `1978-07-21T17:00:00.000Z` is the 22nd in Jakarta.
pub(super) fn day_of_instant(text: &str) -> Option<NaiveDate> {
    let instant = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    let zones = ZONES.into_iter().filter_map(|hours| FixedOffset::east_opt(hours * 3_600));
    let local = zones.map(|zone| instant.with_timezone(&zone).naive_local());
    let mut local = std::iter::once(instant.naive_local()).chain(local);
    local.find(|time| time.time() == NaiveTime::MIN).map(|time| time.date())
}

/// Returns whether a cell has no visible character.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Returns a name from a file, shortened and safe to print on a terminal.
pub(super) fn shown(name: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    name.trim().chars().take(NAME_LENGTH_SHOWN).map(printable).collect()
}

/// Returns whether a spreadsheet might treat a cell as a formula. Some ignore blanks before it.
pub(super) fn is_formula(cell: &str) -> bool {
    let is_invisible =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    let text = cell.trim_start_matches(is_invisible);
    let blanks = &cell[..cell.len() - text.len()];
    blanks.contains(CELL_BREAKS) || text.starts_with(FORMULA_MARKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_in_another_time_zone_is_a_day() {
        for (text, day) in [
            ("1978-07-21T17:00:00.000Z", Some("1978-07-22")),
            ("1978-07-21T16:00:00Z", Some("1978-07-22")),
            ("1978-07-21T15:00:00+00:00", Some("1978-07-22")),
            ("1978-07-22T00:00:00+07:00", Some("1978-07-22")),
            ("1978-07-22T00:00:00.000Z", Some("1978-07-22")),
            ("1978-07-21T18:00:00Z", None),
            ("1978-07-21T17:00:00", None),
            ("1978-07-22", None),
        ] {
            assert_eq!(day_of_instant(text), day.map(|day| day.parse().unwrap()), "{text}");
        }
    }
}
