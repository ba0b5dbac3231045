-- Onboardings that take longer than a request: a file of any size is received, judged, approved by somebody else and then
-- applied by a worker, chunk by chunk, each chunk in one transaction with its checkpoint.

alter table onboarding_batch
    alter column digest drop not null,                -- null until the file is there
    add column plan_only        boolean not null default false,  -- waits for somebody else to approve the plan
    add column sha256           bytea,                -- of the file, as its sender announced it
    add column columns          text[],               -- header of the file as it came; null: the fields of the API
    add column separator        text not null default ',',       -- of the file, for the report of failed rows
    add column planned          boolean not null default false,  -- its rows have an outcome or wait for one: see onboarding_row
    add column plan_digest      bytea,                -- of exactly what would be done, from AWAITING_APPROVAL on
    add column plan_chain       bytea,                -- the digest so far, while it is made
    add column repeated         bytea,                -- sealed: rows that repeat a number of an earlier row
    add column next_row         integer not null default 1,      -- checkpoint: the first row that the worker has not done
    add column epoch            bigint  not null default 0,      -- who writes says under which epoch; a newer one ends it
    add column leased_until     timestamptz,          -- until then a worker has it; by the database's clock
    add column served_at        timestamptz,          -- when a worker last let go of it: who waits longest comes next
    add column problems         jsonb,                -- what stopped it as a whole
    add column cancelled_by     text,
    add column cancel_reason    text,
    add constraint onboarding_batch_next_row check (next_row > 0),
    add constraint onboarding_batch_sha256 check (length(sha256) = 32),
    -- Maker is not checker.
    add constraint onboarding_batch_approved_by_another check (approved_by <> submitted_by);

-- What workers look for; a handful of rows, whatever the size of the table.
create index onboarding_batch_under_way on onboarding_batch (served_at nulls first, id)
    where state in ('VALIDATING', 'APPLYING');

-- Rows as they were sent, until they have their outcome: some thousand together under one seal, because they hold identity
-- numbers. A row that is enrolled is taken out in the transaction that enrolls it; rows that are refused stay for the
-- report. Not per row: a seal, a tuple and an entry of an index for each would be written for nothing, as nobody looks for
-- a single one.
create table onboarding_chunk (
    batch_id  bigint  not null,
    first_row integer not null,   -- number of its first row
    rows      integer not null,   -- how many numbers it covers, whether they are still in it or not
    sealed    bytea   not null,   -- AES-256-GCM, bound to batch and first row; see src/store/onboarding/staging.rs
    constraint onboarding_chunk_pkey primary key (batch_id, first_row),
    constraint onboarding_chunk_size check (first_row > 0 and rows > 0)
);
-- Sealed bytes do not shrink: no time is spent on trying.
alter table onboarding_chunk alter column sealed set storage external;

-- No reader's role reads any of it; the report is read by the registry, after the batch was found within the scope.
alter table onboarding_chunk enable row level security, force row level security;
create policy writer on onboarding_chunk to registry_writer using (true);
do $$
begin
    execute 'create policy owner on onboarding_chunk to current_user using (true)';
end $$;
grant select, insert, update, delete on onboarding_chunk to registry_writer;
-- A plan that would have told too much of people whom its sender may not see is taken back before anybody has seen it.
grant delete on onboarding_row to registry_writer;
