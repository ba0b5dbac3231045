-- A cluster changes its tables, and then makes a function, over one connection to each worker. Elsewhere nobody reads this setting.
set local citus.multi_shard_modify_mode to 'sequential';

-- Reads all events once, beside whoever adds some. In a block like all that changes the table, because a cluster passes each statement
-- on to the workers by itself.
do $$ begin
    alter table participant_event validate constraint participant_event_of_before;
end $$;

-- From here on requests wait, for the time of a few changes of the catalogue.
do $$
declare
    bound text := (select substring(pg_get_constraintdef(oid) from '[0-9]+') from pg_constraint
                   where conname = 'participant_event_of_before' and conrelid = 'participant_event'::regclass);
    -- As they are: a cluster has other policies than one database.
    own text[] := array(
        select format('create policy %I on participant_event for %s to %s using (%s)', polname,
                      case polcmd when 'r' then 'select' else 'all' end,
                      array_to_string(array(select quote_ident(rolname) from pg_roles where oid = any(polroles)), ', '),
                      pg_get_expr(polqual, polrelid))
        from pg_policy where polrelid = 'participant_event'::regclass order by oid);
    -- Policies of other tables that ask this one.
    others text[] := array(
        select format('alter policy %I on %s using (%s)', polname, polrelid::regclass, pg_get_expr(polqual, polrelid))
        from pg_policy p
        where polrelid <> 'participant_event'::regclass
          and exists (select from pg_depend where classid = 'pg_policy'::regclass and objid = p.oid
                                              and refobjid = 'participant_event'::regclass));
    name text;
    statement text;
begin
    -- In the order of those who write people.
    lock table participant in share row exclusive mode;
    lock table participant_event, former_number, event_retraction in access exclusive mode;
    foreach name in array array(select polname::text from pg_policy where polrelid = 'participant_event'::regclass) loop
        execute format('drop policy %I on participant_event', name);
    end loop;
    alter table participant_event rename to participant_event_0;
    -- By the index, because a cluster renames no constraint.
    alter index participant_event_pkey rename to participant_event_0_pkey;
    create table participant_event (like participant_event_0 including defaults) partition by range (id);
    alter table participant_event
        add constraint participant_event_pkey primary key (participant_id, id),
        enable row level security, force row level security;
    foreach statement in array own || others loop
        execute statement;
    end loop;
    -- On a cluster the rows stay on the workers where they are.
    if exists (select from pg_extension where extname = 'citus') then
        if exists (select from pg_dist_partition where logicalrelid = 'participant_event_0'::regclass) then
            perform create_distributed_table('participant_event', 'participant_id', colocate_with => 'participant');
        end if;
    end if;
    alter table participant_event
        add constraint participant_event_participant_id_fkey foreign key (participant_id) references participant;
    -- The index and the foreign key of the first partition are those of before.
    execute format('alter table participant_event attach partition participant_event_0 for values from (minvalue) to (%s)',
                   bound);
    alter table participant_event_0 drop constraint participant_event_of_before, no force row level security;
end $$;

-- The rights and policies of the table decide. Nobody but the owner reaches a partition by its name: it grants nothing, and its
-- row security shows nothing.
do $$ begin
    revoke all on participant_event from public;
    revoke all on participant_event_0 from public, registry_writer, registry_reader, registry_of_provinces,
        registry_of_channels, registry_of_employer, registry_of_association, registry_scoped;
    grant select on participant_event to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
        registry_of_employer, registry_of_association, registry_scoped;
    grant insert on participant_event to registry_writer;
end $$;

-- Keeps two empty partitions ahead of the newest event, and returns how many it has made. Servers call it each hour, and where an
-- event finds no partition. A partition is made apart and then attached, so that readers do not wait. Attaching waits for those
-- who write people, because of the foreign key.
create function add_event_partitions() returns integer language plpgsql security definer set search_path from current
    set lock_timeout = '2s' as $$
declare
    size constant bigint := 1000000000;
    made integer := 0;
    next bigint;
    bound bigint;
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('participant_registry.event_partitions'));
    select last_value into next from participant_event_id_seq;
    loop
        -- Ids up to here have a partition, or had one that is detached.
        select max(before_id) into bound from (
            select substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''?([0-9]+)''?\)')::bigint as before_id
            from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'participant_event'::regclass
            union all select before_id from event_detachment) known;
        exit when bound >= (next / size + 3) * size;
        name := 'participant_event_' || bound / size;
        execute format('create table %I (like participant_event including defaults)', name);
        execute format('alter table %I enable row level security', name);
        execute format('revoke all on %I from public', name);
        execute format('alter table participant_event attach partition %I for values from (%s) to (%s)',
                       name, bound, bound + size);
        made := made + 1;
    end loop;
    return made;
end $$;
revoke all on function add_event_partitions() from public;
grant execute on function add_event_partitions() to registry_writer;

-- Partitions that the owner has detached: the events with these ids are not in the history of people, as long as the partition is
-- not attached again. Readers of a history look here, so that no answer is short without saying so.
create table event_detachment (
    first_id       bigint      not null,
    before_id      bigint      not null,   -- the first id after it
    partition      text        not null,   -- the name of its table
    events         bigint      not null,
    recorded_until timestamptz not null,   -- when the newest of its events was recorded
    detached_at    timestamptz not null default clock_timestamp(),
    detached_by    text        not null default session_user,   -- a login of the database
    attached_at    timestamptz,            -- when it was attached again
    attached_by    text,
    constraint event_detachment_form check (0 <= first_id and first_id < before_id and events > 0),
    constraint event_detachment_attached check ((attached_at is null) = (attached_by is null))
);
create unique index event_detachment_once on event_detachment (first_id) where attached_at is null;
create trigger event_detachment_announces after insert or update or delete on event_detachment
    for each statement execute function announce_reference_change();
revoke all on event_detachment from public;
grant select on event_detachment to registry_writer;

select add_event_partitions();
