-- The fold deletes deltas, and deleted rows stay in the table until PostgreSQL vacuums it, at most once a minute. Readers of the
-- counters read these rows too: after 11,000 enrollments 206 pages, which took longer than the rest of the statement.
--
-- Each delta has its transaction now. The fold says below which transaction all deltas are folded: below the oldest one that
-- was under way when it read the deltas. Readers begin there, in the index.

-- In the order of a reader of the country, which would wait for the second table with the first one in use.
lock table figure_version, count_delta in access exclusive mode;
alter table count_delta
    -- No publication of all tables can name the deleted rows by a primary key.
    replica identity full,
    drop column id,
    add column written_by xid8 not null default pg_current_xact_id();
drop sequence if exists count_delta_id_seq;
create index count_delta_by_transaction on count_delta (written_by);
-- Readers begin at the mark and find few deltas there, so this index would only make each insert dearer.
drop index count_delta_by_channel;

alter table figure_version add column folded_below xid8 not null default '0';
grant update (folded_below) on figure_version to registry_writer;
grant select on figure_version to registry_of_provinces, registry_of_channels, registry_scoped;
drop trigger figure_version_announces on figure_version;
create trigger figure_version_announces after update on figure_version
    for each row when (old.version <> new.version) execute function announce_fold();

-- The deltas that are not folded yet. A restored dump has the mark of a server whose transactions had larger numbers: it counts for
-- nothing, and the next fold replaces it. The upper bound tells the planner that these are few.
create view unfolded_delta with (security_invoker = true) as
    select province_id, channel_id, employer_id, association_id, status, persons, effective_on, standing
    from count_delta
    where written_by between
        (select case when folded_below <= pg_snapshot_xmax(pg_current_snapshot()) then folded_below else '0' end
         from figure_version)
        and '18446744073709551615'::xid8;
grant select on unfolded_delta
    to registry_reader, registry_writer, registry_of_provinces, registry_of_channels, registry_scoped;

-- A connection keeps a plan, and for an empty table that would be to read all of it. So the table is given ninety pages, and a
-- vacuum never gives them back.
alter table count_delta set (vacuum_truncate = off);
insert into count_delta (province_id, channel_id, employer_id, status, persons)
    select 0, 0, 0, 'ENDED', 0 from generate_series(1, 10000);
delete from count_delta where (province_id, channel_id, employer_id, persons) = (0, 0, 0, 0);
analyze count_delta, figure_version;
