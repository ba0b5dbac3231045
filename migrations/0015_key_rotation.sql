-- The identity key can be exchanged for another one (src/store/rotation.rs). What idempotency keys and inputs are
-- compared by outlives the exchange, because a retry must be answered like the first try: a secret of its own, sealed
-- under the key in force. Null until the registry is opened for the first time after this migration.
alter table installation add column retry_secret bytea;
grant update (key_check, retry_secret) on installation to registry_writer;
