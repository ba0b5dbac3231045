//! The dates of the server's own certificate, which clients check and the server does not.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::http::tls::Validity;
use crate::store::examination::{Finding, Level};

/// How long before its end a certificate has to be renewed.
const RENEWAL: TimeDelta = TimeDelta::days(21);

/// Returns whether the certificate in a file is valid; `None` if the file holds none, which is a problem of the settings.
pub(super) fn examine(file: &Path, now: DateTime<Utc>) -> Option<Finding> {
    let validity = Validity::of_first(file).ok()?;
    let Validity { from, until } = validity;
    let (level, text) = if now > until {
        (
            Level::Error,
            format!("it expired on {until}, and clients refuse it: renew it, and restart the server"),
        )
    } else if now < from {
        (Level::Error, format!("it is valid from {from} on, and clients refuse it until then"))
    } else if until - now < RENEWAL {
        (Level::Warning, format!("it expires on {until}: renew it, and restart the server"))
    } else {
        (Level::Ok, format!("it is valid until {until}"))
    };
    Some(Finding::new(level, "certificate", format!("REGISTRY_TLS_CERT: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_valid_between_its_dates_and_to_be_renewed_three_weeks_before() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/expired.pem"));
        for (now, level) in [
            ("2023-12-31T23:59:59Z", Level::Error),
            ("2024-01-01T00:00:00Z", Level::Ok),
            ("2024-12-11T00:00:00Z", Level::Ok),
            ("2024-12-11T00:00:01Z", Level::Warning),
            ("2025-01-01T00:00:01Z", Level::Error),
        ] {
            let found = examine(file, now.parse().expect("a moment")).expect("a certificate");
            assert_eq!(found.level, level, "{now}: {found}");
        }
        assert_eq!(examine(Path::new("/nowhere"), DateTime::UNIX_EPOCH), None);
    }
}
