-- Who saw a person is found by an index that is built when entries are sealed, and not when they are written. As a page of
-- two hundred people adds two hundred items to an index of all people, the index of 0011 took more time than everything
-- else that PostgreSQL does for the page.

-- A segment indexes the entries of consecutive seals. Segments follow each other without a gap; small ones are merged. The
-- entries behind the last one are found by a scan: those of the last seconds, and after this migration those of before,
-- until they are indexed too.
create table audit_segment (
    first_seal bigint primary key,
    last_seal  bigint not null,
    pairs      bigint not null,   -- of person and entry
    constraint audit_segment_last_seal_key unique (last_seal),
    constraint audit_segment_form check (0 < first_seal and first_seal <= last_seal and pairs >= 0)
);
-- The pairs of a segment in the order of people, in blocks: see src/store/audit/postings.rs. All entries of the segment that
-- name a person are in one block.
create table audit_posting (
    first_seal    bigint not null,   -- of the segment
    first_subject bigint not null,   -- the lowest person of the block
    postings      bytea  not null,
    primary key (first_seal, first_subject)
);
-- It is packed already.
alter table audit_posting alter column postings set storage external;

-- The index is derived: it can be deleted, and is built again. `registry audit verify` compares it with the entries.
revoke all on audit_segment, audit_posting from public;
grant select, insert, delete on audit_segment, audit_posting to registry_writer;

-- The index of 0011 serves the entries of before until they are indexed anew; then the registry drops it, as the owner. The
-- lock of the table is asked for briefly, because requests wait behind it.
create function drop_audit_entry_by_subject() returns void language plpgsql security definer
    set search_path from current set lock_timeout = '200ms' as $$
begin
    drop index if exists audit_entry_by_subject;
end $$;
revoke all on function drop_audit_entry_by_subject() from public;
grant execute on function drop_audit_entry_by_subject() to registry_writer;

do $$
begin
    if not exists (select from audit_entry) then
        drop index audit_entry_by_subject;
    end if;
end $$;
