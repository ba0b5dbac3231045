//! Rotation of the identity key: all numbers are re-encrypted and re-indexed under another key, in one transaction.
//!
//! Reading goes on under the old key until the transaction commits. A writer of a number waits for it, is refused, and
//! retries under the new key: each claim checks in its own statement that its key is in force. So nobody can be enrolled
//! twice under two keys.

use sqlx::{Connection as _, PgConnection};
use zeroize::Zeroizing;

use super::audit::{partition, succession};
use super::error::StoreError;
use super::keys::{KeyRing, Keys, NumberKind};
use super::migration;

/// Rows of one statement.
const CHUNK: i64 = 5_000;

/// What a rotation changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Claimed numbers that were re-indexed.
    pub identifiers: u64,
    /// People whose numbers were re-encrypted.
    pub participants: u64,
    /// Former identity numbers, which corrections ended.
    pub former_numbers: u64,
    /// Civil servants' enrollments.
    pub enrollments: u64,
    /// Employers with a tax number.
    pub employers: u64,
}

/// Why a key was not rotated. Nothing was changed, except perhaps with [`CommitUnknown`](Self::CommitUnknown).
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The database is under the new key already, or under a third one.
    #[error("the key in force is not the previous one: `registry key status` says which is")]
    NotThePrevious,
    /// The new key was in use before. Somebody may have seen it, and its seals could no longer be told from later ones.
    #[error("the new key was in use before: make another one with `registry key new`")]
    FormerKey,
    /// A claimed number is stored nowhere in a readable form, and so cannot be re-indexed.
    #[error("{claimed} numbers are claimed, but only {readable} of them are stored in a readable form")]
    Unreadable {
        /// Numbers that somebody owns.
        claimed: u64,
        /// Numbers that could be read.
        readable: u64,
    },
    /// A sealed number does not open with the key in force.
    #[error(transparent)]
    WrongKey(#[from] super::keys::WrongKey),
    /// The tables are of a newer version, which may keep numbers where this one does not know of them.
    #[error("the tables are of a newer version than this program: rotate the key with the newer program")]
    NewerTables,
    /// The database failed before the commit.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed at the commit: either key may be in force.
    #[error("{0}")]
    CommitUnknown(StoreError),
}

impl From<sqlx::Error> for RotationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Rotates the key: replaces the previous key of the ring by the newest one. Calls `progress` with the number of people done.
///
/// # Errors
/// The key in force is another one, a number cannot be read, or the database failed.
pub async fn rotate(
    connection: &mut PgConnection,
    ring: &KeyRing,
    mut progress: impl FnMut(u64),
) -> Result<Rotated, RotationError> {
    let Some(old) = &ring.previous else { return Err(RotationError::NotThePrevious) };
    let new = &ring.newest;
    let mut transaction = connection.begin().await?;
    let conn = &mut *transaction;
    // The login may not own the tables. The role that writes numbers may re-encrypt them.
    sqlx::query("set local role registry_writer").execute(&mut *conn).await?;
    let lock = "lock table identifier, participant, former_number, enrollment, retracted_enrollment, employer, employer_version,
                           employer_event, onboarding_chunk
                in share row exclusive mode";
    sqlx::query(lock).execute(&mut *conn).await?;
    if migration::is_newer(conn).await? {
        return Err(RotationError::NewerTables);
    }
    let secret = retry_secret(conn, old).await?.ok_or(RotationError::NotThePrevious)?;
    if succession::has_retired(conn, new).await? {
        return Err(RotationError::FormerKey);
    }
    let mut done = Rotated::default();
    // First, because a transaction may hold a batch and wait for this one: a deadlock shows now and not at the end.
    rotate_repeats(conn, (old, new)).await?;
    rotate_participants(conn, (old, new), &mut done, &mut progress).await?;
    rotate_column(conn, (old, new), &PASSPORTS, &mut done).await?;
    done.former_numbers = rotate_column(conn, (old, new), &FORMER_NUMBERS, &mut done).await?;
    done.enrollments = rotate_column(conn, (old, new), &SERVICE_NUMBERS, &mut done).await?;
    done.enrollments += rotate_column(conn, (old, new), &RETRACTED_SERVICE_NUMBERS, &mut done).await?;
    done.employers = rotate_column(conn, (old, new), &TAX_NUMBERS, &mut done).await?;
    for column in [&VERSIONS_OF_TAX_NUMBERS, &RECORDED_TAX_NUMBERS, &REPLACED_TAX_NUMBERS] {
        rotate_column(conn, (old, new), column, &mut done).await?;
    }
    rotate_chunks(conn, (old, new)).await?;
    let claimed =
        sqlx::query_scalar!(r#"select count(*) as "n!" from identifier"#).fetch_one(&mut *conn).await?;
    let claimed = claimed.unsigned_abs();
    if claimed != done.identifiers {
        return Err(RotationError::Unreadable { claimed, readable: done.identifiers });
    }
    succession::hand_over(conn, old, new).await?;
    partition::sign_again(conn, old, new).await?;
    let sealed = new.seal_secret(&secret);
    sqlx::query!("update installation set key_check = $1, retry_secret = $2", new.check(), sealed)
        .execute(&mut *conn)
        .await?;
    sqlx::query("notify reference_changed, 'key'").execute(&mut *conn).await?;
    transaction.commit().await.map_err(|error| RotationError::CommitUnknown(error.into()))?;
    Ok(done)
}

/// Is this key the one in force?
pub async fn is_in_force(executor: impl sqlx::PgExecutor<'_>, keys: &Keys) -> Result<bool, StoreError> {
    let in_force = sqlx::query_scalar!(
        r#"select exists (select from installation where key_check = $1) as "in_force!""#,
        keys.check()
    );
    Ok(in_force.fetch_one(executor).await?)
}

/// Checks that the key is still in force. Call it after writing a number in the same transaction, and after a lookup by
/// number that found nobody: under another key it would find nobody either.
///
/// # Errors
/// [`StoreError::Unavailable`] if the key was rotated.
pub async fn require_in_force(executor: impl sqlx::PgExecutor<'_>, keys: &Keys) -> Result<(), StoreError> {
    if is_in_force(executor, keys).await? { Ok(()) } else { Err(key_rotated()) }
}

/// The error of a process whose key was rotated: it ends, and another process answers the retry.
pub(super) fn key_rotated() -> StoreError {
    StoreError::Unavailable("the identity key was rotated".into())
}

async fn retry_secret(
    conn: &mut PgConnection,
    old: &Keys,
) -> Result<Option<Zeroizing<[u8; 32]>>, RotationError> {
    let found =
        sqlx::query_scalar!("select retry_secret from installation where key_check = $1", old.check())
            .fetch_optional(conn)
            .await?;
    match found.flatten() {
        Some(sealed) => Ok(Some(old.open_secret(&sealed)?)),
        None => Ok(None),
    }
}

/// A number under the new key, with its old and new index.
struct Renewed {
    sealed: Vec<u8>,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn renew((old, new): (&Keys, &Keys), kind: NumberKind, sealed: &[u8]) -> Result<Renewed, RotationError> {
    let number = old.open(kind, sealed)?;
    let (before, after) = (old.index(kind, &number), new.index(kind, &number));
    Ok(Renewed { sealed: new.seal(kind, &number), before, after })
}

async fn rotate_participants(
    conn: &mut PgConnection,
    keys: (&Keys, &Keys),
    done: &mut Rotated,
    progress: &mut impl FnMut(u64),
) -> Result<(), RotationError> {
    let mut last = 0;
    loop {
        let rows = sqlx::query!(
            "select id, national_id, phone from participant where id > $1 order by id limit $2",
            last,
            CHUNK
        )
        .fetch_all(&mut *conn)
        .await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        let (mut ids, mut numbers, mut phones) = (Vec::new(), Vec::new(), Vec::new());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for row in rows {
            let number =
                row.national_id.map(|sealed| renew(keys, NumberKind::NationalId, &sealed)).transpose()?;
            let phone = row.phone.map(|sealed| renew(keys, NumberKind::Phone, &sealed)).transpose()?;
            ids.push(row.id);
            phones.push(phone.map(|phone| phone.sealed));
            numbers.push(number.map(|number| {
                before.push(number.before);
                after.push(number.after);
                number.sealed
            }));
        }
        let written = sqlx::query!(
            "update participant p set national_id = u.national_id, phone = u.phone
             from unnest($1::bigint[], $2::bytea[], $3::bytea[]) as u(id, national_id, phone) where p.id = u.id",
            &ids,
            &numbers as &[Option<Vec<u8>>],
            &phones as &[Option<Vec<u8>>]
        );
        done.participants += written.execute(&mut *conn).await?.rows_affected();
        done.identifiers += reindex(conn, "NATIONAL_ID", &before, &after).await?;
        progress(done.participants);
    }
}

/// A column of sealed numbers, and how its rows are read and written back.
struct SealedColumn {
    kind: NumberKind,
    /// Are its numbers claimed in `identifier`? Then they are found there, and counted once.
    is_claimed: bool,
    /// Selects the key (two numbers) and the sealed number of the rows after a key ($1, $2), in order, up to $3.
    select: &'static str,
    /// Writes rows back: the keys ($1, $2), the sealed numbers ($3) and their new indexes ($4).
    update: &'static str,
}

/// The numbers that corrections ended. One that is in force again has its new index already, and is not counted twice.
const FORMER_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::NationalId,
    is_claimed: true,
    select: "select participant_id, event_id, number from former_number
             where (participant_id, event_id) > ($1, $2) order by participant_id, event_id limit $3",
    update: "update former_number f set number = u.number
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
                  as u(participant_id, event_id, number, value_index)
             where f.participant_id = u.participant_id and f.event_id = u.event_id",
};

const PASSPORTS: SealedColumn = SealedColumn {
    kind: NumberKind::Passport,
    is_claimed: true,
    select: "select id, 0::bigint, passport_number from participant
             where id > $1 and $2 >= 0 and passport_number is not null order by id limit $3",
    update: "update participant p set passport_number = u.sealed
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u(id, none, sealed, value_index)
             where p.id = u.id",
};

const SERVICE_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::ServiceNumber,
    is_claimed: true,
    select: "select participant_id, id, service_number from enrollment
             where (participant_id, id) > ($1, $2) and service_number is not null
             order by participant_id, id limit $3",
    update: "update enrollment e set service_number = u.service_number
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
                  as u(participant_id, id, service_number, value_index)
             where e.participant_id = u.participant_id and e.id = u.id",
};

/// The numbers of retracted enrollments. One that another enrollment has too has its new index already.
const RETRACTED_SERVICE_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::ServiceNumber,
    is_claimed: true,
    select: "select participant_id, id, service_number from retracted_enrollment
             where (participant_id, id) > ($1, $2) and service_number is not null
             order by participant_id, id limit $3",
    update: "update retracted_enrollment e set service_number = u.service_number
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])
                  as u(participant_id, id, service_number, value_index)
             where e.participant_id = u.participant_id and e.id = u.id",
};

const TAX_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::TaxNumber,
    is_claimed: false,
    select: "select id, 0::bigint, tax_number_sealed from employer
             where id > $1 and $2 >= 0 and tax_number_sealed is not null order by id limit $3",
    update: "update employer e set tax_number_sealed = u.sealed, tax_number_index = u.value_index
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u(id, none, sealed, value_index)
             where e.id = u.id",
};

const VERSIONS_OF_TAX_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::TaxNumber,
    is_claimed: false,
    select: "select id, 0::bigint, tax_number_sealed from employer_version
             where id > $1 and $2 >= 0 and tax_number_sealed is not null order by id limit $3",
    update: "update employer_version v set tax_number_sealed = u.sealed, tax_number_index = u.value_index
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u(id, none, sealed, value_index)
             where v.id = u.id",
};

const RECORDED_TAX_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::TaxNumber,
    is_claimed: false,
    select: "select id, 0::bigint, tax_number_sealed from employer_event
             where id > $1 and $2 >= 0 and tax_number_sealed is not null order by id limit $3",
    update: "update employer_event v set tax_number_sealed = u.sealed, tax_number_index = u.value_index
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u(id, none, sealed, value_index)
             where v.id = u.id",
};

const REPLACED_TAX_NUMBERS: SealedColumn = SealedColumn {
    kind: NumberKind::TaxNumber,
    is_claimed: false,
    select: "select id, 0::bigint, tax_number_before from employer_event
             where id > $1 and $2 >= 0 and tax_number_before is not null order by id limit $3",
    update: "update employer_event v set tax_number_before = u.sealed
             from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u(id, none, sealed, value_index)
             where v.id = u.id",
};

/// Rotates a column chunk by chunk. Returns the number of its rows.
async fn rotate_column(
    conn: &mut PgConnection,
    keys: (&Keys, &Keys),
    column: &SealedColumn,
    done: &mut Rotated,
) -> Result<u64, RotationError> {
    let (mut last, mut rows_done) = ((0_i64, 0_i64), 0);
    loop {
        let select = sqlx::query_as(column.select).bind(last.0).bind(last.1).bind(CHUNK);
        let rows: Vec<(i64, i64, Vec<u8>)> = select.fetch_all(&mut *conn).await?;
        let Some(&(first_key, second_key, _)) = rows.last() else { return Ok(rows_done) };
        last = (first_key, second_key);
        let (mut firsts, mut seconds, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (first, second, sealed) in rows {
            let number = renew(keys, column.kind, &sealed)?;
            firsts.push(first);
            seconds.push(second);
            numbers.push(number.sealed);
            before.push(number.before);
            after.push(number.after);
        }
        let update = sqlx::query(column.update).bind(firsts).bind(seconds).bind(numbers).bind(&after);
        rows_done += update.execute(&mut *conn).await?.rows_affected();
        if column.is_claimed {
            done.identifiers += reindex(conn, column.kind.into(), &before, &after).await?;
        }
    }
}

/// Re-encrypts staged rows. Their digests use the retry secret, which stays the same.
async fn rotate_chunks(conn: &mut PgConnection, (old, new): (&Keys, &Keys)) -> Result<(), RotationError> {
    // One at a time: a chunk is as large as thousands of numbers.
    let mut last = (0, 0);
    loop {
        let sql =
            "select batch_id, first_row, sealed from onboarding_chunk where (batch_id, first_row) > ($1, $2)
                   order by batch_id, first_row limit 1";
        let chunk: Option<(i64, i32, Vec<u8>)> =
            sqlx::query_as(sql).bind(last.0).bind(last.1).fetch_optional(&mut *conn).await?;
        let Some((batch, first_row, sealed)) = chunk else { return Ok(()) };
        let rows = old.open_rows(batch, first_row, &sealed)?;
        let sql = "update onboarding_chunk set sealed = $3 where batch_id = $1 and first_row = $2";
        let sealed = new.seal_rows(batch, first_row, &rows);
        sqlx::query(sql).bind(batch).bind(first_row).bind(sealed).execute(&mut *conn).await?;
        last = (batch, first_row);
    }
}

/// Re-encrypts what is known of repeated rows. A writer of it locks the chunks first, so nobody writes it meanwhile.
async fn rotate_repeats(conn: &mut PgConnection, (old, new): (&Keys, &Keys)) -> Result<(), RotationError> {
    let repeated: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select id, repeated from onboarding_batch where repeated is not null for no key update",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (batch, sealed) in repeated {
        let sealed = new.seal_rows(batch, 0, &old.open_rows(batch, 0, &sealed)?);
        let sql = "update onboarding_batch set repeated = $2 where id = $1";
        sqlx::query(sql).bind(batch).bind(sealed).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Moves claimed numbers to their new index. A number of several enrollments is claimed once and counted once.
async fn reindex(
    conn: &mut PgConnection,
    kind: &str,
    before: &[Vec<u8>],
    after: &[Vec<u8>],
) -> Result<u64, RotationError> {
    let written = sqlx::query!(
        "update identifier i set value_index = u.after
         from (select distinct * from unnest($2::bytea[], $3::bytea[]) as v(before, after)) u
         where i.kind = $1::text::identifier_kind and i.value_index = u.before",
        kind,
        before,
        after
    );
    Ok(written.execute(conn).await?.rows_affected())
}
