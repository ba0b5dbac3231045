//! Keyset pagination.
//!
//! A cursor names the last row seen, not an offset. Page 10,000 costs as much as page 1, and rows that are added in the
//! meantime do not shift the pages.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Default page size.
pub const DEFAULT_SIZE: usize = 20;
/// Maximum page size.
pub const MAXIMUM_SIZE: usize = 100;

/// Sort key of a list. A cursor belongs to one order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// By internal id, which is the order of registration.
    #[default]
    Id,
    /// By name, then by id.
    Name,
    /// By a business key, then by id.
    Key,
    /// By a day, then by id.
    Day,
    /// By a number of people, then by id.
    People,
    /// By a gap between two numbers of people, then by id.
    Gap,
}

/// Sort direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// The position of a row in an ordered list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Value of the sort key; empty when ordered by id.
    pub key: String,
    /// Tie-breaker between equal keys.
    pub id: i64,
}

/// A requested page of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// Maximum number of rows.
    pub size: usize,
    /// Whether to return the last rows, before `before` or the end, instead of the first.
    pub backward: bool,
    /// Whether to fetch one extra row, which tells whether more rows follow or precede.
    pub extra_row: bool,
    /// Only rows after this position.
    pub after: Option<Position>,
    /// Only rows before this position.
    pub before: Option<Position>,
    /// Sort key.
    pub order: Order,
    /// Sort direction.
    pub direction: Direction,
}

/// An invalid request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// `first` and `last` together, or one of them outside 0 to 100.
    #[error("Use either `first` or `last`, from 0 to 100.")]
    Size,
    /// A cursor of another list or order.
    #[error("This cursor belongs to another list or another order.")]
    Cursor,
}

impl Page {
    /// Parses the four arguments of a connection.
    ///
    /// # Errors
    /// Both sizes at once, a size outside 0 to 100, or a cursor of another list or order.
    pub fn parse(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
        order: Order,
        direction: Direction,
    ) -> Result<Self, PageError> {
        let size = match (first, last) {
            (Some(_), Some(_)) => return Err(PageError::Size),
            (Some(n), None) | (None, Some(n)) => usize::try_from(n).map_err(|_| PageError::Size)?,
            (None, None) => DEFAULT_SIZE,
        };
        if size > MAXIMUM_SIZE {
            return Err(PageError::Size);
        }
        let position = |cursor: Option<&str>| cursor.map(|text| Position::parse(text, order)).transpose();
        Ok(Self {
            size,
            backward: last.is_some(),
            extra_row: true,
            after: position(after)?,
            before: position(before)?,
            order,
            direction,
        })
    }

    /// Returns whether rows must be fetched in descending order. A backward page reverses the direction.
    pub fn fetch_descending(&self) -> bool {
        (self.direction == Direction::Descending) != self.backward
    }

    /// Returns the number of rows to fetch.
    pub fn limit(&self) -> usize {
        self.size + usize::from(self.extra_row)
    }

    /// Returns the page in list order, from at most [`limit`](Self::limit) rows in the order of fetching. It also says whether
    /// more rows precede and follow. A page of size 0 says nothing about further rows, so that it discloses no row without an
    /// access record.
    pub fn cut<T>(&self, mut fetched: Vec<T>) -> Slice<T> {
        let more = self.size > 0 && fetched.len() > self.size;
        fetched.truncate(self.size);
        if self.backward {
            fetched.reverse();
            Slice { rows: fetched, has_next: self.before.is_some(), has_previous: more }
        } else {
            Slice { rows: fetched, has_next: more, has_previous: self.after.is_some() }
        }
    }

    /// Returns the page of a complete list in memory, given in ascending order.
    pub fn of<T>(&self, ascending: Vec<(Position, T)>) -> Slice<T> {
        let is_after = |a: &Position, b: &Position| match self.direction {
            Direction::Ascending => a > b,
            Direction::Descending => a < b,
        };
        let mut rows: Vec<T> = ascending
            .into_iter()
            .filter(|(at, _)| self.after.as_ref().is_none_or(|after| is_after(at, after)))
            .filter(|(at, _)| self.before.as_ref().is_none_or(|before| is_after(before, at)))
            .map(|(_, row)| row)
            .collect();
        if self.fetch_descending() {
            rows.reverse();
        }
        rows.truncate(self.size + 1);
        self.cut(rows)
    }
}

/// The rows of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// Rows, in list order.
    pub rows: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}

impl<T> Slice<T> {
    /// Maps the rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            rows: self.rows.into_iter().map(f).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl Position {
    /// Returns the position of a row when ordered by a number. Positions compare as texts, so the key has leading zeros and
    /// is never negative; PostgreSQL makes the same text with `lpad`.
    pub fn of_figure(figure: i64, id: i64) -> Self {
        Self { key: format!("{:019}", figure.saturating_add(Self::FIGURE_ZERO)), id }
    }

    /// The number that stands for zero in keys of figures.
    pub const FIGURE_ZERO: i64 = 1_000_000_000_000;

    /// Returns the position of a row when ordered by id.
    pub fn of_id(id: i64) -> Self {
        Self { key: String::new(), id }
    }

    /// Encodes the position as an opaque cursor.
    pub fn cursor(&self, order: Order) -> String {
        let tag = match order {
            Order::Id => 'i',
            Order::Name => 'n',
            Order::Key => 'k',
            Order::Day => 'd',
            Order::People => 'p',
            Order::Gap => 'g',
        };
        URL_SAFE_NO_PAD.encode(format!("{tag}{}:{}", self.id, self.key))
    }

    fn parse(cursor: &str, order: Order) -> Result<Self, PageError> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| PageError::Cursor)?;
        let text = String::from_utf8(bytes).map_err(|_| PageError::Cursor)?;
        let (id, key) = text.get(1..).and_then(|rest| rest.split_once(':')).ok_or(PageError::Cursor)?;
        let position = Self { key: key.to_owned(), id: id.parse().map_err(|_| PageError::Cursor)? };
        // Encoding it again must give the same text, so that each position has one cursor. PostgreSQL rejects NUL.
        if position.cursor(order) == cursor && !position.key.contains('\0') {
            Ok(position)
        } else {
            Err(PageError::Cursor)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
    ) -> Result<Page, PageError> {
        Page::parse(first, after, last, before, Order::Id, Direction::Ascending)
    }

    #[test]
    fn a_page_has_twenty_rows_by_default_and_a_hundred_at_most() {
        assert_eq!(page(None, None, None, None).map(|p| p.size), Ok(20));
        assert_eq!(page(Some(100), None, None, None).map(|p| p.size), Ok(100));
        assert_eq!(page(Some(0), None, None, None).map(|p| p.size), Ok(0));
        for size in [101, 10_000, -1, i32::MIN] {
            assert_eq!(page(Some(size), None, None, None), Err(PageError::Size));
        }
        assert_eq!(page(Some(1), None, Some(1), None), Err(PageError::Size));
    }

    #[test]
    fn a_cursor_belongs_to_its_order() {
        let cursor = Position { key: "siti rahayu".into(), id: 7 }.cursor(Order::Name);
        assert!(Page::parse(None, Some(&cursor), None, None, Order::Name, Direction::Ascending).is_ok());
        assert_eq!(page(None, Some(&cursor), None, None), Err(PageError::Cursor));
    }

    #[test]
    fn paging_through_a_list_in_memory_returns_every_row_once_in_both_directions() {
        let list: Vec<_> = (1..=10).map(|id| (Position::of_id(id), id)).collect();
        for direction in [Direction::Ascending, Direction::Descending] {
            let (mut seen, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = Page::parse(Some(3), after.as_deref(), None, None, Order::Id, direction).unwrap();
                let slice = page.of(list.clone());
                after = slice.rows.last().map(|&id| Position::of_id(id).cursor(Order::Id));
                seen.extend(slice.rows);
                if !slice.has_next {
                    break;
                }
            }
            let mut expected: Vec<i64> = (1..=10).collect();
            if direction == Direction::Descending {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn an_extra_row_tells_whether_more_follow() {
        let page = page(Some(3), None, None, None).unwrap();
        assert_eq!(page.limit(), 4);
        assert_eq!(
            page.cut(vec![1, 2, 3, 4]),
            Slice { rows: vec![1, 2, 3], has_next: true, has_previous: false }
        );
        let page = Page { extra_row: false, ..page };
        assert_eq!(page.limit(), 3);
        assert_eq!(page.cut(vec![1, 2, 3]).rows, [1, 2, 3]);
    }

    #[test]
    fn the_last_rows_come_in_list_order() {
        let list: Vec<_> = (1..=10).map(|id| (Position::of_id(id), id)).collect();
        let slice = page(None, None, Some(3), None).unwrap().of(list);
        assert_eq!(slice, Slice { rows: vec![8, 9, 10], has_next: false, has_previous: true });
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_its_position(key in "[^\0]*", id: i64) {
            let position = Position { key, id };
            prop_assert_eq!(Position::parse(&position.cursor(Order::Key), Order::Key), Ok(position));
        }

        #[test]
        fn no_text_makes_the_reader_of_cursors_panic(text: String) {
            let _ = Position::parse(&text, Order::Name);
        }
    }
}
