//! Cells as people and spreadsheets fill them in.

use super::report;

/// Characters of a column's name that are shown to a person.
const NAME_LENGTH_SHOWN: usize = 40;

/// The text of a cell without the marks that keep spreadsheets from changing it: the apostrophe that a
/// [report](super::ReportWriter) puts before formulas, and the `="…"` that people put around long numbers.
pub(super) fn as_typed(cell: &str) -> &str {
    let cell = cell.strip_prefix('\'').filter(|rest| report::is_formula(rest)).unwrap_or(cell);
    let guarded = cell.trim().strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    guarded.filter(|text| !text.contains('"')).unwrap_or(cell)
}

/// The text of an optional cell. A dash means that the cell is empty.
pub(super) fn unless_blank(text: String) -> Option<String> {
    Some(text).filter(|text| !is_blank(text) && !is_dash(text))
}

/// Whether a cell has a dash in the place of a value.
pub(super) fn is_dash(text: &str) -> bool {
    !is_blank(text) && text.chars().all(|c| matches!(c, '-' | '–' | '—') || is_unseen(c))
}

/// Whether a cell has nothing in it that can be seen.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_unseen)
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// A name from a file, safe to print on a terminal.
pub(super) fn shown(name: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    name.trim().chars().take(NAME_LENGTH_SHOWN).map(printable).collect()
}
