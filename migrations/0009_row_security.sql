-- The second lock on people's data. The first is the scope that the registry puts into every statement; this one is
-- PostgreSQL's. The registry connects under a login and takes on one of these roles for each use of a connection
-- (src/store/session.rs); none of them owns a table, none can change its own rights:
--
--   registry_writer          the registry's own writing, chores and reference data;
--   registry_reader          reads everything but keys and evidence: for actors who see the whole country;
--   registry_of_provinces    reads the rows of people who live in registry.provinces,
--   registry_of_channels     … whom registry.channels brought in or enrolled,
--   registry_of_employer     … who have an enrollment with registry.employer, and of those only its own,
--   registry_of_association  … who have an enrollment through registry.association, and of those only its own;
--   registry_scoped          reads what lies in all that is set, and nothing where nothing is set.
--
-- The readers of a part see no kept figures, which know no scope. One role for each kind of scope, because a policy
-- for all kinds at once has so many subqueries that the planner misjudges every page.
--
-- Roles belong to the whole server. Where the one who migrates may not create roles, somebody who may does it first:
--   create role registry_writer; … (each of the above); grant registry_writer, … to <login of the registry>, <owner>;

do $$
declare
    name text;
begin
    foreach name in array array['registry_writer', 'registry_reader', 'registry_of_provinces', 'registry_of_channels',
        'registry_of_employer', 'registry_of_association', 'registry_scoped'] loop
        if not exists (select from pg_roles where rolname = name) then
            begin
                execute format('create role %I nologin noinherit', name);
            exception when duplicate_object or unique_violation then
                null;   -- another database of this server was migrated at this moment
            end;
        end if;
        if not pg_has_role(current_user, name, 'member') then
            execute format('grant %I to %I', name, current_user);
        end if;
    end loop;
end $$;

grant select on _sqlx_migrations to registry_writer;
grant select on province, province_edition, national_id_region, rule_setting, programme_rule, civil_servant_rule,
    age_rule, contribution_rule, channel, channel_province, employer, association, identifier, participant, enrollment,
    participant_event, onboarding_batch, onboarding_row
    to registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
       registry_of_association, registry_scoped;
grant select on count_delta, province_count, channel_count, employer_count, association_count
    to registry_reader, registry_writer;
grant select, insert on installation to registry_writer;
-- A channel's people are found through its enrollments, as a payer's are.
create index enrollment_by_channel on enrollment (channel_id, participant_id);

-- What is written once and never changed.
grant insert on participant_event to registry_writer;
grant insert, update on channel, channel_province, employer, association, participant, enrollment, onboarding_batch,
    onboarding_row to registry_writer;
-- A number that was claimed for a row that is refused is given back.
grant insert, update, delete on identifier, count_delta, province_count, channel_count, employer_count,
    association_count, idempotency to registry_writer;
grant select on idempotency to registry_writer;
grant usage on sequence channel_id_seq, employer_id_seq, association_id_seq, participant_id_seq, enrollment_id_seq,
    participant_event_id_seq, count_delta_id_seq, onboarding_batch_id_seq to registry_writer;

-- The ids that a scope names; null where it does not restrict.
create function registry_scope(part text) returns bigint[] language sql stable as $$
    select nullif(current_setting('registry.' || part, true), '')::bigint[]
$$;

-- Is the scope anything at all? Nothing set is nobody.
create function registry_scope_is_set() returns boolean language sql stable as $$
    select num_nonnulls(registry_scope('provinces'), registry_scope('employer'), registry_scope('association'),
                        registry_scope('channels')) > 0
$$;

-- Does a person live in the provinces of the scope, and was brought in by its channels? Runs as the writer, because the
-- policies on people and on their enrollments would otherwise ask each other without end.
create function registry_scope_has(person bigint, of_channel boolean) returns boolean
    language sql stable security definer set search_path from current as $$
    select exists (
        select from participant p where p.id = person
          and (registry_scope('provinces') is null or p.province_id = any(registry_scope('provinces')))
          and (not of_channel or registry_scope('channels') is null or p.channel_id = any(registry_scope('channels')))
    )
$$;

alter table participant enable row level security, force row level security;
alter table enrollment enable row level security, force row level security;
alter table participant_event enable row level security, force row level security;
alter table onboarding_batch enable row level security, force row level security;
alter table onboarding_row enable row level security, force row level security;

do $$
declare
    name text;
begin
    foreach name in array array['participant', 'enrollment', 'participant_event', 'onboarding_batch', 'onboarding_row']
    loop
        execute format('create policy reader on %I for select to registry_reader using (true)', name);
        execute format('create policy writer on %I to registry_writer using (true)', name);
        execute format('create policy owner on %I to current_user using (true)', name);
    end loop;
end $$;

-- `(select …)` is asked once for each statement, and not for each row.

create policy of_provinces on participant for select to registry_of_provinces
    using (province_id = any ((select registry_scope('provinces'))::bigint[]));
create policy of_provinces on enrollment for select to registry_of_provinces
    using (exists (select from participant p where p.id = enrollment.participant_id));
create policy of_provinces on participant_event for select to registry_of_provinces
    using (exists (select from participant p where p.id = participant_event.participant_id));
create policy of_provinces on onboarding_batch for select to registry_of_provinces
    using (province_id = any ((select registry_scope('provinces'))::bigint[]));

create policy of_channels on participant for select to registry_of_channels using (
    exists (select from enrollment e where e.participant_id = participant.id
              and e.channel_id = any ((select registry_scope('channels'))::bigint[])));
create policy of_channels on enrollment for select to registry_of_channels using (
    channel_id = any ((select registry_scope('channels'))::bigint[]) or registry_scope_has(participant_id, true));
create policy of_channels on participant_event for select to registry_of_channels using (
    channel_id = any ((select registry_scope('channels'))::bigint[]) or registry_scope_has(participant_id, true));
create policy of_channels on onboarding_batch for select to registry_of_channels
    using (channel_id = any ((select registry_scope('channels'))::bigint[]));

create policy of_employer on participant for select to registry_of_employer
    using (exists (select from enrollment e where e.participant_id = participant.id));
create policy of_employer on enrollment for select to registry_of_employer
    using (employer_id = any ((select registry_scope('employer'))::bigint[]));
create policy of_employer on participant_event for select to registry_of_employer using (
    exists (select from enrollment e where e.participant_id = participant_event.participant_id
              and (participant_event.enrollment_id is null or e.id = participant_event.enrollment_id)));
create policy of_employer on onboarding_batch for select to registry_of_employer
    using (employer_id = any ((select registry_scope('employer'))::bigint[]));

create policy of_association on participant for select to registry_of_association
    using (exists (select from enrollment e where e.participant_id = participant.id));
create policy of_association on enrollment for select to registry_of_association
    using (association_id = any ((select registry_scope('association'))::bigint[]));
create policy of_association on participant_event for select to registry_of_association using (
    exists (select from enrollment e where e.participant_id = participant_event.participant_id
              and (participant_event.enrollment_id is null or e.id = participant_event.enrollment_id)));
create policy of_association on onboarding_batch for select to registry_of_association using (false);

create policy of_batch on onboarding_row for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from onboarding_batch b where b.id = onboarding_row.batch_id));

-- Of several kinds at once, and of none.

create policy scoped on participant for select to registry_scoped using (
    (select registry_scope_is_set())
    and ((select registry_scope('provinces')) is null
         or province_id = any ((select registry_scope('provinces'))::bigint[]))
    and ((select registry_scope('channels')) is null
         or exists (select from enrollment e where e.participant_id = participant.id
                      and e.channel_id = any ((select registry_scope('channels'))::bigint[])))
    and ((select registry_scope('employer')) is null
         or exists (select from enrollment e where e.participant_id = participant.id
                      and e.employer_id = any ((select registry_scope('employer'))::bigint[])))
    and ((select registry_scope('association')) is null
         or exists (select from enrollment e where e.participant_id = participant.id
                      and e.association_id = any ((select registry_scope('association'))::bigint[])))
);

create policy scoped on enrollment for select to registry_scoped using (
    (select registry_scope_is_set())
    and ((select registry_scope('employer')) is null
         or employer_id = any ((select registry_scope('employer'))::bigint[]))
    and ((select registry_scope('association')) is null
         or association_id = any ((select registry_scope('association'))::bigint[]))
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[])
         or registry_scope_has(participant_id, true))
    and ((select registry_scope('provinces')) is null or registry_scope_has(participant_id, false))
);

create policy scoped on participant_event for select to registry_scoped using (
    exists (select from participant p where p.id = participant_event.participant_id)
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[])
         or registry_scope_has(participant_id, true))
    and (enrollment_id is null
         or (select coalesce(registry_scope('employer'), registry_scope('association'))) is null
         or exists (select from enrollment e
                    where e.participant_id = participant_event.participant_id
                      and e.id = participant_event.enrollment_id))
);

create policy scoped on onboarding_batch for select to registry_scoped using (
    (select registry_scope_is_set())
    and (select registry_scope('association')) is null
    and ((select registry_scope('provinces')) is null
         or province_id = any ((select registry_scope('provinces'))::bigint[]))
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[]))
    and ((select registry_scope('employer')) is null
         or employer_id = any ((select registry_scope('employer'))::bigint[]))
);

-- People of the scope's provinces by the words of their names. The operator of text search could leak what it is asked
-- about, so that under row security no index serves it; this runs as the writer, and applies the scope itself.
create function registry_people_named(query tsquery) returns setof bigint
    language sql stable security definer set search_path from current as $$
    select p.id from participant p
    where p.province_id = any(registry_scope('provinces')::smallint[])
      and to_tsvector('simple', p.name_key) @@ query
$$;

-- An owner has to be able to create, for as long as it becomes the owner.
do $$
begin
    execute format('grant usage on schema %I to registry_writer, registry_reader, registry_of_provinces, '
                   'registry_of_channels, registry_of_employer, registry_of_association, registry_scoped', current_schema);
    execute format('grant create on schema %I to registry_writer', current_schema);
    alter function registry_scope_has(bigint, boolean) owner to registry_writer;
    alter function registry_people_named(tsquery) owner to registry_writer;
    execute format('revoke create on schema %I from registry_writer', current_schema);
end $$;
