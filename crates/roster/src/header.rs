//! The header of a roster: the meaning of its columns, and how a row below it is read.

use domain::onboarding::{OnboardingKind, RosterKind, Row};
use domain::problem::{Problem, ProblemCode};
use strum::VariantArray as _;

use super::cell::{as_typed, day_of_instant, is_blank, is_dash, shown, unless_blank};
use super::error::RepeatedColumn;
use super::{Column, Limits, RosterError, mask};

mod row_kind;

/// The cells that identify a person.
const REQUIRED: [Column; 5] =
    [Column::NationalId, Column::ServiceNumber, Column::FullName, Column::BirthDate, Column::Sex];
/// Maximum number of names of a header that are shown to a person.
const NAMES_SHOWN: usize = 20;

/// Returns the names of the columns that are not read in a file of a kind, for a person: shortened, and only if they
/// contain no data.
pub fn ignored_columns(kind: OnboardingKind, header: &[String]) -> Vec<String> {
    let ignored = Header::of(kind, header.to_vec()).ignored;
    ignored.iter().map(|name| mask::label(name)).filter(|name| !name.is_empty()).collect()
}

/// Returns what each column of a file of a kind means, for a person to compare with the file: its name, shortened and
/// without anything that is more than a name, and its meaning if it has one.
pub fn understood_columns(kind: OnboardingKind, header: &[String]) -> Vec<(String, Option<Column>)> {
    let columns = Header::of(kind, header.to_vec()).columns;
    header.iter().map(|name| mask::label(name)).zip(columns).collect()
}

/// Returns the name that a header has for a field of the API, such as `TGL LAHIR` for `birthDate`.
pub fn column_name<'a>(header: &'a [String], field: &str) -> Option<&'a str> {
    let column = Column::of(field)?;
    let named = |of: &dyn Fn(&str) -> Option<Column>| {
        header.iter().map(String::as_str).find(|name| of(name) == Some(column))
    };
    let by_fallback = |list| named(&|name| Column::fallback_of(name, list));
    named(&Column::of).or_else(|| (0..Column::FALLBACKS).find_map(by_fallback))
}

/// Returns the columns that a roster of a kind needs: who each person is, and the NIP or the wage where the kind has one.
pub(super) fn required(kind: RosterKind) -> Vec<Column> {
    let is_needed = |column: &Column| *column != Column::ServiceNumber || kind.needs_service_number();
    let wage = kind.needs_wage().then_some(Column::MonthlyWage);
    REQUIRED.into_iter().filter(is_needed).chain(wage).collect()
}

/// What a file is read for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its kind, which decides the columns that are read.
    pub(super) kind: OnboardingKind,
    /// The columns without which it is refused.
    pub(super) needed: Vec<Column>,
}

/// The row of a roster that names its columns.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The kind of the file.
    pub(super) kind: OnboardingKind,
    /// The names as they are in the file.
    pub(super) names: Vec<String>,
    /// The column that each of `names` means, if it is known.
    columns: Vec<Option<Column>>,
    /// The names of the columns that are not read, for people.
    pub(super) ignored: Vec<String>,
    /// The columns without a name right of `NAMA`: names may extend over them.
    name_continues: std::ops::Range<usize>,
}

impl Header {
    pub(super) fn of(kind: OnboardingKind, names: Vec<String>) -> Self {
        let column = |name: &String| Column::of(name).filter(|column| column.is_of(kind));
        let mut columns: Vec<_> = names.iter().map(column).collect();
        for list in 0..Column::FALLBACKS {
            let fallbacks = names.iter().map(|name| Column::fallback_of(name, list));
            let is_free = |column: Option<Column>| column.filter(|_| !columns.contains(&column));
            let fallbacks: Vec<_> = fallbacks.map(is_free).collect();
            columns.iter_mut().zip(fallbacks).for_each(|(column, fallback)| *column = column.or(fallback));
        }
        let unknown = names.iter().zip(&columns).filter(|(name, column)| column.is_none() && !is_blank(name));
        let ignored = unknown.map(|(name, _)| shown(name)).collect();
        let mut header = Self { kind, names, columns, ignored, name_continues: 0..0 };
        header.name_continues = header.continuation_of_name();
        header
    }

    /// Returns the columns over which a name may extend: those without a name between `NAMA` and the next column. At
    /// the right end of the table there is no next column, and cells there may be notes.
    fn continuation_of_name(&self) -> std::ops::Range<usize> {
        let Some(name) = self.columns.iter().position(|&column| column == Some(Column::FullName)) else {
            return 0..0;
        };
        let unnamed = self.names[name + 1..].iter().take_while(|name| is_blank(name)).count();
        if name + 1 + unnamed < self.names.len() { name + 1..name + 1 + unnamed } else { 0..0 }
    }

    /// Returns whether the name in a row extends over several columns.
    pub(super) fn has_divided_name(&self, cells: &[String]) -> bool {
        let rest = cells.get(self.name_continues.start..).unwrap_or_default();
        rest.iter().take(self.name_continues.len()).any(|cell| !is_blank(cell))
    }

    /// Returns whether a date in a row has a time zone.
    pub(super) fn has_zoned_date(&self, cells: &[String]) -> bool {
        let is_date = |at| self.column(at).is_some_and(Column::is_date);
        cells.iter().enumerate().any(|(at, cell)| is_date(at) && day_of_instant(cell).is_some())
    }

    /// Returns the first column without a name in which a row has a cell that is not part of the name.
    pub(super) fn unnamed_cell(&self, cells: &[String]) -> Option<usize> {
        let mut unnamed = self.names.iter().zip(cells).enumerate();
        let found = unnamed.find(|(at, (name, cell))| {
            is_blank(name) && !is_blank(cell) && !self.name_continues.contains(at)
        });
        found.map(|(at, _)| at)
    }

    /// Returns the meaning of a column, if it is known.
    pub(super) fn column(&self, at: usize) -> Option<Column> {
        self.columns.get(at).copied().flatten()
    }

    /// Returns the number of columns with a known name.
    pub(super) fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// Returns the number of columns, up to the last one that has a name.
    pub(super) fn width(&self) -> usize {
        self.columns.len() - self.names.iter().rev().take_while(|name| is_blank(name)).count()
    }

    /// Refuses a header with missing or repeated columns, and names all of them at once.
    pub(super) fn judge(&self, required: &[Column]) -> Result<(), RosterError> {
        let is_there = |column| self.names_of(column).next().is_some();
        // A roster of foreigners has passports instead of identity numbers.
        let is_replaced = |column| column == Column::NationalId && is_there(Column::Passport);
        let is_missing = |&&column: &&Column| !is_there(column) && !is_replaced(column);
        let missing: Vec<Column> = required.iter().filter(is_missing).copied().collect();
        let repeated: Vec<RepeatedColumn> = Column::VARIANTS
            .iter()
            .filter(|column| column.is_read())
            .map(|&column| RepeatedColumn { column, names: self.names_of(column).map(shown).collect() })
            .filter(|repeated| repeated.names.len() > 1)
            .collect();
        if missing.is_empty() && repeated.is_empty() {
            return Ok(());
        }
        let found = self.names.iter().filter(|name| !is_blank(name)).take(NAMES_SHOWN);
        Err(RosterError::Columns { missing, repeated, found: found.map(|name| shown(name)).collect() })
    }

    /// Returns the name of the column of the wage, and of those beside it that the wage may lack. `None` if there are none.
    pub(super) fn incomplete_wage(&self) -> Option<(String, Vec<String>)> {
        let wage = self.names_of(Column::MonthlyWage).next()?;
        let unread = self.names.iter().zip(&self.columns).filter(|(_, column)| column.is_none());
        let beside = unread.filter(|(name, _)| Column::completes_wage(name, wage));
        let beside: Vec<String> = beside.map(|(name, _)| shown(name)).collect();
        (!beside.is_empty()).then(|| (shown(wage), beside))
    }

    /// Returns whether an unclosed quotation mark has made the next row part of a cell: the cell has a line break, and
    /// as many separators as a row.
    pub(super) fn swallowed_a_row(&self, cells: &[String], separator: u8) -> bool {
        let separators = |cell: &str| cell.bytes().filter(|&byte| byte == separator).count();
        let width = self.width();
        cells.iter().any(|cell| cell.contains(['\n', '\r']) && separators(cell) + 1 >= width)
    }

    /// Returns the problem of a row with uncomputed formulas in columns that are read: their values are unknown.
    pub(super) fn uncomputed(&self, cells: &[usize]) -> Option<Problem> {
        let is_read = |&&at: &&usize| self.column(at).is_some_and(Column::is_read);
        let names: Vec<String> = cells.iter().filter(is_read).map(|&at| shown(&self.names[at])).collect();
        if names.is_empty() {
            return None;
        }
        let message =
            format!("The formula under {} was never computed: there is no value.", names.join(", "));
        let hint =
            "Open the workbook in the spreadsheet program and save it again, or export it as “CSV UTF-8”.";
        Some(Problem::error(ProblemCode::InvalidFormat, "row", message).hint(hint))
    }

    /// Reads the cells of a row.
    pub(super) fn row(&self, cells: &[String], limits: &Limits) -> Result<Row, Problem> {
        let (named, found) = (self.columns.len(), cells.len());
        if cells.iter().skip(named).any(|cell| !is_blank(cell)) {
            let message = format!(
                "The row has {found} cells, but the header has {named}: it is unclear which cell belongs to which column."
            );
            let hint =
                "Put a cell that contains a separator, such as a name with titles, between quotation marks.";
            return Err(Problem::error(ProblemCode::InvalidFormat, "row", message).hint(hint));
        }
        let is_too_long = |&(cell, _): &(&String, _)| cell.len() > limits.field_bytes;
        if let Some((_, name)) = cells.iter().zip(&self.names).find(is_too_long) {
            let message =
                format!("The cell under {} is longer than {} bytes.", shown(name), limits.field_bytes);
            let hint = "Look for an unclosed quotation mark or a paste that went wrong there.";
            return Err(Problem::error(ProblemCode::OutOfRange, "row", message).hint(hint));
        }
        let mut row = Row::default();
        for (cell, column) in cells.iter().zip(&self.columns) {
            let Some(column) = column else { continue };
            let text = as_typed(cell).to_owned();
            match column {
                // Foreigners have a dash there, or under the other number.
                Column::NationalId if is_dash(&text) => {}
                Column::NationalId => row.national_id = text,
                Column::Passport => row.passport_number = unless_blank(text),
                // Staff without a NIP have a dash there.
                Column::ServiceNumber if is_dash(&text) => {}
                Column::ServiceNumber => row.service_number = text,
                Column::FullName => row.full_name = self.joined_name(text, cells),
                Column::BirthDate => row.birth_date = as_day(text),
                Column::Sex => row.sex = text,
                Column::BirthPlace => row.birth_place = unless_blank(text),
                Column::WorkUnit => row.work_unit = unless_blank(text),
                Column::Grade => row.grade = unless_blank(text),
                Column::MonthlyWage => row.monthly_wage = unless_blank(text),
                Column::StartsOn => row.starts_on = unless_blank(text).map(as_day),
                Column::Phone => row.phone = unless_blank(text),
                Column::Category => row.category = unless_blank(text),
                Column::Month => row.month = unless_blank(text).map(as_day),
                Column::LastDay => row.last_day = unless_blank(text).map(as_day),
                Column::LeavingReason => row.leaving_reason = unless_blank(text),
                Column::Province => row.province = unless_blank(text),
                Column::Number | Column::Error => {}
            }
        }
        Ok(row)
    }

    /// Returns the name, joined with its parts in the columns right of it.
    fn joined_name(&self, name: String, cells: &[String]) -> String {
        let rest = cells.iter().take(self.name_continues.end).skip(self.name_continues.start);
        rest.filter(|cell| !is_blank(cell)).fold(name, |name, cell| format!("{name} {}", as_typed(cell)))
    }

    fn names_of(&self, column: Column) -> impl Iterator<Item = &str> {
        let meant = self.names.iter().zip(&self.columns).filter(move |(_, means)| **means == Some(column));
        meant.map(|(name, _)| name.as_str())
    }
}

/// Returns a date. If it has a time zone, it returns the day in Indonesia.
fn as_day(text: String) -> String {
    day_of_instant(&text).map_or(text, |day| day.to_string())
}

#[cfg(test)]
mod tests;
