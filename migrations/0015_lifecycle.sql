-- Life after enrollment: corrections, ends, transfers, employers that close; and the rules that still stood in the code
-- or nowhere: what belongs together, what is rounded how, and a temporary law.

-- Numbers under which people were known until a correction. They stay claimed (`identifier.superseded_at`) and still find
-- the person. Sealed like the number in force, so that an exchange of the key reaches them (src/store/rotation.rs), which
-- the correction's own event, written once, could not be. Of the person, hence distributed like it.
create table former_number (
    participant_id bigint not null,
    event_id       bigint not null,   -- the correction that ended it
    number         bytea  not null,   -- identity number, sealed
    constraint former_number_pkey primary key (participant_id, event_id)
);
grant select on former_number to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
grant insert, update on former_number to registry_writer;
alter table former_number enable row level security, force row level security;
create policy reader on former_number for select to registry_reader using (true);
create policy writer on former_number to registry_writer using (true);
create policy owner on former_number to current_user using (true);
-- Whoever may see the correction may see what it corrected; the event's own policies say who that is.
create policy of_event on former_number for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from participant_event v
                   where v.participant_id = former_number.participant_id and v.id = former_number.event_id));

-- A death is told to a payer by the end of its own enrollment: not to those whom the person had left before. Corrections are
-- of what everybody sees who sees the person.
do $$
declare
    name text;
begin
    foreach name in array array['of_employer', 'of_association'] loop
        execute format('alter policy %I on participant_event using (
            exists (select from enrollment e where e.participant_id = participant_event.participant_id
                      and case when participant_event.enrollment_id is null then participant_event.kind <> ''DIED''
                               else e.id = participant_event.enrollment_id end))', name);
    end loop;
end $$;
alter policy scoped on participant_event using (
    exists (select from participant p where p.id = participant_event.participant_id)
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[])
         or registry_scope_has(participant_id, true))
    and ((select coalesce(registry_scope('employer'), registry_scope('association'))) is null
         or case when enrollment_id is null then kind <> 'DIED'
                 else exists (select from enrollment e
                              where e.participant_id = participant_event.participant_id
                                and e.id = participant_event.enrollment_id) end)
);

-- The last day is exclusive: from `ends_on` on the enrollment holds no more. One that was recorded ahead of its first day
-- can end before that day comes, but not before it counts.
alter table enrollment
    drop constraint enrollment_period,
    add constraint enrollment_period check (ends_on is null or ends_on >= counts_from) not valid;
alter table enrollment validate constraint enrollment_period;

-- An employer that is no more: nobody is employed there from that day on.
alter table employer add column closed_on date;

-- Whoever enrolls people with employers holds them open until its transaction ends, so that none of them closes with
-- somebody coming in at the same moment; gives those that are closed already. The locks are in memory and shared: those
-- who enroll never wait for each other. Two statements, because the second has to see what the first has waited for.
create function registry_hold_employers(ids bigint[]) returns setof bigint language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('participant_registry.employer'), hashint8(u.id))
        from (select distinct v.id from unnest(ids) as v(id) order by v.id) u;
    return query select e.id from employer e where e.id = any(ids) and e.closed_on is not null;
end
$$;

-- What belongs together: whoever is enrolled in a segment is covered for all of these at least.
create table programme_combination_rule (
    code        text        primary key,
    segment     segment     not null,
    required    programme[] not null,
    valid_from  date        not null,      -- of the first day of the enrollment
    valid_until date,
    title       text        not null,
    constraint programme_combination_rule_period check (valid_until is null or valid_until >= valid_from),
    constraint programme_combination_rule_required check (cardinality(required) > 0)
);
insert into programme_combination_rule (code, segment, required, valid_from, valid_until, title) values
    ('PAIR-PU-1993', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH}', '1993-02-27', '2015-06-30', 'PP 84/2013: employers of ten workers or more; that nobody has less than this pair is recalled'),
    -- More is mandatory for small, medium and large businesses (Pasal 6(3)); how large an employer is is not recorded here.
    ('PAIR-PU-2015', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH}', '2015-07-01', null, 'Perpres 109/2013 Pasal 6(3): what is mandatory for businesses of every size'),
    ('PAIR-BPU', 'SELF_EMPLOYED', '{WORK_ACCIDENT,DEATH}', '1993-02-27', null, 'Agency, August 2014: JKK and JKM together, JHT by choice'),
    ('PAIR-JAKON', 'CONSTRUCTION', '{WORK_ACCIDENT,DEATH}', '1993-02-27', null, 'Permenaker 44/2015: JKK and JKM, and nothing else'),
    ('PAIR-PMI', 'MIGRANT_WORKER', '{WORK_ACCIDENT,DEATH}', '1993-02-27', null, 'Agency: JKK and JKM together, JHT by choice');

-- What is due is rounded to whole units, each part by itself.
create table rounding_rule (
    code        text   primary key,
    unit        bigint not null,           -- rupiah
    direction   text   not null,           -- NEAREST: halves up
    valid_from  date   not null,
    valid_until date,
    title       text   not null,
    constraint rounding_rule_period check (valid_until is null or valid_until >= valid_from),
    constraint rounding_rule_unit check (unit > 0),
    constraint rounding_rule_direction check (direction in ('NEAREST', 'UP', 'DOWN'))
);
insert into rounding_rule (code, unit, direction, valid_from, title) values
    ('ROUND-1', 1, 'NEAREST', '1993-02-27', 'Ours: to the nearest rupiah, halves up');

-- A temporary law can leave a part of what is due, and something can be due once instead of each month. Where two rules
-- hold on a day, the one that came into force last does.
alter table contribution_rule
    add column multiplier_ppm integer not null default 1000000,   -- millionths of what is due otherwise
    add column is_once        boolean not null default false,     -- for the whole enrollment, and not each month
    add constraint contribution_rule_multiplier check (multiplier_ppm between 0 and 1000000);
insert into contribution_rule (code, programme, segment, risk_class, employer_ppm, worker_ppm, worker_flat, wage_ceiling,
                               multiplier_ppm, valid_from, valid_until, title)
select code || '-RELIEF', programme, segment, risk_class, employer_ppm, worker_ppm, worker_flat, wage_ceiling,
       10000, '2020-08-01', '2021-01-31', 'PP 49/2020 Pasal 12: 1 % of the contribution; first and last month are recalled'
from contribution_rule
where programme in ('WORK_ACCIDENT', 'DEATH') and segment in ('WAGE_EARNER', 'SELF_EMPLOYED');
-- Of migrant workers both programmes are one amount; how it is parted between them is not known, so it stands with one.
-- JHT of theirs is what each of them chooses, Rp 50,000 to 600,000 a month: no rule gives an amount.
insert into contribution_rule (code, programme, segment, worker_flat, is_once, valid_from, title) values
    ('JKK-PMI', 'WORK_ACCIDENT', 'MIGRANT_WORKER', 370000, true, '1993-02-27', 'Agency: Rp 370,000 once for JKK and JKM together; the first day is recalled'),
    ('JKM-PMI', 'DEATH', 'MIGRANT_WORKER', 0, true, '1993-02-27', 'Agency: within the Rp 370,000 of JKK-PMI');

grant select on programme_combination_rule, rounding_rule to registry_writer, registry_reader, registry_of_provinces,
    registry_of_channels, registry_of_employer, registry_of_association, registry_scoped;

do $$
declare
    name text;
begin
    foreach name in array array['programme_combination_rule', 'rounding_rule'] loop
        execute format('create trigger %I after insert or update or delete on %I for each statement '
                       'execute function announce_reference_change()', name || '_announces', name);
    end loop;
end $$;
