-- Foreigners without an identity number are identified by a passport.
alter table participant
    add column passport_number bytea,        -- sealed like the identity number
    -- Not compared with the rows of before: all of them have an identity number.
    add constraint participant_identified check (num_nonnulls(national_id, passport_number) > 0) not valid;

-- The same file is found by its digest, or by the one that its sender announced.
alter table onboarding_batch add column same_file_as bigint references onboarding_batch;
create index onboarding_batch_by_digest on onboarding_batch (digest) where digest is not null;
create index onboarding_batch_by_sha256 on onboarding_batch (sha256) where sha256 is not null;
