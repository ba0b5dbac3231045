//! Synthetic people break no rule, and what is loaded of them is what writing them one by one would have left.

use std::collections::{BTreeSet, HashSet};

use sqlx::PgPool;

use super::people::Person;
use super::*;
use crate::domain::employer::EmployerKind;
use crate::domain::enrollment::{
    EnrollmentStatus, Payer, PersonForm, Programme, Terms, judge_person, judge_terms,
};
use crate::domain::identity::{NationalId, RegionBook, check_against_person};
use crate::store::database::PoolSettings;
use crate::store::keys::Keys;

fn world(participants: u64) -> World {
    let names: Vec<String> = AREAS.iter().map(|area| format!("Provinsi {}", area.id)).collect();
    World::of(DemoSize::of(participants), &names)
}

#[test]
fn the_same_size_gives_the_same_people() {
    let people = |world: &World| People::of(world).map(|person| format!("{person:?}")).collect::<Vec<_>>();
    assert_eq!(people(&world(300)), people(&world(300)));
}

#[test]
fn no_two_people_share_a_number_in_any_lap() {
    let world = world(2_000_000);
    let lap = 40 * 9_999;
    let numbers = People::of(&world)
        .starting_at(0)
        .take(2_000)
        .chain((1..5).flat_map(|n| People::of(&world).starting_at(n * lap).take(2_000)))
        .map(|person| person.national_id);
    assert_eq!(numbers.collect::<HashSet<_>>().len(), 10_000);
}

#[test]
fn identity_numbers_are_well_formed_and_nobodys() {
    let book = RegionBook::new(AREAS.iter().map(|area| area.id.to_string()));
    for person in People::of(&world(3_000)) {
        let (number, doubts) = NationalId::parse(&person.national_id, &book, "nationalId").unwrap();
        let disagreements = check_against_person(&number, person.birth_date, person.sex, "birthDate", "sex");
        assert!(doubts.is_empty() && disagreements.is_empty());
        assert!(person.national_id[4..6] >= *"60", "the roster of South Sumatra has districts 01 to 18");
    }
}

#[test]
fn people_come_in_the_order_of_their_ids_on_working_days_before_the_story() {
    use chrono::Datelike;
    let moments: Vec<_> = People::of(&world(20_000)).map(|person| person.registered_at).collect();
    assert!(moments.is_sorted());
    assert!(moments.iter().all(|moment| moment.weekday().number_from_monday() <= 5));
    assert!(moments[0].date() >= first_day() && moments[19_999].date() <= last_day());
}

#[test]
fn a_third_does_not_pay_and_south_sumatra_waits_for_its_civil_servants() {
    let people: Vec<_> = People::of(&world(20_000)).collect();
    let enrollments = || people.iter().flat_map(|person| &person.enrollments);
    let active = enrollments().filter(|e| e.status == EnrollmentStatus::Active).count();
    let share = active as f64 / enrollments().count() as f64;
    assert!((0.6..0.72).contains(&share), "{share}");
    assert!(people.iter().any(|person| person.enrollments.len() == 2));
    assert!(people.iter().any(|person| person.died_on.is_some()));
    assert!(enrollments().all(|e| e.employer != Some(SOUTH_SUMATRA_GOVERNMENT)));
}

/// What a recount finds that the kept figures do not say, or the other way round. `DECEASED` is a fact of the person;
/// figures count by enrollments, all of which have ended then.
const RECOUNT: &str = "
    with best as (
        select participant_id, segment, employer_id, association_id,
               case status when 'ACTIVE' then 0 when 'REGISTERED' then 1 when 'INACTIVE' then 2 else 3 end as rank
        from enrollment
    ), counted as (
        select participant_id, null::segment as segment, null::bigint as employer_id, null::bigint as association_id,
               min(rank) as rank from best group by 1
        union all select participant_id, segment, null, null, min(rank) from best group by 1, 2
        union all select participant_id, null, employer_id, null, min(rank) from best
                  where employer_id is not null group by 1, 3
        union all select participant_id, null, null, association_id, min(rank) from best
                  where association_id is not null group by 1, 4
    ), person as (
        select p.province_id, p.channel_id, c.segment, c.employer_id, c.association_id,
               ('{ACTIVE,REGISTERED,INACTIVE,ENDED}'::participant_status[])[c.rank + 1] as status
        from counted c join participant p on p.id = c.participant_id
    ), recount as (
        select 'province' as kept, province_id::bigint as a, null::smallint as b, segment, status, count(*) as persons
        from person where num_nonnulls(employer_id, association_id) = 0 group by 2, 4, 5
        union all select 'channel', channel_id, province_id, segment, status, count(*)
        from person where num_nonnulls(employer_id, association_id) = 0 group by 2, 3, 4, 5
        union all select 'employer', employer_id, null, null, status, count(*)
        from person where employer_id is not null group by 2, 5
        union all select 'association', association_id, null, null, status, count(*)
        from person where association_id is not null group by 2, 5
    ), kept as (
        select 'province', province_id::bigint, null::smallint, segment, status, persons from province_count
        union all select 'channel', channel_id, province_id, segment, status, persons from channel_count
        union all select 'employer', employer_id, null, null, status, persons from employer_count
        union all select 'association', association_id, null, null, status, persons from association_count
    )
    select count(*) from ((table recount except table kept) union all (table kept except table recount)) d";

/// Rows that no way through the actions would have left, by what is wrong with them.
const IMPOSSIBLE: &str = "
    select 'deltas' as what, count(*) from count_delta
    union all select 'status', count(*) from participant p
        join (select participant_id, min(case status when 'ACTIVE' then 0 when 'REGISTERED' then 1
                                             when 'INACTIVE' then 2 else 3 end) as rank
              from enrollment group by 1) e on e.participant_id = p.id
        where case p.status when 'ACTIVE' then 0 when 'REGISTERED' then 1 when 'INACTIVE' then 2 else 3 end <> e.rank
    union all select 'no enrollment', count(*) from participant p
        where not exists (select from enrollment e where e.participant_id = p.id)
    union all select 'newest open', count(*) from participant p
        left join lateral (select employer_id, association_id from enrollment e
                           where e.participant_id = p.id and ends_on is null order by id desc limit 1) e on true
        where (p.employer_id, p.association_id) is distinct from (e.employer_id, e.association_id)
    union all select 'first channel', count(*) from participant p
        join lateral (select channel_id from enrollment e where e.participant_id = p.id order by id limit 1) e on true
        where p.channel_id <> e.channel_id
    union all select 'closed channel', count(*) from enrollment e join channel c on c.id = e.channel_id
        where (e.recorded_at at time zone 'Asia/Jakarta')::date < c.opened_on
           or (e.recorded_at at time zone 'Asia/Jakarta')::date >= c.closed_on
    union all select 'order', count(*) from participant p join participant q on q.id = p.id + 1
        where q.registered_at < p.registered_at
    union all select 'identifiers', abs((select count(*) from participant) - count(distinct participant_id))
        from identifier
    union all select 'references', count(*) from enrollment e
        left join employer m on m.id = e.employer_id left join association a on a.id = e.association_id
        left join channel c on c.id = e.channel_id
        where c.id is null or m.id is null and e.employer_id is not null
           or a.id is null and e.association_id is not null
    union all select 'enrolled', abs((select count(*) from enrollment) - count(*))
        from participant_event v join enrollment e on e.id = v.enrollment_id and e.participant_id = v.participant_id
        where v.kind = 'ENROLLED' and v.effective_on = e.starts_on
    union all select 'ended', abs((select count(*) from enrollment where ends_on is not null) - count(*))
        from participant_event v join enrollment e on e.id = v.enrollment_id and e.participant_id = v.participant_id
        where v.kind = 'ENDED' and v.effective_on = e.ends_on
    union all select 'died', abs((select count(*) from participant where status = 'DECEASED') - count(*))
        from participant_event where kind = 'DIED'
    union all select 'sequences', count(*) from
        (values ('participant_id_seq'::regclass, (select max(id) from participant)),
                ('enrollment_id_seq', (select max(id) from enrollment)),
                ('participant_event_id_seq', (select max(id) from participant_event)),
                ('channel_id_seq', (select max(id) from channel)),
                ('employer_id_seq', (select max(id) from employer)),
                ('association_id_seq', (select max(id) from association))) s(sequence, last)
        where pg_sequence_last_value(sequence) is distinct from last
    union all select 'indexes', (select count(*) from pg_index where not indisvalid or not indisready)
        + (select count(*) from pg_constraint where not convalidated)";

/// Every index, constraint and column default, as the catalogue tells them.
const SHAPE: &str = "
    select pg_get_indexdef(indexrelid) from pg_index where indrelid::regclass::text !~ '^pg_'
    union all
    select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
    where conrelid <> 0
    order by 1";

async fn open(url: &str) -> Arc<Database> {
    let keys = Keys::derive(&[7; 32]);
    Database::open(url.parse().unwrap(), keys, PoolSettings::default()).await.unwrap()
}

async fn shape(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(SHAPE).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "DATABASE_URL must name a database of its own, without tables"]
async fn a_loaded_register_is_what_the_actions_would_have_left() {
    let database = open(&std::env::var("DATABASE_URL").unwrap()).await;
    let before = shape(&database.pool).await;
    let size = DemoSize::of(20_000);
    let summary = load(&database, size, |_| ()).await.unwrap();
    assert_eq!(summary.participants, 20_000);
    assert_eq!(shape(&database.pool).await, before, "every index and key is back");
    let differences: i64 = sqlx::query_scalar(RECOUNT).fetch_one(&database.pool).await.unwrap();
    assert_eq!(differences, 0);
    let impossible: Vec<(String, i64)> = sqlx::query_as(IMPOSSIBLE).fetch_all(&database.pool).await.unwrap();
    let wrong: Vec<_> = impossible.iter().filter(|(_, rows)| *rows != 0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    let reference = database.reference();
    assert!(
        [GOVERNMENT_UNIT, BRANCH, CLOSED_OUTLET].iter().all(|code| reference.channel_by_code(code).is_some())
    );
    let names = province_names(&reference).unwrap();
    for person in People::of(&World::of(size, &names)) {
        assert_breaks_no_rule(&person, &reference);
    }
    assert_eq!(load(&database, size, |_| ()).await, Err(DemoError::NotEmpty("participant".into())));
}

/// The one judge of forms finds nothing in any enrollment, on the day on which it was recorded.
#[track_caller]
fn assert_breaks_no_rule(person: &Person, reference: &Reference) {
    for enrolled in &person.enrollments {
        let programmes: BTreeSet<Programme> = enrolled
            .programmes
            .trim_matches(['{', '}'])
            .split(',')
            .map(|name| name.parse().unwrap())
            .collect();
        let terms = Terms {
            segment: enrolled.segment,
            programmes: &programmes.into_iter().collect::<Vec<_>>(),
            channel: reference.channel(enrolled.channel).unwrap(),
            employer: enrolled.employer.map(|id| Payer { id, risk_class: 1, kind: EmployerKind::Government }),
            association: enrolled.association,
            province: AREAS[person.area].id,
            starts_on: enrolled.starts_on,
            first_contribution_paid: false,
            civil_servants: enrolled.civil_servant,
        };
        let form = PersonForm {
            national_id: person.national_id.clone(),
            full_name: person.full_name.clone(),
            birth_date: Some(person.birth_date),
            sex: Some(person.sex),
            phone: person.phone.clone(),
            monthly_wage: enrolled.monthly_wage,
            work_unit: enrolled.work_unit.map(str::to_owned),
            ..PersonForm::default()
        };
        let today = enrolled.recorded_at.date();
        let mut problems = judge_terms(&terms, &reference.rules, today);
        problems.extend(judge_person(form, &terms, &reference.rules, today).1);
        assert!(problems.is_empty(), "{person:?}: {problems:?}");
    }
}
