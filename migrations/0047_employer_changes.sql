-- Changes of employers: name, numbers, risk class and size, each from a day. The row of an employer is what holds today, so
-- that lists, searches and unique numbers go on as they did. Its versions say what holds from which day on, its events who
-- recorded what and why.

create type employer_size as enum ('MICRO', 'SMALL', 'MEDIUM', 'LARGE');
alter table employer
    add column size       employer_size,   -- of the business; null: unknown
    -- The next day on which a recorded change takes effect; null: none does.
    add column changes_on date;
create index employer_to_change on employer (changes_on) where changes_on is not null;

-- What an employer is from a day on. It has the columns of the row and is as public as the row. Employers that never changed
-- have no version. Versions are computed anew from the events when a change is recorded or taken back.
create sequence employer_version_id_seq;
create table employer_version (
    id                bigint        primary key default nextval('employer_version_id_seq'),
    employer_id       bigint        not null references employer,
    valid_from        date,                        -- null: the facts before the first change
    name              text          not null,
    tax_number_index  bytea,
    tax_number_sealed bytea,
    business_number   text,
    risk_class        smallint      not null,
    size              employer_size,
    constraint employer_version_tax_number_whole check ((tax_number_index is null) = (tax_number_sealed is null)),
    constraint employer_version_risk_class check (risk_class between 1 and 5)
);
create unique index employer_version_once on employer_version (employer_id, coalesce(valid_from, '-infinity'));
-- Whether a number will be that of an employer.
create index employer_version_by_tax_number on employer_version (tax_number_index) where tax_number_index is not null;
create index employer_version_by_business_number on employer_version (business_number) where business_number is not null;

-- The history of employers. Only added to, except that the key exchange encrypts the tax numbers anew.
create sequence employer_event_id_seq;
create table employer_event (
    id                bigint      primary key default nextval('employer_event_id_seq'),
    employer_id       bigint      not null references employer,
    effective_on      date        not null,
    details           jsonb       not null,   -- the reason and the changed values, but for tax numbers
    tax_number_before bytea,                  -- encrypted; both null where it did not change
    tax_number_sealed bytea,
    tax_number_index  bytea,
    recorded_by       text        not null,   -- name of the client
    recorded_at       timestamptz not null default clock_timestamp(),
    constraint employer_event_tax_number_whole check ((tax_number_index is null) = (tax_number_sealed is null))
);
create index employer_event_by_employer on employer_event (employer_id, id);

-- An event is taken back once. It stays, and counts as never recorded.
create table employer_event_retraction (
    event_id     bigint      primary key references employer_event,
    reason       text        not null,
    retracted_by text        not null,        -- name of the client
    retracted_at timestamptz not null default clock_timestamp()
);

create function refuse_to_change_an_employer_event() returns trigger language plpgsql as $$
begin
    raise exception 'events of employers can only be added to' using errcode = 'insufficient_privilege';
end $$;
create trigger employer_event_stays
    before update of id, employer_id, effective_on, details, recorded_by, recorded_at or delete or truncate on employer_event
    for each statement execute function refuse_to_change_an_employer_event();
create trigger employer_event_retraction_stays before update or delete or truncate on employer_event_retraction
    for each statement execute function refuse_to_change_an_employer_event();

-- Whether numbers are taken that an employer (null: one that is being registered) shall have: another employer has the number,
-- or will have it. No second transaction asks about the same number until this one ends. Two statements, because the second
-- has to see what the first has waited for.
create function registry_claim_employer_numbers(own bigint, tax_index bytea, business text, today date,
                                                out tax_taken boolean, out business_taken boolean)
    language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock(hashtext('participant_registry.employer_number'), hashtext(n.number))
        from (select v.number from unnest(array[encode(tax_index, 'hex'), business]) as v(number)
              where v.number is not null order by 1) n;
    tax_taken := exists (select from employer e where e.tax_number_index = tax_index and e.id is distinct from own)
        or exists (select from employer_version v where v.tax_number_index = tax_index
                     and v.employer_id is distinct from own and v.valid_from > today);
    business_taken := exists (select from employer e where e.business_number = business and e.id is distinct from own)
        or exists (select from employer_version v where v.business_number = business
                     and v.employer_id is distinct from own and v.valid_from > today);
end $$;

-- Which risk class and size a contribution month goes by, and which changes need a reason. A kind without a rule in force
-- demands nothing.
create table employer_rule (
    code        text primary key,
    kind        text not null,
    valid_from  date not null,
    valid_until date,
    title       text not null,
    constraint employer_rule_kind check (kind in ('MONTH_BY_FIRST_DAY', 'MONTH_BY_LAST_DAY', 'PAST_NEEDS_REASON')),
    constraint employer_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into employer_rule (code, kind, valid_from, title) values
    ('EMPLOYER-MONTH', 'MONTH_BY_FIRST_DAY', '1993-02-27',
     'Ours: a risk class or a size counts from a contribution month, never inside one; not found in a regulation'),
    ('EMPLOYER-PAST', 'PAST_NEEDS_REASON', '1993-02-27',
     'Ours: a change counts from the period in which it is reported; an earlier one is a correction with a reason');

-- Programmes that are mandatory by the size of the business. An enrollment without one of them stays as it is, and covers the
-- person; bills and enrollments name what is missing.
create table business_size_rule (
    code        text          primary key,
    size        employer_size not null,
    segment     segment       not null,
    required    programme[]   not null,
    valid_from  date          not null,
    valid_until date,
    title       text          not null,
    constraint business_size_rule_period check (valid_until is null or valid_until >= valid_from),
    constraint business_size_rule_required check (cardinality(required) > 0)
);
insert into business_size_rule (code, size, segment, required, valid_from, title) values
    ('SIZE-LARGE-2015', 'LARGE', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH,OLD_AGE,PENSION}', '2015-07-01',
     'Perpres 109/2013 Pasal 6(3): large businesses'),
    ('SIZE-MEDIUM-2015', 'MEDIUM', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH,OLD_AGE,PENSION}', '2015-07-01',
     'Perpres 109/2013 Pasal 6(3): medium businesses'),
    ('SIZE-SMALL-2015', 'SMALL', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH,OLD_AGE}', '2015-07-01',
     'Perpres 109/2013 Pasal 6(3): small businesses'),
    ('SIZE-MICRO-2015', 'MICRO', 'WAGE_EARNER', '{WORK_ACCIDENT,DEATH}', '2015-07-01',
     'Perpres 109/2013 Pasal 6(3): micro businesses');

revoke all on employer_version, employer_event, employer_event_retraction, employer_rule, business_size_rule from public;
grant select on employer_version, employer_event, employer_event_retraction, employer_rule, business_size_rule
    to registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
       registry_of_association, registry_scoped;
grant insert, update, delete on employer_version to registry_writer;
grant insert, update on employer_event to registry_writer;
grant insert on employer_event_retraction to registry_writer;
grant usage on sequence employer_version_id_seq, employer_event_id_seq to registry_writer;
create trigger employer_rule_announces after insert or update or delete on employer_rule
    for each statement execute function announce_reference_change();
create trigger business_size_rule_announces after insert or update or delete on business_size_rule
    for each statement execute function announce_reference_change();

-- What an employer is, everybody who sees payers sees. Who changed it and why is for the agency and for the employer itself.
alter table employer_event enable row level security, force row level security;
alter table employer_event_retraction enable row level security, force row level security;
create policy reader on employer_event for select to registry_reader, registry_of_provinces, registry_of_channels using (true);
create policy writer on employer_event to registry_writer using (true);
create policy owner on employer_event to current_user using (true);
create policy of_employer on employer_event for select to registry_of_employer
    using (employer_id = any ((select registry_scope('employer'))::bigint[]));
create policy of_scope on employer_event for select to registry_scoped using (
    num_nonnulls(registry_scope('provinces'), registry_scope('channels'), registry_scope('employer')) > 0
    and (select registry_scope('association')) is null
    and ((select registry_scope('employer')) is null
         or employer_id = any ((select registry_scope('employer'))::bigint[])));
create policy reader on employer_event_retraction for select to registry_reader using (true);
create policy writer on employer_event_retraction to registry_writer using (true);
create policy owner on employer_event_retraction to current_user using (true);
create policy of_event on employer_event_retraction for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from employer_event v where v.id = employer_event_retraction.event_id));
