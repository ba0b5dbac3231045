-- The fold gives the current counters of the country another version with each change. A process that holds the counters of a
-- version in memory reads the version together with the deltas, in one statement, and so knows whether both belong together.
-- Random and not a number: a database that was restored and continued never has a version of another continuation.
create table figure_version (
    version   uuid    not null default gen_random_uuid(),
    is_single boolean primary key default true,
    constraint figure_version_is_single check (is_single)
);
insert into figure_version default values;
grant select on figure_version to registry_reader, registry_writer;
grant update (version) on figure_version to registry_writer;

-- Processes that use the counters read them when they are exchanged, so that mostly no request has to.
create function announce_fold() returns trigger language plpgsql as $$
begin
    perform pg_notify('figures_folded', '');
    return null;
end $$;
create trigger figure_version_announces after update on figure_version
    for each row execute function announce_fold();
