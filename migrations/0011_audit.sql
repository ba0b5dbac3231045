-- Evidence: who read or changed whose data. One entry for each request that did, and seals that show any tampering.
-- An entry names people by their internal ids and holds nothing else of them.

create type audit_outcome as enum ('READ', 'WRITTEN');

create sequence audit_entry_id_seq;
create table audit_entry (
    -- The transaction that wrote it. Entries are sealed in the order of (transaction, id), and only when no transaction
    -- is left that could still add one ahead of them; so nobody waits for a seal, and no seal has to be changed.
    transaction xid8          not null default pg_current_xact_id(),
    id          bigint        primary key default nextval('audit_entry_id_seq'),
    at          timestamptz   not null default clock_timestamp(),
    client      text          not null,
    role        client_role   not null,
    outcome     audit_outcome not null,
    operation   text          not null,   -- root fields of the request, in the order of the alphabet
    purpose     text,                     -- as the client said
    subjects    bigint[]      not null,   -- participants, in the order of id, each once
    request_id  uuid          not null,
    constraint audit_entry_names_somebody check (cardinality(subjects) > 0)
);
-- For the sealer and for whoever verifies.
create index audit_entry_by_transaction on audit_entry (transaction, id);
-- "Whom did this client see?"
create index audit_entry_by_client on audit_entry (client, at);
-- "Who saw this person?" An inverted index, and not a table of pairs: a page of fifty people would add fifty rows and
-- touch fifty leaves of a B-tree of all people. This one gathers what is new and merges it in bulk, and keeps an entry's
-- place in a few bytes. It is read seldom and written always.
create index audit_entry_by_subject on audit_entry using gin (subjects);
-- Entries lie in the order of time, or nearly: a day is found by a few bytes for each stretch of the table.
create index audit_entry_by_time on audit_entry using brin (at);

create table audit_seal (
    number           bigint      primary key,   -- 1, 2, 3, … without a gap
    sealed_at        timestamptz not null,
    last_transaction xid8        not null,      -- the last entry that it covers; it begins behind the last one of the
    last_id          bigint      not null,      -- seal before
    leaves           bytea       not null,      -- of each entry in order: id (8 bytes) and SHA-256 (32 bytes)
    previous         bytea       not null,      -- hash of the seal before; zeros for the first
    hash             bytea       not null,      -- SHA-256 of all of the above
    key_id           bytea       not null,      -- digest of the public key
    signature        bytea       not null,      -- Ed25519, of the hash
    constraint audit_seal_form check (number > 0 and length(leaves) > 0 and length(leaves) % 40 = 0
        and length(previous) = 32 and length(hash) = 32 and length(key_id) = 8 and length(signature) = 64)
);

-- What is written stays, also for the owner: whoever wants to change it has to take the trigger away first, and the seals
-- show what was done then.
create function refuse_to_unsay() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail can only be added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_entry_stays before update or delete or truncate on audit_entry
    for each statement execute function refuse_to_unsay();
create trigger audit_seal_stays before update or delete or truncate on audit_seal
    for each statement execute function refuse_to_unsay();

-- Id, time and transaction are always the database's own. No actor's role reads any of it.
revoke all on audit_entry, audit_seal from public;
grant select, insert (client, role, outcome, operation, purpose, subjects, request_id) on audit_entry to registry_writer;
grant select, insert on audit_seal to registry_writer;
grant usage on sequence audit_entry_id_seq to registry_writer;
