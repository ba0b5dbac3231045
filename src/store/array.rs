//! Arrays for `unnest` and array literals: how many rows reach PostgreSQL in one statement. And long arrays that are read.

use std::fmt::{Display, Write as _};

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};

/// Collects one column of many rows, as `unnest` takes it.
pub(super) fn column<'a, T, U>(rows: &'a [T], of: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// Writes values as an array literal of PostgreSQL. For values that need no quoting: numbers, dates, names of closed
/// lists.
pub(crate) fn array_literal<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let mut literal = String::from("{");
    for value in values {
        if literal.len() > 1 {
            literal.push(',');
        }
        write!(literal, "{value}").expect("writing into memory does not fail");
    }
    literal.push('}');
    literal
}

/// An array of `bigint` without nulls. sqlx takes 150 instructions for each number of a `Vec<i64>`, and an audit entry may name
/// thousands of people.
pub(super) struct BigInts(pub(super) Vec<i64>);

impl From<Vec<i64>> for BigInts {
    fn from(numbers: Vec<i64>) -> Self {
        Self(numbers)
    }
}

impl Type<Postgres> for BigInts {
    fn type_info() -> PgTypeInfo {
        i64::array_type_info()
    }
}

impl<'r> Decode<'r, Postgres> for BigInts {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => numbers_of(value.as_bytes()?).map(Self),
            PgValueFormat::Text => Decode::decode(value).map(Self),
        }
    }
}

/// Reads an array as `array_send` writes it: number of dimensions, whether there are nulls, type of the elements (which sqlx has
/// compared); for each dimension its length and lower bound; and each element after its length.
fn numbers_of(array: &[u8]) -> Result<Vec<i64>, BoxDynError> {
    const HEAD: usize = 12;
    const DIMENSION: usize = 8;
    let (head, rest) = array.split_at_checked(HEAD).ok_or("an array without a head")?;
    if head[..4] == 0_i32.to_be_bytes() {
        return Ok(Vec::new());
    }
    if head[..4] != 1_i32.to_be_bytes() {
        return Err("an array with several dimensions".into());
    }
    let (dimension, elements) = rest.split_at_checked(DIMENSION).ok_or("an array without a length")?;
    let (elements, rest) = elements.as_chunks::<12>();
    if !rest.is_empty() || dimension[..4] != u32::try_from(elements.len())?.to_be_bytes() {
        return Err("an array of another length".into());
    }
    let number = |element: &[u8; 12]| match *element {
        [0, 0, 0, 8, ref number @ ..] => Ok(i64::from_be_bytes(*number)),
        _ => Err("an element that is no bigint".into()),
    };
    elements.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The array as `array_send` writes it.
    fn sent(numbers: &[i64]) -> Vec<u8> {
        let words = |words: &[i32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let mut bytes = words(&[1, 0, 20, numbers.len() as i32, 1]);
        for number in numbers {
            bytes.extend(words(&[8]));
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn numbers_are_read() {
        for numbers in [&[7][..], &[1, -1, i64::MAX, i64::MIN], &[0; 1_000]] {
            assert_eq!(numbers_of(&sent(numbers)).unwrap(), numbers);
        }
        let empty: Vec<u8> = [0, 0, 20_i32].into_iter().flat_map(i32::to_be_bytes).collect();
        assert_eq!(numbers_of(&empty).unwrap(), Vec::<i64>::new());
    }

    #[test]
    fn what_is_no_list_of_numbers_is_refused() {
        let whole = sent(&[7, 8]);
        for length in 0..whole.len() {
            assert!(numbers_of(&whole[..length]).is_err(), "{length} bytes");
        }
        let (mut null, mut square) = (whole.clone(), whole);
        null[20..24].copy_from_slice(&(-1_i32).to_be_bytes());
        square[3] = 2;
        assert!(numbers_of(&null).is_err());
        assert!(numbers_of(&square).is_err());
    }
}
