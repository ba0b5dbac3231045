-- The keys that pgbench looks up. A program that batches gets them from its first statement, but pgbench cannot build
-- an array from rows. These tables hold the keys that the registry finds while it resolves a request.
create schema bench;

-- The first page of active people of each province, and the keys of the related rows.
create table bench.page as
select row_number() over () as n, p.id as province_id, page.employers, page.channels, found.provinces
from province p
cross join lateral (
    select array_agg(distinct q.employer_id) filter (where q.employer_id is not null) as employers,
           array_agg(distinct q.channel_id) as channels, count(*) as people
    from (select employer_id, channel_id from participant
          where province_id = p.id and status = 'ACTIVE' order by id limit 51) q) page
cross join lateral (
    select array_agg(distinct u.province_id) as provinces
    from (select province_id from employer where id = any(page.employers)
          union select province_id from channel_province where channel_id = any(page.channels)) u) found
where page.people = 51;

-- Pages of twenty employers; `cursor_id` is the last one of the page before.
create table bench.employers as
select n, (n - 1) * 20 as cursor_id, array(select generate_series((n - 1) * 20 + 1, n * 20)) as ids
from generate_series(1, (select count(*) / 20 from employer)) n;

-- Two thousand people with an employer, spread over the register. Created last, because `register.rs` takes this table
-- as the sign that a database is complete.
create table bench.person as
select row_number() over () as n, i.value_index, p.employer_id, p.channel_id, p.national_id,
       array(select e.province_id from employer e where e.id = p.employer_id
             union select c.province_id from channel_province c where c.channel_id = p.channel_id
             union select p.province_id) as provinces
from (select * from participant where employer_id is not null and national_id is not null
      and id % ((select max(id) from participant) / 4000 + 1) = 0 order by id limit 2000) p
join identifier i on i.participant_id = p.id and i.kind = 'NATIONAL_ID';

create index on bench.page (n);
create index on bench.employers (n);
create index on bench.person (n);
analyze bench.page, bench.employers, bench.person;
