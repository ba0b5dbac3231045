//! Tables of text for a terminal.

/// Aligns columns, with two spaces between them and numbers on the right.
pub(super) fn table<const N: usize>(rows: &[[String; N]], is_number: [bool; N]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells: [String; N] = std::array::from_fn(|at| match is_number[at] {
            true => format!("{:>width$}", row[at], width = widths[at]),
            false => format!("{:<width$}", row[at], width = widths[at]),
        });
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
