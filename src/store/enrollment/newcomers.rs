//! Enrolling people whom the registry does not know, with one statement for any number of them: numbers, people, enrollments,
//! events and counter deltas.
//!
//! A form whose number is registered is left out, and the caller compares it with the person. The same statement can also do
//! everything else that a mutation writes, if it enrolls newcomers alone: see [`Whole`].

use chrono::NaiveDate;
use sqlx::postgres::{PgArguments, PgExecutor};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};

use super::NewEnrollmentRow;
use crate::store::array::column;
use crate::store::audit::NewEntry;
use crate::store::count::DeltaColumns;
use crate::store::error::StoreError;
use crate::store::idempotency::KeyOf;
use crate::store::keys::Keys;
use crate::store::participant::NewParticipant;
use domain::actor::Actor;
use domain::count::Deltas;
use domain::event::EventKind;

/// A form about somebody who may be new to the registry. The statement gives out the id of the person.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Under which the identity number is found.
    pub index: Vec<u8>,
    /// Under which the service number is found.
    pub service_index: Option<Vec<u8>>,
    /// The person.
    pub person: NewParticipant,
    /// The enrollment.
    pub enrollment: NewEnrollmentRow,
    /// What happened, in order.
    pub events: Vec<(EventKind, NaiveDate)>,
    /// How the counters change.
    pub deltas: Deltas,
}

/// What became of a form.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Arrival {
    /// The person for whom the number was claimed. Not theirs if it was not.
    pub participant_id: i64,
    /// The enrollment, if it was written.
    pub enrollment_id: i64,
    /// Was the number free? Then this transaction has claimed it.
    pub is_claimed: bool,
    /// Were the person and the enrollment written? Not if the service number belongs to somebody else.
    pub is_written: bool,
    /// Has the employer closed? Then nothing was written.
    pub is_closed: bool,
}

/// A mutation that the statement does as a whole, in a transaction of its own: with its idempotency key, its outcome and its
/// audit entry. It writes either all of it or nothing.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The key, the digest of the input, and the outcome without its value, which are the ids.
    pub key: Option<(&'a KeyOf, &'a [u8], serde_json::Value)>,
    /// The entry, without its people.
    pub entry: NewEntry,
}

/// Enrolls the newcomers among some forms, each with another number, and returns what became of each form, in order.
pub async fn enroll_newcomers(
    executor: impl PgExecutor<'_>,
    (actor, keys): (&Actor, &Keys),
    forms: &[Newcomer],
    whole: Option<&Whole<'_>>,
) -> Result<Vec<Arrival>, StoreError> {
    // A plan for any number of rows would join thousands of them as if they were ten.
    let statement = bind_forms(sqlx::query_as(STATEMENT).persistent(forms.len() == 1), forms);
    let statement = bind_consequences(statement, forms);
    let mut employers: Vec<i64> = forms.iter().filter_map(|form| form.enrollment.employer_id).collect();
    employers.sort_unstable();
    employers.dedup();
    let key = whole.and_then(|whole| whole.key.as_ref());
    let entry = whole.map(|whole| &whole.entry);
    let statement = statement
        .bind(employers)
        .bind(keys.check())
        .bind(&actor.client)
        .bind(whole.is_some())
        .bind(key.map(|(key, ..)| key.operation))
        .bind(key.map(|(key, ..)| key.key.as_str()))
        .bind(key.map(|(_, fingerprint, _)| *fingerprint))
        .bind(key.map(|(.., outcome)| outcome))
        .bind(entry.map(|entry| <&str>::from(entry.role)))
        .bind(entry.map(|entry| entry.operation.as_str()))
        .bind(entry.and_then(|entry| entry.purpose.as_deref()))
        .bind(entry.map(|entry| entry.request_id));
    statement.fetch_all(executor).await.map_err(of_statement)
}

/// Maps the error of the statement. It holds the insert of audit entries, so a missing permission shows in all of its uses.
fn of_statement(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        // The request may be retried once the cause is fixed. Until then nothing is answered.
        StoreError::Fault(code) if code == "42501" => {
            tracing::error!("the login may not write enrollments with their audit entries");
            StoreError::Unavailable("audit entries cannot be written".into())
        }
        error => error,
    }
}

type Statement<'a> = QueryAs<'a, Postgres, Arrival, PgArguments>;

fn bind_forms<'a>(statement: Statement<'a>, forms: &'a [Newcomer]) -> Statement<'a> {
    statement
        .bind(column(forms, |f| f.index.as_slice()))
        .bind(column(forms, |f| f.service_index.as_deref()))
        .bind(column(forms, |f| f.person.channel_id))
        .bind(column(forms, |f| f.person.employer_id))
        .bind(column(forms, |f| f.person.association_id))
        .bind(column(forms, |f| f.person.birth_date))
        .bind(column(forms, |f| <&str>::from(f.person.sex)))
        .bind(column(forms, |f| <&str>::from(f.person.status)))
        .bind(column(forms, |f| f.person.province_id))
        .bind(column(forms, |f| f.person.full_name.as_str()))
        .bind(column(forms, |f| f.person.name_key.as_str()))
        .bind(column(forms, |f| f.person.national_id.as_slice()))
        .bind(column(forms, |f| f.person.phone.as_deref()))
        .bind(column(forms, |f| f.enrollment.onboarding_batch_id))
        .bind(column(forms, |f| f.enrollment.monthly_wage))
        .bind(column(forms, |f| f.enrollment.starts_on))
        .bind(column(forms, |f| f.enrollment.paid_through))
        .bind(column(forms, |f| <&str>::from(f.enrollment.segment)))
        .bind(column(forms, |f| <&str>::from(f.enrollment.status)))
        .bind(column(forms, |f| f.enrollment.civil_servant.map(<&str>::from)))
        .bind(column(forms, |f| f.enrollment.programmes.as_str()))
        .bind(column(forms, |f| f.enrollment.service_number.as_deref()))
        .bind(column(forms, |f| f.enrollment.work_unit.as_deref()))
        .bind(column(forms, |f| f.enrollment.grade.as_deref()))
        .bind(column(forms, |f| f.enrollment.flags.as_deref()))
        .bind(column(forms, |f| f.enrollment.counts_from))
        .bind(column(forms, |f| f.enrollment.paid.as_deref()))
        .bind(column(forms, |f| f.enrollment.lapses_on))
}

/// Binds events and deltas, each with the number of its form, from 1.
fn bind_consequences<'a>(statement: Statement<'a>, forms: &'a [Newcomer]) -> Statement<'a> {
    let numbered = || (1_i64..).zip(forms);
    let (mut of_event, mut kinds, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for (number, form) in numbered() {
        for &(kind, day) in &form.events {
            of_event.push(number);
            kinds.push(<&str>::from(kind));
            days.push(day);
        }
    }
    let (mut of_delta, mut deltas) = (Vec::new(), DeltaColumns::default());
    for (number, form) in numbered() {
        for (counter, &persons) in &form.deltas {
            of_delta.push(number);
            deltas.push(counter, persons);
        }
    }
    statement
        .bind(of_event)
        .bind(kinds)
        .bind(days)
        .bind(of_delta)
        .bind(deltas.provinces)
        .bind(deltas.channels)
        .bind(deltas.standings)
        .bind(deltas.employers)
        .bind(deltas.associations)
        .bind(deltas.statuses)
        .bind(deltas.persons)
        .bind(deltas.days)
}

/// The order of locks is that of a transaction with several statements: key, employers, identity numbers in their order,
/// service numbers in theirs. A whole mutation first looks whether a number is registered, so that it seldom has to give up
/// what it has begun.
const STATEMENT: &str = "
with form as materialized (
    select u.*, nextval('participant_id_seq') as participant_id, nextval('enrollment_id_seq') as enrollment_id
    from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::date[], $7::text[], $8::text[],
                $9::smallint[], $10::text[], $11::text[], $12::bytea[], $13::bytea[], $14::bigint[], $15::bigint[],
                $16::date[], $17::date[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bytea[],
                $23::text[], $24::text[], $25::text[], $26::date[], $27::text[], $28::date[])
         with ordinality
         as u(value_index, service_index, channel_id, employer_id, association_id, birth_date, sex, person_status,
              province_id, full_name, name_key, national_id, phone, batch_id, monthly_wage, starts_on, paid_through,
              segment, status, civil_servant, programmes, service_number, work_unit, grade, flags, counts_from, paid,
              lapses_on, number)
), begun as materialized (
    select not $44 or not (
        exists (select from form f join identifier i on i.kind = 'NATIONAL_ID' and i.value_index = f.value_index)
        or exists (select from form f join identifier i on i.kind = 'SERVICE_NUMBER' and i.value_index = f.service_index))
        as is_begun
), key as (
    insert into idempotency (client, operation, key, fingerprint, outcome)
    select $43, $45, $46, $47,
           $48::jsonb || jsonb_build_object('value', jsonb_build_object(
               'participant', f.participant_id, 'enrollment', f.enrollment_id))
    from form f where $46::text is not null and (select is_begun from begun)
    on conflict do nothing returning key
), held as materialized (
    select array(select registry_hold_employers($41)) as closed
    where (select is_begun from begun) and ($46::text is null or exists (select from key))
), claimed as (
    insert into identifier (kind, value_index, participant_id)
    select 'NATIONAL_ID', f.value_index, f.participant_id
    from (select value_index, participant_id from form
          where employer_id is null or employer_id <> all ((select closed from held)::bigint[])
          order by value_index) f
    where exists (select from held) and exists (select from installation where key_check = $42)
    on conflict do nothing returning participant_id
), claimed_service as (
    insert into identifier (kind, value_index, participant_id)
    select 'SERVICE_NUMBER', f.service_index, f.participant_id
    from (select f.service_index, f.participant_id from form f join claimed using (participant_id)
          where f.service_index is not null order by f.service_index) f
    on conflict do nothing returning participant_id
), newcomer as materialized (
    select f.* from form f join claimed using (participant_id)
    where f.service_index is null or f.participant_id in (select participant_id from claimed_service)
), person as (
    insert into participant (id, channel_id, employer_id, association_id, birth_date, sex, status, province_id, full_name,
                             name_key, national_id, phone)
    select participant_id, channel_id, employer_id, association_id, birth_date, sex::sex,
           person_status::participant_status, province_id, full_name, name_key, national_id, phone
    from newcomer order by participant_id
), enrolled as (
    insert into enrollment (participant_id, id, employer_id, association_id, channel_id, onboarding_batch_id, monthly_wage,
                            starts_on, paid_through, segment, status, civil_servant, province_id, programmes,
                            service_number, work_unit, grade, flags, counts_from, paid, lapses_on)
    select participant_id, enrollment_id, employer_id, association_id, channel_id, batch_id, monthly_wage, starts_on,
           paid_through, segment::segment, status::enrollment_status, civil_servant::civil_servant_category, province_id,
           programmes::programme[], service_number, work_unit, grade, flags::text[], counts_from, paid::date[], lapses_on
    from newcomer order by participant_id
), happened as (
    insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by)
    select n.participant_id, n.enrollment_id, n.channel_id, v.effective_on, v.kind::participant_event_kind, $43
    from unnest($29::bigint[], $30::text[], $31::date[]) with ordinality as v(number, kind, effective_on, place)
    join newcomer n using (number) order by v.place
), counted as (
    insert into count_delta (province_id, channel_id, standing, employer_id, association_id, status, persons, effective_on)
    select d.province_id, d.channel_id, d.standing, d.employer_id, d.association_id, d.status::participant_status,
           sum(d.persons), d.effective_on
    from unnest($32::bigint[], $33::smallint[], $34::bigint[], $35::integer[], $36::bigint[], $37::bigint[], $38::text[],
                $39::integer[], $40::date[])
         as d(number, province_id, channel_id, standing, employer_id, association_id, status, persons, effective_on)
    join newcomer using (number)
    group by d.province_id, d.channel_id, d.standing, d.employer_id, d.association_id, d.status, d.effective_on
    having sum(d.persons) <> 0
), recorded as (
    insert into audit_entry (client, role, outcome, operation, purpose, subjects, request_id)
    select $43, $49::client_role, 'WRITTEN', $50, $51, people.subjects, $52
    from (select array_agg(participant_id order by participant_id) as subjects from newcomer) people
    where $44 and people.subjects is not null
)
select f.participant_id, f.enrollment_id, c.participant_id is not null as is_claimed,
       n.participant_id is not null as is_written, coalesce(f.employer_id = any ((select closed from held)::bigint[]), false) as is_closed,
       -- What a whole mutation has begun and cannot complete is rolled back.
       case when $44 and n.participant_id is null and (select is_begun from begun) then registry_give_up() end as gave_up
from form f left join claimed c using (participant_id) left join newcomer n using (participant_id)
order by f.number";
