//! The demonstration data: `COPY` loads the same rows that mutations would have written.

use participant_registry::demo::{BRANCH, CLOSED_OUTLET, DemoError, DemoSize, GOVERNMENT_UNIT, load};
use sqlx::PgPool;

use crate::support::App;

/// Counts counters that differ from people and enrollments, without the program's own rules.
const MISCOUNTED: &str = "
    with best as (
        select e.participant_id, min(case e.status when 'ACTIVE' then 1 when 'REGISTERED' then 2 when 'INACTIVE' then 3
                                     else 4 end) as rank,
               case when segment = 'SELF_EMPLOYED' then 3 when segment = 'CONSTRUCTION' then 4
                    when segment = 'MIGRANT_WORKER' then 5 when civil_servant is null then 0
                    when civil_servant = 'NON_ASN' then 2 else 1 end as worker_group
        from enrollment e group by 1, 3
    ), person as (
        select p.province_id, p.channel_id, (sum(b.rank << (3 * b.worker_group))
               + case when p.status = 'DECEASED' then 1 << 18 else 0 end)::integer as standing
        from best b join participant p on p.id = b.participant_id group by p.id
    ), payer as (
        select true as is_employer, employer_id as id, participant_id, status from enrollment where employer_id is not null
        union all
        select false, association_id, participant_id, status from enrollment where association_id is not null
    ), best_there as (
        select is_employer, id, (array_agg(status order by array_position('{ACTIVE,REGISTERED,INACTIVE,ENDED}', status)))[1]::text
               as status from payer group by 1, 2, participant_id
    ), counted as (
        select 'channel' as kept, channel_id::text as a, province_id::bigint as b, standing::text as c, count(*) as persons
        from person group by 2, 3, 4
        union all select 'province', c.kind::text, p.province_id, p.standing::text, count(*)
        from person p join channel c on c.id = p.channel_id group by 2, 3, 4
        union all select case when is_employer then 'employer' else 'association' end, '', id, status, count(*)
        from best_there group by 1, 3, 4
    ), kept as (
        select 'channel', channel_id::text, province_id::bigint, standing::text, persons from channel_figure
        union all select 'province', channel_kind::text, province_id, standing::text, persons from figure
        union all select 'employer', '', employer_id, status::text, persons from employer_count
        union all select 'association', '', association_id, status::text, persons from association_count
    )
    select count(*) from ((table counted except (select * from kept where persons <> 0))
                          union all ((select * from kept where persons <> 0) except table counted)) d";

/// Counts rows that no mutation could have written, by the rule that they violate.
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
        left join (select distinct on (participant_id) participant_id, employer_id, association_id from enrollment
                   where ends_on is null order by participant_id, id desc) e on e.participant_id = p.id
        where (p.employer_id, p.association_id) is distinct from (e.employer_id, e.association_id)
    union all select 'first channel', count(*) from participant p
        join (select distinct on (participant_id) participant_id, channel_id from enrollment
              order by participant_id, id) e on e.participant_id = p.id
        where p.channel_id <> e.channel_id
    union all select 'closed channel', count(*) from enrollment e join channel c on c.id = e.channel_id
        where (e.recorded_at at time zone 'Asia/Jakarta')::date < c.opened_on
           or (e.recorded_at at time zone 'Asia/Jakarta')::date >= c.closed_on
    union all select 'order', count(*)
        from (select registered_at < lag(registered_at) over (order by id) as is_earlier from participant) p
        where is_earlier
    union all select 'identifiers',
        abs((select count(*) from participant) - (select count(distinct participant_id) from identifier))
    union all select 'references', count(*) from enrollment e
        left join employer m on m.id = e.employer_id left join association a on a.id = e.association_id
        left join channel c on c.id = e.channel_id
        where c.id is null or m.id is null and e.employer_id is not null
           or a.id is null and e.association_id is not null
    union all select 'enrolled', abs((select count(*) from enrollment) - (select count(*)
        from participant_event v join enrollment e on e.id = v.enrollment_id and e.participant_id = v.participant_id
        where v.kind = 'ENROLLED' and v.effective_on = e.starts_on))
    union all select 'ended', abs((select count(*) from enrollment where ends_on is not null) - (select count(*)
        from participant_event v join enrollment e on e.id = v.enrollment_id and e.participant_id = v.participant_id
        where v.kind = 'ENDED' and v.effective_on = e.ends_on))
    union all select 'died', abs((select count(*) from participant where status = 'DECEASED')
        - (select count(*) from participant_event where kind = 'DIED'))
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

/// Lists every index, constraint and table with forced row security, from the catalogue.
const SHAPE: &str = "
    select pg_get_indexdef(indexrelid) from pg_index where indrelid::regclass::text !~ '^pg_'
    union all
    select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
    where conrelid <> 0
    union all
    select oid::regclass || ' forces row security' from pg_class where relforcerowsecurity
    order by 1";

async fn shape(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(SHAPE).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_demonstration_equals_what_the_mutations_would_have_written() {
    let app = App::under_its_owner().await;
    let pool = &app.sql;
    let before = shape(pool).await;
    let size = DemoSize::of(20_000);
    let summary = load(&app.database, size, |_| ()).await.unwrap();
    assert_eq!(summary.participants, 20_000);
    assert_eq!(shape(pool).await, before, "every index and key is restored");
    assert_eq!(app.count(MISCOUNTED).await, 0, "maintained and recounted counters differ");
    assert_eq!(app.differing_counters().await, 0);
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
async fn a_recount_finds_no_difference_after_mutations() {
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
    assert_ne!(app.count(MISCOUNTED).await, 0, "the deltas are not folded yet");
    assert_eq!(app.differing_counters().await, 0, "a recount includes the deltas");
    app.fold().await;
    assert_eq!(app.count(MISCOUNTED).await, 0);
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn a_recount_finds_changed_counters_and_a_start_rebuilds_them_if_due() {
    let app = App::under_its_owner().await;
    load(&app.database, DemoSize::of(2_000), |_| ()).await.unwrap();
    for (statement, found) in [
        ("update figure set persons = persons + 1 where persons = (select max(persons) from figure)", 1),
        ("update employer_count set persons = persons - 1 where employer_id = 40", 1),
        ("delete from channel_figure_day where channel_id = (select min(channel_id) from channel_figure)", 2),
    ] {
        let before = app.differing_counters().await;
        sqlx::query(statement).execute(&app.sql).await.unwrap();
        assert!(app.differing_counters().await >= before + found, "{statement}");
    }
    sqlx::query("update installation set figures_due = true").execute(&app.sql).await.unwrap();
    app.second_process().await;
    assert_eq!(app.differing_counters().await, 0);
    assert_eq!(app.count("select count(*) from installation where figures_due").await, 0);
}
