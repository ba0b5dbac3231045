//! Positions in the write-ahead log of PostgreSQL: how far a client has written, and how far a standby has come.

use std::fmt;
use std::str::FromStr;

use sqlx::{FromRow, PgExecutor};

use super::error::StoreError;
use super::keys::Keys;

/// A position in the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

/// A text that is no position of this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPosition;

#[derive(FromRow)]
struct Insert {
    at: i64,
    page: i64,
    segment: i64,
}

impl Position {
    /// Makes a position from the number of bytes before it, as `lsn - '0/0'` returns it.
    pub(super) fn of_bytes(bytes: i64) -> Self {
        Self(u64::try_from(bytes).unwrap_or_default())
    }

    /// Returns the position after all that was committed at the primary until now.
    pub async fn of_primary(executor: impl PgExecutor<'_>) -> Result<Self, StoreError> {
        // Where the next record is inserted, not how far the log is on the disk: a commit need not wait for the disk
        // (`synchronous_commit = off`).
        let sql = "select (pg_current_wal_insert_lsn() - '0/0')::bigint as at,
                          (select setting::bigint from pg_settings where name = 'wal_block_size') as page,
                          (select setting::bigint from pg_settings where name = 'wal_segment_size') as segment";
        let Insert { at, page, segment } = sqlx::query_as(sql).fetch_one(executor).await?;
        Ok(Self::of_bytes(end_of_last_record(at, page, segment)))
    }

    /// Returns the position as a client keeps it, signed: only the installation can move it.
    pub fn sign(self, keys: &Keys) -> String {
        let position = self.to_string();
        let signature = signature(keys, &position);
        format!("{position}.{signature}")
    }

    /// Reads a position that this installation has signed.
    ///
    /// # Errors
    /// It was not signed by this installation.
    pub fn verify(keys: &Keys, text: &str) -> Result<Self, NotAPosition> {
        let (position, signed) = text.split_once('.').ok_or(NotAPosition)?;
        // Not a secret: a client learns nothing from the time that this takes, and a forged position only slows it down.
        if signature(keys, position) != signed {
            return Err(NotAPosition);
        }
        position.parse()
    }
}

/// Returns where the last record ends. The next one is inserted there, but after the header of a page if the last one has filled
/// its page: a standby that has replayed everything is still before that header.
fn end_of_last_record(insert: i64, page: i64, segment: i64) -> i64 {
    const HEADER: i64 = 24;
    const HEADER_OF_SEGMENT: i64 = 40;
    let begin = insert - insert % page;
    let header = if begin % segment == 0 { HEADER_OF_SEGMENT } else { HEADER };
    if insert - begin == header { begin } else { insert }
}

fn signature(keys: &Keys, position: &str) -> String {
    let mut signature = hex::encode(keys.fingerprint(format!("position {position}").as_bytes()));
    signature.truncate(32);
    signature
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotAPosition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_position_is_read_and_another_one_is_not() {
        let keys = Keys::derive(&[7; 32]);
        let signed = Position(0x16b_3748).sign(&keys);
        assert_eq!(Position::verify(&keys, &signed), Ok(Position(0x16b_3748)));
        assert!(signed.starts_with("16b3748."), "{signed}");
        let forged = signed.replacen('1', "2", 1);
        let foreign = Position(0x16b_3748).sign(&Keys::derive(&[8; 32]));
        for wrong in [&*forged, &*foreign, "", ".", "16b3748", "16b3748."] {
            assert_eq!(Position::verify(&keys, wrong), Err(NotAPosition), "{wrong:?}");
        }
    }

    #[test]
    fn a_position_after_the_header_of_an_empty_page_is_the_end_of_the_page_before() {
        let (page, segment) = (8_192, 1 << 20);
        for (insert, end) in [
            (3 * page + 24, 3 * page),
            (3 * page + 40, 3 * page + 40),
            (3 * page, 3 * page),
            (2 * segment + 40, 2 * segment),
            (2 * segment + 24, 2 * segment + 24),
            (2 * segment + 48, 2 * segment + 48),
        ] {
            assert_eq!(end_of_last_record(insert, page, segment), end, "{insert}");
        }
    }
}
