//! Arguments that several fields share: codes, lists, words and orders.

use async_graphql::Enum;

use super::caller::Caller;
use super::error::FieldError;
use domain::page::{Direction, Order};
use domain::text;

/// Direction of a list's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Ascending: smallest, first or oldest first.
    #[default]
    Asc,
    /// Descending: largest, last or newest first.
    Desc,
}

impl From<OrderDirection> for Direction {
    fn from(direction: OrderDirection) -> Self {
        match direction {
            OrderDirection::Asc => Self::Ascending,
            OrderDirection::Desc => Self::Descending,
        }
    }
}

/// Returns the order and direction of a list: as the argument says, or in the order of registration.
pub fn order_of<F: Into<Order>>(argument: Option<(F, OrderDirection)>) -> (Order, Direction) {
    argument.map_or_else(Default::default, |(field, direction)| (field.into(), direction.into()))
}

/// Returns the province with the code of a filter.
///
/// # Errors
/// `UNKNOWN_CODE`.
pub fn province_of(caller: &Caller, code: Option<String>) -> Result<Option<i16>, FieldError> {
    let find = |code: String| caller.reference.province_by_code(&code).map(|p| p.id);
    code.map(|code| find(code).ok_or(FieldError::UnknownCode("province"))).transpose()
}

/// Returns the words that a filter searches for.
///
/// # Errors
/// `BAD_FILTER`.
pub fn words_of(name: Option<String>, words: fn(&str) -> Vec<String>) -> Result<Vec<String>, FieldError> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let words = words(&name);
    if words.is_empty() || words.len() > 8 {
        return Err(FieldError::Filter("`name` takes one to eight words or beginnings of words."));
    }
    Ok(words)
}

/// Returns the distinct values of a list filter.
///
/// # Errors
/// `BAD_FILTER` if the list is empty: nothing could match.
pub fn all_of<A, B: From<A> + PartialEq>(values: Option<Vec<A>>) -> Result<Vec<B>, FieldError> {
    let Some(values) = values else {
        return Ok(Vec::new());
    };
    if values.is_empty() {
        return Err(FieldError::Filter(
            "An empty list matches nothing. Omit the condition to match everything.",
        ));
    }
    let mut each_once: Vec<B> = Vec::new();
    for value in values.into_iter().map(B::from) {
        if !each_once.contains(&value) {
            each_once.push(value);
        }
    }
    Ok(each_once)
}

/// Returns whether each word is the beginning of a word of the name.
pub fn has_words(name_key: &str, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let name = text::words(name_key);
    words.iter().all(|word| name.iter().any(|part| part.starts_with(word)))
}
