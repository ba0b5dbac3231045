-- The report of refused rows shows what was sent of people whom the registry does not know by an id: its entry names nobody,
-- and says in `operation` which batch it was and how many rows: `onboardingReport YjE rows=96`. Every other entry names
-- somebody, as before. Validated by the next migration, so that nobody waits while all entries are read.
alter table audit_entry
    drop constraint audit_entry_names_somebody,
    add constraint audit_entry_names_somebody
        check (cardinality(subjects) > 0 or operation like 'onboardingReport %') not valid;

-- How many onboardings of a client have not ended: each keeps its rows on the disk, so that a client may have so many. A handful
-- of entries, whatever the size of the table.
create index onboarding_batch_not_ended on onboarding_batch (submitted_by) where finished_at is null;
