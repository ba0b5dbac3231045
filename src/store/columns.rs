//! Rows that are read by the position of their columns.
//!
//! `#[derive(FromRow)]` looks up each column of each row by its name and compares its type. A list of two hundred people has
//! 2,400 columns, and that was a third of the work for it. All rows of a result have the same columns, so here names and
//! types are checked in its first row alone.

use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Column as _, Decode, Row as _, Type, ValueRef as _};

/// The columns of one row, from the first to the last.
pub(super) struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
    /// Whether names and types are checked.
    is_checked: bool,
}

/// A row whose statements select its columns in the order of its fields. Implemented by [`in_order!`].
pub(super) trait InOrder: Sized {
    /// Reads the next columns.
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error>;
}

impl<'r> Columns<'r> {
    /// The columns of a row, whose names and types are checked.
    pub(super) fn checked(row: &'r PgRow) -> Self {
        Self { row, next: 0, is_checked: true }
    }

    /// Whether the next column is null.
    pub(super) fn is_null(&self) -> Result<bool, sqlx::Error> {
        Ok(self.row.try_get_raw(self.next)?.is_null())
    }

    /// Reads the next column, which has this name.
    pub(super) fn next<T>(&mut self, name: &'static str) -> Result<T, sqlx::Error>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        let index = self.next;
        self.next += 1;
        if !self.is_checked {
            return self.row.try_get_unchecked(index);
        }
        match self.row.try_column(index)?.name() == name {
            true => self.row.try_get(index),
            false => Err(sqlx::Error::ColumnNotFound(name.to_owned())),
        }
    }
}

/// Reads the rows of one result.
pub(super) fn read_all<T: InOrder>(rows: &[PgRow]) -> Result<Vec<T>, sqlx::Error> {
    let columns = |(at, row)| Columns { row, next: 0, is_checked: at == 0 };
    rows.iter().enumerate().map(|row| T::read(&mut columns(row))).collect()
}

/// Implements [`InOrder`] and `FromRow` for a row, by its fields in the order of the columns. The columns of a row that
/// another one flattens come first.
macro_rules! in_order {
    ($row:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::store::columns::InOrder for $row {
            fn read(columns: &mut $crate::store::columns::Columns<'_>) -> Result<Self, ::sqlx::Error> {
                Ok(Self { $($field: columns.next(stringify!($field))?),+ })
            }
        }

        impl ::sqlx::FromRow<'_, ::sqlx::postgres::PgRow> for $row {
            fn from_row(row: &::sqlx::postgres::PgRow) -> Result<Self, ::sqlx::Error> {
                use $crate::store::columns::{Columns, InOrder as _};
                Self::read(&mut Columns::checked(row))
            }
        }
    };
}
pub(super) use in_order;
