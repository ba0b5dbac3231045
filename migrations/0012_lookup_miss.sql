-- Lookups by number that found nobody whom the client may see, in the hour that runs: one row for each client, so that a
-- quota holds across processes and restarts. The next hour overwrites the last one.
create table lookup_miss (
    client text        primary key,     -- name of the client
    hour   timestamptz not null,        -- its beginning, by the clock of the database
    misses bigint      not null check (misses > 0)
);
revoke all on lookup_miss from public;
grant select, insert, update on lookup_miss to registry_writer;
