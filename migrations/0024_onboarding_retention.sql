-- What nobody waits for any more ends, and rows as they were sent are not kept for ever.

alter table onboarding_batch
    add column dry_run      boolean not null default false,  -- only tried: its plan is its end, and nobody can approve it
    add column discarded_at timestamptz,               -- its rows as they were sent are gone since, and with them the report
    -- Whatever becomes of the one who tries: there is no way from a trial to an enrollment.
    add constraint onboarding_batch_dry_run
        check (not dry_run or (plan_only and state in ('RECEIVING', 'VALIDATING', 'CANCELLED', 'FAILED')));

-- What the hourly chore looks for: a handful of rows each, whatever the size of the table.
create index onboarding_batch_unfinished on onboarding_batch (submitted_at) where finished_at is null;
create index onboarding_batch_with_rows on onboarding_batch (finished_at)
    where finished_at is not null and discarded_at is null;
