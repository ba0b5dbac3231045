//! Rows that are read by the position of their columns.
//!
//! `#[derive(FromRow)]` looks up each column of each row by its name and compares its type. A list of two hundred people has
//! 2,400 columns, and that was a third of the work for it. All rows of a result have the same columns, so here names and
//! types are checked in its first row alone.

use std::cell::Cell;
use std::sync::Arc;

use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Column as _, Decode, Row as _, Type, ValueRef as _};

/// The value of a column that a statement may leave out.
///
/// A statement selects what its caller needs. A caller who needs more than it said is a fault of the program, and gets no
/// invented value.
#[derive(Clone)]
pub struct Selected<T>(Option<T>);

impl<T> Selected<T> {
    /// The value.
    ///
    /// # Panics
    /// The statement has not selected the column.
    pub fn get(&self) -> &T {
        self.0.as_ref().expect("who reads a column has selected it")
    }
}

impl<T> From<T> for Selected<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

/// The columns of one row, from the first to the last.
pub(super) struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
    /// Whether names and types are checked.
    is_checked: bool,
    /// Columns that may be left out, so far.
    optional: u32,
    /// Those of them that the result does not have, a bit for each.
    absent: &'r Cell<u32>,
}

/// A row whose statements select its columns in the order of its fields. Implemented by [`in_order!`].
pub(super) trait InOrder: Sized {
    /// Reads the next columns.
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error>;
}

impl<T: InOrder> InOrder for Arc<T> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, sqlx::Error> {
        T::read(columns).map(Self::new)
    }
}

impl<'r> Columns<'r> {
    /// The columns of a row, whose names and types are checked. `absent` begins with 0.
    pub(super) fn checked(row: &'r PgRow, absent: &'r Cell<u32>) -> Self {
        Self { row, next: 0, is_checked: true, optional: 0, absent }
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

    /// Reads the next column if it has this name. If it has another one, the statement has left this column out.
    pub(super) fn next_selected<T>(&mut self, name: &'static str) -> Result<Selected<T>, sqlx::Error>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        let bit = 1 << self.optional;
        self.optional += 1;
        if self.is_checked && self.row.columns().get(self.next).is_none_or(|column| column.name() != name) {
            self.absent.set(self.absent.get() | bit);
        }
        if self.absent.get() & bit != 0 {
            return Ok(Selected(None));
        }
        Ok(Selected(Some(self.next(name)?)))
    }
}

/// Reads the rows of one result.
pub(super) fn read_all<T: InOrder>(rows: &[PgRow]) -> Result<Vec<T>, sqlx::Error> {
    let absent = Cell::new(0);
    // `collect` of results begins small and grows.
    let mut all = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        all.push(T::read(&mut Columns { is_checked: at == 0, ..Columns::checked(row, &absent) })?);
    }
    Ok(all)
}

/// Implements [`InOrder`] and `FromRow` for a row, by its fields in the order of the columns. The columns of a row that
/// another one flattens come first. Those behind the semicolon may be left out ([`Selected`]).
macro_rules! in_order {
    ($row:ident { $($field:ident),+ $(,)? $(; $($optional:ident),+ $(,)?)? }) => {
        impl $crate::store::columns::InOrder for $row {
            fn read(columns: &mut $crate::store::columns::Columns<'_>) -> Result<Self, ::sqlx::Error> {
                Ok(Self {
                    $($field: columns.next(stringify!($field))?,)+
                    $($($optional: columns.next_selected(stringify!($optional))?,)+)?
                })
            }
        }

        impl ::sqlx::FromRow<'_, ::sqlx::postgres::PgRow> for $row {
            fn from_row(row: &::sqlx::postgres::PgRow) -> Result<Self, ::sqlx::Error> {
                use $crate::store::columns::{Columns, InOrder as _};
                Self::read(&mut Columns::checked(row, &::std::cell::Cell::new(0)))
            }
        }
    };
}
pub(super) use in_order;
