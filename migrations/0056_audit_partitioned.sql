-- Reads all entries once, beside whoever adds some.
alter table audit_entry validate constraint audit_entry_of_before;

-- From here on requests wait, for the time of a few changes of the catalogue.
do $$
declare
    bound text := (select substring(pg_get_constraintdef(oid) from '[0-9]+') from pg_constraint
                   where conname = 'audit_entry_of_before' and conrelid = 'audit_entry'::regclass);
begin
    alter table audit_entry rename to audit_entry_0;
    alter table audit_entry_0 rename constraint audit_entry_pkey to audit_entry_0_pkey;
    alter index audit_entry_by_transaction rename to audit_entry_0_by_transaction;
    alter index audit_entry_by_client rename to audit_entry_0_by_client;
    alter index audit_entry_by_time rename to audit_entry_0_by_time;
    create table audit_entry (like audit_entry_0 including defaults) partition by range (id);
    alter table audit_entry
        add constraint audit_entry_pkey primary key (id),
        add constraint audit_entry_names_somebody
            check (cardinality(subjects) > 0 or operation like 'onboardingReport %');
    create index audit_entry_by_transaction on audit_entry (transaction, id);
    create index audit_entry_by_client on audit_entry (client, at);
    create index audit_entry_by_time on audit_entry using brin (at);
    -- The indexes of the first partition are those of before.
    execute format('alter table audit_entry attach partition audit_entry_0 for values from (minvalue) to (%s)', bound);
    alter table audit_entry_0 drop constraint audit_entry_of_before;
end $$;

-- Each partition has a trigger of its own, because one of the table does not see statements that name a partition.
create trigger audit_entry_stays before update or delete or truncate on audit_entry
    for each statement execute function refuse_to_unsay();
revoke all on audit_entry from public;
revoke all on audit_entry_0 from public, registry_writer;
grant select, insert (client, role, outcome, operation, purpose, subjects, request_id) on audit_entry to registry_writer;

-- Keeps two empty partitions ahead of the newest entry, and returns how many it has made. Servers call it each hour. A partition
-- is made apart and then attached, so that no request waits.
create function add_audit_partitions() returns integer language plpgsql security definer set search_path from current as $$
declare
    size constant bigint := 10000000;
    made integer := 0;
    next bigint;
    bound bigint;
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('participant_registry.audit_partitions'));
    select last_value into next from audit_entry_id_seq;
    loop
        select max(substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''?([0-9]+)''?\)')::bigint) into bound
            from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit_entry'::regclass;
        exit when bound >= (next / size + 3) * size;
        name := 'audit_entry_' || bound / size;
        execute format('create table %I (like audit_entry including defaults including constraints)', name);
        execute format('create trigger audit_entry_stays before update or delete or truncate on %I
                        for each statement execute function refuse_to_unsay()', name);
        execute format('revoke all on %I from public', name);
        execute format('alter table audit_entry attach partition %I for values from (%s) to (%s)', name, bound, bound + size);
        made := made + 1;
    end loop;
    return made;
end $$;
revoke all on function add_audit_partitions() from public;
grant execute on function add_audit_partitions() to registry_writer;
select add_audit_partitions();

-- Partitions that the owner has detached: the entries with these ids may be absent. Signed like a seal, so that nobody without
-- the installation's key can pass a deletion off as this. After an exchange of the key each is signed again.
create table audit_detachment (
    first_id    bigint      not null,
    before_id   bigint      not null,   -- the first id after it
    entries     bigint      not null,
    detached_at timestamptz not null,
    key_id      bytea       not null,
    signature   bytea       not null,   -- Ed25519
    constraint audit_detachment_pkey primary key (first_id, key_id),
    constraint audit_detachment_form check (0 <= first_id and first_id < before_id and entries > 0
        and length(key_id) = 8 and length(signature) = 64)
);
create trigger audit_detachment_stays before update or delete or truncate on audit_detachment
    for each statement execute function refuse_to_unsay();
revoke all on audit_detachment from public;
grant select, insert on audit_detachment to registry_writer;
