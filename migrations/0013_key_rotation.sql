-- The identity key can be exchanged for another one (src/store/rotation.rs). What idempotency keys and inputs are
-- compared by outlives the exchange, because a retry must be answered like the first try: a secret of its own, sealed
-- under the key in force. Null until the registry is opened for the first time after this migration.
alter table installation add column retry_secret bytea;
grant update (key_check, retry_secret) on installation to registry_writer;

-- The audit trail is signed with a key derived from the identity key, so it is exchanged with it. The key that takes over
-- signs for the one before: whose seals hold, up to which one, and what that one's hash is. What somebody who has the
-- old key could still sign is worth nothing after that.
create table audit_key (
    public_key  bytea       primary key,   -- Ed25519, of the key that signs no more
    last_seal   bigint      not null,      -- the last one that it signed; 0: none
    last_hash   bytea       not null,      -- its hash; zeros for none
    endorsed_by bytea       not null,      -- public key of the one that took over
    endorsement bytea       not null,      -- its signature of all of that
    endorsed_at timestamptz not null default now(),
    constraint audit_key_form check (last_seal >= 0 and length(public_key) = 32 and length(last_hash) = 32
        and length(endorsed_by) = 32 and length(endorsement) = 64)
);
create trigger audit_key_stays before update or delete or truncate on audit_key
    for each statement execute function refuse_to_unsay();
revoke all on audit_key from public;
grant select, insert on audit_key to registry_writer;
