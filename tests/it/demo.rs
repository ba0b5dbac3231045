//! The synthetic register: what is loaded by `COPY` is what the actions would have left.

use participant_registry::demo::{BRANCH, CLOSED_OUTLET, DemoError, DemoSize, GOVERNMENT_UNIT, load};
use sqlx::PgPool;

use crate::support::App;

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

async fn shape(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(SHAPE).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_register_is_what_the_actions_would_have_left() {
    let app = App::new().await;
    let pool = &app.sql;
    let before = shape(pool).await;
    let size = DemoSize::of(20_000);
    let summary = load(&app.database, size, |_| ()).await.unwrap();
    assert_eq!(summary.participants, 20_000);
    assert_eq!(shape(pool).await, before, "every index and key is back");
    assert_eq!(app.count(RECOUNT).await, 0, "kept figures and counted ones differ");
    let impossible: Vec<(String, i64)> = sqlx::query_as(IMPOSSIBLE).fetch_all(pool).await.unwrap();
    let wrong: Vec<_> = impossible.iter().filter(|(_, rows)| *rows != 0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let reference = app.database.reference();
    assert!(
        [GOVERNMENT_UNIT, BRANCH, CLOSED_OUTLET].iter().all(|code| reference.channel_by_code(code).is_some())
    );
    let again = load(&app.database, size, |_| ()).await;
    assert_eq!(again, Err(DemoError::NotEmpty("participant".into())));
}

#[tokio::test]
async fn what_the_actions_leave_is_recounted_without_a_difference() {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    let (state, association) = (app.government("Pemerintah").await, app.association("Nelayan").await);
    for n in 0..12 {
        let paid = crate::support::json!(n % 3 == 0);
        let person = crate::support::Person::new(&channel).with("firstContributionPaid", paid);
        app.enrolled(&person.clone().with("associationId", crate::support::json!(association))).await;
        app.enrolled(&person.at(&employer).with("firstContributionPaid", crate::support::json!(n % 2 == 0)))
            .await;
    }
    let query = "mutation ($employer: ID!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {employerId: $employer,
        channelCode: \"BR-PLG\", provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) { errors { code } } }";
    let rows: Vec<_> = (0..30).map(crate::support::row).collect();
    app.ask(query, crate::support::json!({"employer": state, "rows": rows})).await;
    assert_ne!(app.count(RECOUNT).await, 0, "nothing is folded yet");
    app.fold().await;
    assert_eq!(app.count(RECOUNT).await, 0);
}
