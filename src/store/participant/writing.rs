//! Writing people, and locking those who are written to.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::column;
use crate::domain::count::Held;
use crate::domain::enrollment::{EnrollmentStatus, KnownPerson, Segment};
use crate::domain::participant::{ParticipantStatus, Sex};
use crate::store::error::StoreError;

/// A person whose identity number came in again: what is compared, and what the figures count.
#[derive(Clone, Debug)]
pub struct KnownRow {
    /// What is compared with the form.
    pub person: KnownPerson,
    /// Died, so that nothing can be added.
    pub deceased: bool,
    /// Province of residence.
    pub province_id: i16,
    /// The channel of the first enrollment.
    pub channel_id: i64,
    /// The enrollments.
    pub held: Vec<Held>,
}

/// The people of some ids as an enrollment needs them, locked in the order of id until the transaction ends.
///
/// Takes no actor: it answers to the registry's own writing, never to a caller.
///
/// # Errors
/// The database is away.
pub async fn lock_known(conn: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, KnownRow>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let people = sqlx::query!(
        r#"select id, birth_date, sex as "sex: Sex", name_key, status as "status: ParticipantStatus", province_id,
                  channel_id
           from participant where id = any($1) order by id for no key update"#,
        ids
    )
    .fetch_all(&mut *conn)
    .await?;
    let enrollments = sqlx::query!(
        r#"select participant_id, segment as "segment: Segment", status as "status: EnrollmentStatus", employer_id,
                  association_id
           from enrollment where participant_id = any($1)"#,
        ids
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut known: HashMap<i64, KnownRow> = people
        .into_iter()
        .map(|row| {
            let person = KnownPerson { birth_date: row.birth_date, sex: row.sex, name_key: row.name_key };
            let deceased = row.status == ParticipantStatus::Deceased;
            (
                row.id,
                KnownRow {
                    person,
                    deceased,
                    province_id: row.province_id,
                    channel_id: row.channel_id,
                    held: vec![],
                },
            )
        })
        .collect();
    for row in enrollments {
        if let Some(person) = known.get_mut(&row.participant_id) {
            person.held.push(Held {
                segment: row.segment,
                status: row.status,
                employer: row.employer_id,
                association: row.association_id,
            });
        }
    }
    Ok(known)
}

/// A person to be written.
#[derive(Clone)]
pub struct NewParticipant {
    /// The id under which the identity number was claimed.
    pub id: i64,
    /// Channel of the first enrollment.
    pub channel_id: i64,
    /// Employer of the first enrollment.
    pub employer_id: Option<i64>,
    /// Association of the first enrollment.
    pub association_id: Option<i64>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Status of the first enrollment.
    pub status: ParticipantStatus,
    /// Province of residence.
    pub province_id: i16,
    /// Name.
    pub full_name: String,
    /// Name, normalised.
    pub name_key: String,
    /// Identity number, sealed.
    pub national_id: Vec<u8>,
    /// Telephone number, sealed.
    pub phone: Option<Vec<u8>>,
}

redacted_debug!(NewParticipant);

/// Writes new people, in one statement.
///
/// # Errors
/// The database is away.
pub async fn insert_many(conn: &mut PgConnection, people: &[NewParticipant]) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into participant (id, channel_id, employer_id, association_id, birth_date, sex, status, province_id,
                                    full_name, name_key, national_id, phone)
           select u.id, u.channel_id, u.employer_id, u.association_id, u.birth_date, u.sex::sex,
                  u.status::participant_status, u.province_id, u.full_name, u.name_key, u.national_id, u.phone
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::date[], $6::text[], $7::text[],
                       $8::smallint[], $9::text[], $10::text[], $11::bytea[], $12::bytea[])
                as u(id, channel_id, employer_id, association_id, birth_date, sex, status, province_id, full_name,
                     name_key, national_id, phone)"#,
        &column(people, |p| p.id),
        &column(people, |p| p.channel_id),
        &column(people, |p| p.employer_id) as &[Option<i64>],
        &column(people, |p| p.association_id) as &[Option<i64>],
        &column(people, |p| p.birth_date),
        &column(people, |p| p.sex.as_str()) as &[&str],
        &column(people, |p| p.status.as_str()) as &[&str],
        &column(people, |p| p.province_id),
        &column(people, |p| p.full_name.as_str()) as &[&str],
        &column(people, |p| p.name_key.as_str()) as &[&str],
        &column(people, |p| p.national_id.as_slice()) as &[&[u8]],
        &column(people, |p| p.phone.as_deref()) as &[Option<&[u8]>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// After a further enrollment: the employer and association of the newest open one, and the best status.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The person.
    pub id: i64,
    /// Employer of the newest open enrollment.
    pub employer_id: Option<i64>,
    /// Association of the newest open enrollment.
    pub association_id: Option<i64>,
    /// The best status.
    pub status: ParticipantStatus,
}

/// Writes what further enrollments changed of people who were known already.
///
/// # Errors
/// The database is away.
pub async fn advance_many(conn: &mut PgConnection, changed: &[Advance]) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"update participant p
           set employer_id = u.employer_id, association_id = u.association_id, status = u.status::participant_status
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
                as u(id, employer_id, association_id, status)
           where p.id = u.id"#,
        &column(changed, |c| c.id),
        &column(changed, |c| c.employer_id) as &[Option<i64>],
        &column(changed, |c| c.association_id) as &[Option<i64>],
        &column(changed, |c| c.status.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
