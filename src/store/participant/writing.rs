//! Locks and writes participants.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sqlx::{FromRow, PgConnection};

use crate::store::array::column;
use crate::store::error::StoreError;
use crate::store::keys::NumberKind;
use crate::store::session::Session;
use domain::count::{Counted, HeldEnrollment, standing};
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, KnownPerson, Segment};
use domain::participant::{ParticipantStatus, Sex};
use domain::residence::Residence;
use domain::timeline::Timeline;

/// A locked person, with the data that forms are compared with and that counters depend on.
#[derive(Clone, Debug)]
pub struct Person {
    /// The data that forms are compared with, or `None` for a new person.
    pub known: Option<KnownPerson>,
    /// The day of death. No enrollment may start after it.
    pub deceased_on: Option<NaiveDate>,
    /// Provinces of residence.
    pub residence: Residence,
    /// The channel of the first enrollment.
    pub channel_id: i64,
    /// The enrollments by id, the oldest first.
    pub enrollments: BTreeMap<i64, HeldEnrollment>,
}

impl Person {
    /// Returns the facts that counters depend on.
    pub fn counted(&self) -> Counted<'_> {
        Counted {
            residence: self.residence.clone(),
            channel: self.channel_id,
            deceased_on: self.deceased_on,
            held: self.enrollments.values().collect(),
        }
    }
}

/// Returns those of these ids that people have. Takes no actor, because the result goes to the audit trail.
pub async fn existing(session: &Session, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_scalar("select id from participant where id = any($1)");
    Ok(found.bind(ids).fetch_all(session).await?)
}

#[derive(FromRow)]
struct LockedRow {
    id: i64,
    birth_date: NaiveDate,
    sex: Sex,
    name_key: String,
    deceased_on: Option<NaiveDate>,
    province_id: i16,
    former_provinces: Option<Vec<i16>>,
    moved_on: Option<Vec<NaiveDate>>,
    channel_id: i64,
}

impl LockedRow {
    fn residence(&self) -> Residence {
        let (former, moved_on) = (self.former_provinces.as_deref(), self.moved_on.as_deref());
        Residence::from_columns(self.province_id, former, moved_on)
    }
}

/// Locks people in the order of their ids until the transaction ends.
pub async fn lock_rows(conn: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query("select id from registry_lock_people($1)").bind(ids).execute(conn).await?;
    Ok(())
}

/// Locks people in the order of their ids until the transaction ends, and returns them with all their enrollments.
///
/// Takes no actor, because the result is for a write and never for a caller.
pub async fn lock(conn: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, Person>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let people = "select id, birth_date, sex, name_key, deceased_on, province_id, former_provinces, moved_on, channel_id
                  from registry_lock_people($1)";
    let people: Vec<LockedRow> = sqlx::query_as(people).bind(ids).fetch_all(&mut *conn).await?;
    let enrollments = sqlx::query!(
        r#"select participant_id, id, segment as "segment: Segment", status as "status: EnrollmentStatus", employer_id,
                  association_id, civil_servant as "civil_servant: CivilServantCategory", counts_from, starts_on,
                  ends_on, end_reason as "end_reason: EndReason", paid
           from enrollment where participant_id = any($1)"#,
        ids
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut people: HashMap<i64, Person> = people
        .into_iter()
        .map(|row| {
            let known =
                KnownPerson { birth_date: row.birth_date, sex: row.sex, name_key: row.name_key.clone() };
            let person = Person {
                known: Some(known),
                deceased_on: row.deceased_on,
                residence: row.residence(),
                channel_id: row.channel_id,
                enrollments: BTreeMap::new(),
            };
            (row.id, person)
        })
        .collect();
    for row in enrollments {
        let days = (row.counts_from, row.starts_on, row.ends_on);
        let timeline = Timeline::from_columns(days, row.paid.as_deref(), row.status);
        let held = HeldEnrollment {
            segment: row.segment,
            civil_servant: row.civil_servant,
            employer: row.employer_id,
            association: row.association_id,
            end_reason: row.end_reason,
            timeline,
        };
        if let Some(person) = people.get_mut(&row.participant_id) {
            person.enrollments.insert(row.id, held);
        }
    }
    Ok(people)
}

/// A person to be written.
#[derive(Clone)]
pub struct NewParticipant {
    /// The id for which the identity number was claimed.
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
    /// Kind of the number that identifies the person: an identity number or a passport.
    pub identity_kind: NumberKind,
    /// That number, encrypted.
    pub identity: Vec<u8>,
    /// Telephone number, encrypted.
    pub phone: Option<Vec<u8>>,
}

domain::redacted_debug!(NewParticipant);

/// Inserts people in one statement.
pub async fn insert_many(conn: &mut PgConnection, people: &[NewParticipant]) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into participant (id, channel_id, employer_id, association_id, birth_date, sex, status, province_id,
                                    full_name, name_key, national_id, passport_number, phone)
           select u.id, u.channel_id, u.employer_id, u.association_id, u.birth_date, u.sex::sex,
                  u.status::participant_status, u.province_id, u.full_name, u.name_key,
                  case u.identity_kind when 'NATIONAL_ID' then u.identity end,
                  case u.identity_kind when 'PASSPORT' then u.identity end, u.phone
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::date[], $6::text[], $7::text[],
                       $8::smallint[], $9::text[], $10::text[], $11::bytea[], $12::bytea[], $13::text[])
                as u(id, channel_id, employer_id, association_id, birth_date, sex, status, province_id, full_name,
                     name_key, identity, phone, identity_kind)"#,
        &column(people, |p| p.id),
        &column(people, |p| p.channel_id),
        &column(people, |p| p.employer_id) as &[Option<i64>],
        &column(people, |p| p.association_id) as &[Option<i64>],
        &column(people, |p| p.birth_date),
        &column(people, |p| <&str>::from(p.sex)) as &[&str],
        &column(people, |p| <&str>::from(p.status)) as &[&str],
        &column(people, |p| p.province_id),
        &column(people, |p| p.full_name.as_str()) as &[&str],
        &column(people, |p| p.name_key.as_str()) as &[&str],
        &column(people, |p| p.identity.as_slice()) as &[&[u8]],
        &column(people, |p| p.phone.as_deref()) as &[Option<&[u8]>],
        &column(people, |p| <&str>::from(p.identity_kind)) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The columns of a person that are derived from the enrollments: the payers of the newest open one, and the best
/// status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The person.
    pub id: i64,
    /// Employer of the newest open enrollment.
    pub employer_id: Option<i64>,
    /// Association of the newest open enrollment.
    pub association_id: Option<i64>,
    /// The best status.
    pub status: ParticipantStatus,
}

impl Summary {
    /// Derives them from the enrollments.
    pub fn of(id: i64, person: &Person) -> Self {
        let mut newest_first = person.enrollments.values().rev();
        let newest_open = newest_first.find(|held| held.timeline.status() != EnrollmentStatus::Ended);
        Self {
            id,
            employer_id: newest_open.and_then(|held| held.employer),
            association_id: newest_open.and_then(|held| held.association),
            status: standing(&person.counted()).status(),
        }
    }
}

/// Updates these columns of people whose enrollments have changed.
pub async fn summarize_many(conn: &mut PgConnection, changed: &[Summary]) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"update participant p
           set employer_id = u.employer_id, association_id = u.association_id, status = u.status
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]::participant_status[])
                as u(id, employer_id, association_id, status)
           where p.id = u.id"#,
        &column(changed, |c| c.id),
        &column(changed, |c| c.employer_id) as &[Option<i64>],
        &column(changed, |c| c.association_id) as &[Option<i64>],
        &column(changed, |c| <&str>::from(c.status)) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
