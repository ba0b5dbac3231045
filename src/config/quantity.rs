//! Sizes and durations of settings, written with a unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

/// A number of bytes: `8MiB`, `10MB` or `8388608`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    /// A number of KiB.
    pub const fn kib(number: u64) -> Self {
        Self(number << 10)
    }

    /// A number of MiB.
    pub const fn mib(number: u64) -> Self {
        Self(number << 20)
    }

    /// A number of GiB.
    pub const fn gib(number: u64) -> Self {
        Self(number << 30)
    }
}

/// The error for a text that is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a size with a unit, as 512KiB, 8MiB, 10MB or 2GB, or a number of bytes")]
pub struct NotBytes;

impl FromStr for Bytes {
    type Err = NotBytes;

    fn from_str(text: &str) -> Result<Self, NotBytes> {
        match text.trim().parse() {
            Ok(ByteSize(bytes)) => Ok(Self(bytes)),
            Err(_) => Err(NotBytes),
        }
    }
}

/// Prints the exact size, in the largest unit that divides it.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let unit = units.into_iter().find(|(bits, _)| self.0 != 0 && self.0.is_multiple_of(1 << bits));
        match unit {
            Some((bits, unit)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A duration: `500ms`, `10s`, `5m`, `2h` or `7d`. A number without a unit counts multiples of `MILLISECONDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span<const MILLISECONDS: u64>(pub Duration);

/// A duration. A number without a unit is in seconds.
pub type Seconds = Span<1_000>;
/// A duration. A number without a unit is in milliseconds.
pub type Milliseconds = Span<1>;
/// A duration. A number without a unit is in days.
pub type Days = Span<86_400_000>;

impl<const MILLISECONDS: u64> Span<MILLISECONDS> {
    /// Returns a duration of this many units.
    pub const fn of(number: u64) -> Self {
        Self(Duration::from_millis(number.saturating_mul(MILLISECONDS)))
    }
}

/// The error for a text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration with a unit, as 500ms, 10s, 5m, 2h or 7d, or a number of {0}")]
pub struct NotDuration(&'static str);

impl<const MILLISECONDS: u64> FromStr for Span<MILLISECONDS> {
    type Err = NotDuration;

    fn from_str(text: &str) -> Result<Self, NotDuration> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Ok(Self::of(number));
        }
        let refused = |_| {
            NotDuration(match MILLISECONDS {
                1 => "milliseconds",
                86_400_000 => "days",
                _ => "seconds",
            })
        };
        humantime::parse_duration(text).map(Self).map_err(refused)
    }
}

impl<const MILLISECONDS: u64> fmt::Display for Span<MILLISECONDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `humantime` writes 90 days as "2months 29days 3h ...".
        let seconds = self.0.as_secs();
        match self.0.subsec_nanos() {
            0 if seconds != 0 && seconds.is_multiple_of(86_400) => write!(f, "{}d", seconds / 86_400),
            _ => humantime::format_duration(self.0).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_may_have_a_unit() {
        for (text, bytes) in [
            ("8388608", 8_388_608),
            ("10MB", 10_000_000),
            ("10 MB", 10_000_000),
            ("10mb", 10_000_000),
            ("8MiB", 8 << 20),
            ("1.5KiB", 1_536),
            ("2GB", 2_000_000_000),
            ("2GiB", 2 << 30),
            ("64KB", 64_000),
            (" 64KiB ", 64 << 10),
            ("100B", 100),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text:?}");
        }
        for bad in ["", "MB", "ten", "-1", "10XB", "1e3"] {
            assert_eq!(bad.parse::<Bytes>(), Err(NotBytes), "{bad:?}");
        }
    }

    #[test]
    fn durations_may_have_a_unit() {
        let seconds = |text: &str| text.parse::<Seconds>().map(|Span(duration)| duration);
        for (text, milliseconds) in [
            ("10", 10_000),
            ("10s", 10_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            (" 0 ", 0),
        ] {
            assert_eq!(seconds(text), Ok(Duration::from_millis(milliseconds)), "{text:?}");
        }
        assert_eq!("75".parse(), Ok(Milliseconds::of(75)));
        assert_eq!("1s".parse(), Ok(Milliseconds::of(1_000)));
        assert_eq!("90".parse(), Ok(Days::of(90)));
        assert_eq!("2d".parse(), Ok(Days::of(2)));
        for bad in ["", "h", "-1h", "1é", "soon", "99999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            "soon".parse::<Days>().unwrap_err().to_string(),
            "write a duration with a unit, as 500ms, 10s, 5m, 2h or 7d, or a number of days"
        );
    }

    #[test]
    fn quantities_are_printed_as_they_can_be_written() {
        for (bytes, text) in [
            (Bytes(0), "0B"),
            (Bytes(1_000), "1000B"),
            (Bytes::kib(64), "64KiB"),
            (Bytes::mib(8), "8MiB"),
            (Bytes::gib(2), "2GiB"),
        ] {
            assert_eq!(bytes.to_string(), text);
            assert_eq!(text.parse(), Ok(bytes));
        }
        for (span, text) in [
            (Seconds::of(10), "10s"),
            (Span(Duration::from_millis(75)), "75ms"),
            (Seconds::of(5_400), "1h 30m"),
            (Seconds::of(90 * 86_400), "90d"),
            (Seconds::of(0), "0s"),
        ] {
            assert_eq!(span.to_string(), text);
            assert_eq!(text.parse(), Ok(span));
        }
    }
}
