-- Monthly lists: all people of a payer in one month, compared with those who are registered with it. They come on the road of
-- the rosters: received, planned, approved by somebody else, applied chunk by chunk.

create type onboarding_kind as enum ('ROSTER', 'MONTHLY_LIST');
create type list_change as enum ('JOINS', 'LEAVES', 'WAGE_CHANGES', 'MOVED', 'UNCHANGED', 'ELSEWHERE', 'PROBLEM', 'ABSENT');

alter table onboarding_batch
    add column kind          onboarding_kind not null default 'ROSTER',
    add column month         date,          -- of a monthly list: its first day
    add column list_summary  jsonb,         -- rows by change, and what is due before and after; grows while it is planned
    add column planned_from  timestamptz,   -- when its plan began to look at the registry
    add column applying_from timestamptz,   -- when it began to be applied
    -- What the approver decided for absent people: from which day their enrollments are ended, and why. Null: nothing.
    add column absent_on     date,
    add column absent_reason end_reason,
    add constraint onboarding_batch_month check ((month is not null) = (kind = 'MONTHLY_LIST')
        and extract(day from month) = 1),
    add constraint onboarding_batch_absent check ((absent_on is null) = (absent_reason is null)
        and (absent_on is null or kind = 'MONTHLY_LIST'));

-- A payer has one list at a time that is applied: of two that are approved at once, one wins.
create unique index onboarding_batch_one_list on onboarding_batch (employer_id, association_id, segment, category)
    nulls not distinct where kind = 'MONTHLY_LIST' and state = 'APPLYING';
-- The lists of a payer that were applied, for the question whether a newer one is among them.
create index onboarding_batch_lists on onboarding_batch (employer_id, association_id, month)
    where kind = 'MONTHLY_LIST' and applying_from is not null;

alter table onboarding_row
    add column change      list_change,     -- what the row of a monthly list is; null in a roster
    -- Who has the number of the row, if that person is registered with the payer: also where the row is refused. Never shown;
    -- it tells who is not in the list.
    add column listed_id   bigint,
    add column wage_before bigint,          -- whole rupiah, where the row changes the wage
    add column wage_after  bigint;

-- People who are registered with the payer and are not in its list.
create table onboarding_absent (
    batch_id       bigint  not null references onboarding_batch,
    participant_id bigint  not null,
    enrollment_id  bigint  not null,
    ends           boolean not null default false,   -- the approver named this person, or all
    ended          boolean,                          -- null: not yet, or not asked for; false: the registry has changed since
    constraint onboarding_absent_pkey primary key (batch_id, participant_id),
    constraint onboarding_absent_ended check (ends or ended is null)
);
alter table onboarding_absent enable row level security, force row level security;
create policy reader on onboarding_absent for select to registry_reader using (true);
create policy writer on onboarding_absent to registry_writer using (true);
do $$
begin
    execute 'create policy owner on onboarding_absent to current_user using (true)';
end $$;
create policy of_batch on onboarding_absent for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from onboarding_batch b where b.id = onboarding_absent.batch_id));
revoke all on onboarding_absent from public;
grant select on onboarding_absent to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
grant insert, update, delete on onboarding_absent to registry_writer;

-- By how much a wage may fall from one list to the next before the approver is shown it.
create table wage_fall_rule (
    code        text     primary key,
    percent     smallint not null,     -- hundredths of the wage before
    valid_from  date     not null,
    valid_until date,
    title       text     not null,
    constraint wage_fall_rule_percent check (percent between 0 and 100),
    constraint wage_fall_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into wage_fall_rule (code, percent, valid_from, title) values
    ('WAGE-FALL', 20, '1993-02-27', 'Ours: a wage that falls by more than a fifth is shown to whoever approves the list');
revoke all on wage_fall_rule from public;
grant select on wage_fall_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
create trigger wage_fall_rule_announces after insert or update or delete on wage_fall_rule
    for each statement execute function announce_reference_change();
