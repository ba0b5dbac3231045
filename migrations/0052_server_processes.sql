-- The processes that serve this database, and what each has counted of its clients. A process writes its own rows once a second
-- and reads those of the others, so that a client has one rate limit and one limit of sockets, whichever process answers it. No
-- request reads or writes these tables.
--
-- Unlogged: nothing of this is worth a write to the disk. After a crash or a failover the tables are empty, and each process
-- registers again within a second.
create unlogged table server_process (
    id         uuid        primary key,             -- made at each start
    started_at timestamptz not null default now(),
    renewed_at timestamptz not null                 -- by the clock of the database; a process that does not renew is dead
);

create unlogged table client_use (
    process_id uuid        not null references server_process on delete cascade,
    client_id  bigint      not null,                -- of `client`; no key, because the process has authenticated it
    points     bigint      not null,                -- points that the client has spent in this process since it started
    sockets    integer     not null,                -- sockets that it has open there
    changed_at timestamptz not null,
    primary key (process_id, client_id)
) with (fillfactor = 50);                           -- a row changes every second: its next version finds room beside it

revoke all on server_process, client_use from public;
grant select, insert, update, delete on server_process, client_use to registry_writer;
