//! Custom scalars.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike as _, NaiveDate, SecondsFormat, Utc};

use super::declarations::Declarations;
use super::input::Described;
use graphql_front::catalogue::Rules;

/// A date, as in `2014-10-02`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A date, as in `2014-10-02`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            // Chrono also accepts other forms, and years that PostgreSQL does not have.
            Value::String(text) => {
                let day =
                    text.parse::<NaiveDate>().ok().filter(|day| text.len() == 10 && day.to_string() == *text);
                day.filter(|day| day.year() > 0)
                    .map(Self)
                    .ok_or_else(|| InputValueError::custom("A date is written as 2014-10-02."))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl Described for Date {
    type Plain = NaiveDate;
    const KIND: &'static str = "a date of the calendar";
    const FORM: &'static str = "it as year, month and day, such as 1985-03-15";

    fn plain(self) -> NaiveDate {
        self.0
    }
}

impl From<NaiveDate> for Date {
    fn from(day: NaiveDate) -> Self {
        Self(day)
    }
}

/// A time in UTC, as in `2014-10-02T03:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// A time in UTC, as in `2014-10-02T03:00:00.000Z`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text
                .parse()
                .map(Self)
                .map_err(|_| InputValueError::custom("A time is written as 2014-10-02T03:00:00Z.")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Described for DateTime {
    type Plain = chrono::DateTime<Utc>;
    const KIND: &'static str = "a time";
    const FORM: &'static str = "it with its offset, such as 2014-10-02T03:00:00Z";

    fn plain(self) -> chrono::DateTime<Utc> {
        self.0
    }
}

impl From<chrono::DateTime<Utc>> for DateTime {
    fn from(moment: chrono::DateTime<Utc>) -> Self {
        Self(moment)
    }
}

/// An amount in whole rupiah: a JSON integer within ±2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rupiah(pub i64);

const LARGEST_RUPIAH: i64 = 1 << 53;

/// An amount in whole rupiah: a JSON integer within ±2^53.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc7493#section-2.2")]
impl ScalarType for Rupiah {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => match number.as_i64() {
                Some(amount) if (-LARGEST_RUPIAH..=LARGEST_RUPIAH).contains(&amount) => Ok(Self(amount)),
                _ => Err(InputValueError::custom("An amount in rupiah is a whole number within ±2^53.")),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

impl Described for Rupiah {
    type Plain = i64;
    const KIND: &'static str = "an amount in rupiah";
    const FORM: &'static str = "a whole number without quotes, such as 4250000";

    fn plain(self) -> i64 {
        self.0
    }
}

/// Returns a count as a GraphQL `Int`, which has 32 bits.
pub fn int(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// What is declared of these scalars.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[],
    rules: Rules { open_scalars: &["Date", "DateTime", "Rupiah"], ..Rules::NONE },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validator_accepts_every_value_of_an_open_scalar() {
        let open = [Date::is_valid, DateTime::is_valid, Rupiah::is_valid];
        assert_eq!(DECLARATIONS.rules.open_scalars.len(), open.len());
        for value in [Value::Null, Value::from(true), Value::from(-1), Value::from("x"), Value::List(vec![])]
        {
            assert!(open.iter().all(|is_valid| is_valid(&value)), "{value}");
        }
    }
}
