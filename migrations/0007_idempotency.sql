-- What a mutation with an idempotency key did, so that the same key answers the same again. Written in the
-- transaction that did it: there is no moment at which one exists without the other. Kept for 30 days; after that
-- the natural keys still refuse a duplicate.
create table idempotency (
    client      text        not null,   -- a key belongs to one client and one operation
    operation   text        not null,
    key         text        not null,
    fingerprint bytea       not null,   -- keyed digest of the canonical input
    outcome     jsonb       not null,   -- ids and codes, never the input
    created_at  timestamptz not null default now(),
    constraint idempotency_pkey primary key (client, operation, key),
    constraint idempotency_key_length check (length(key) between 16 and 255)
);
create index idempotency_by_age on idempotency (created_at);
