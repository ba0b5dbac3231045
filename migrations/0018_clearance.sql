-- May this company have its licence? Rules with dates and articles, and every answer that was given.

create type clearance_ground as enum ('CLEARED', 'STATE_BODY', 'NO_WORKERS_YET', 'NOT_REGISTERED', 'PARTIAL_WORKERS',
    'ARREARS');
create type licence_decision as enum ('CLEAR', 'CLEAR_NO_WORKERS_YET', 'NOT_REGISTERED', 'PARTIAL_WORKERS', 'ARREARS');

-- What a licence is given or refused for. A ground without a rule in force refuses nobody and excuses nobody.
create table clearance_rule (
    code        text             primary key,
    ground      clearance_ground not null,
    -- PARTIAL_WORKERS: hundredths of the declared workers that have to be registered at least.
    -- ARREARS: hundredths of the registered workers that may be in arrears at most.
    percent     smallint,
    valid_days  smallint         not null,   -- how long such an answer holds
    valid_from  date             not null,
    valid_until date,
    title       text             not null,
    constraint clearance_rule_percent check (coalesce(percent, 0) between 0 and 100
        and (percent is not null) = (ground in ('PARTIAL_WORKERS', 'ARREARS'))),
    constraint clearance_rule_days check (valid_days between 0 and 366),
    constraint clearance_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into clearance_rule (code, ground, percent, valid_days, valid_from, title) values
    ('LIC-CLEARED', 'CLEARED', null, 7, '2013-12-24',
     'Agency, October 2014: licences go to companies that are participants; the days of validity are ours'),
    ('LIC-STATE-BODY', 'STATE_BODY', null, 7, '2013-12-24',
     'PP 86/2013: refusing public services is a sanction on employers other than the state'),
    ('LIC-NO-WORKERS-YET', 'NO_WORKERS_YET', null, 7, '2013-12-24',
     'Ours: a new company needs its licence before it has workers; asked again when the days of validity are over'),
    ('LIC-NOT-REGISTERED', 'NOT_REGISTERED', null, 7, '2013-12-24',
     'PP 86/2013 Pasal 5(2): an employer that does not register its workers may be refused public services'),
    ('LIC-PARTIAL', 'PARTIAL_WORKERS', 90, 7, '2013-12-24',
     'PP 86/2013 Pasal 5(2); South Sumatra, 2015: also an employer that registers only a part. The share is ours'),
    ('LIC-ARREARS', 'ARREARS', 0, 7, '2013-12-24',
     'PP 86/2013 Pasal 5(2), where contributions are not paid within the grace. The share is ours');

-- The licences that can be asked for: those public services that PP 86/2013 names, by what desks call them.
create table licence_rule (
    code        text primary key,
    valid_from  date not null,
    valid_until date,
    title       text not null,
    constraint licence_rule_code check (code ~ '^[A-Z0-9-]{2,32}$'),
    constraint licence_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into licence_rule (code, valid_from, title) values
    ('SIUP', '2013-12-24', 'PP 86/2013: business licences; trading licence (SIUP)'),
    ('TDP', '2013-12-24', 'PP 86/2013: business licences; company registration certificate (TDP)'),
    ('SITU', '2013-12-24', 'PP 86/2013: business licences; permit of the place of business (SITU)'),
    ('NIB', '2018-06-21', 'PP 86/2013: business licences; business number (NIB), PP 24/2018. The day is recalled'),
    ('TENDER', '2013-12-24', 'PP 86/2013: permit to take part in project tenders'),
    ('FOREIGN-WORKERS', '2013-12-24', 'PP 86/2013: permit to employ foreign workers'),
    ('LABOUR-SUPPLY', '2013-12-24', 'PP 86/2013: licence of a company that supplies labour'),
    ('IMB', '2013-12-24', 'PP 86/2013: building permit (IMB)');

-- Every answer, as it was given: the words and the articles are kept, because rules change and appeals come later.
create table clearance (
    number             text             primary key,   -- 95 random bits and a check character, without hyphens
    answered_at        timestamptz      not null,
    valid_until        timestamptz      not null,
    as_of              date             not null,      -- the day that was asked about
    asked_by           text             not null,      -- name of the client
    asked_role         client_role      not null,
    request_id         uuid             not null,
    asked_number       text             not null,      -- as it was asked for: a tax number masked, a business number whole
    licence_type       text             not null,
    decision           licence_decision not null,
    reasons            jsonb            not null,      -- citations
    next_step          text             not null,      -- in the language of the one who asked
    -- The figures behind it. Of a company that counts as not registered the answer tells none of them, so that it is
    -- the answer to an unknown company; here they stand.
    employer_id        bigint,
    employer_name      text,
    declared_headcount integer,
    registered_workers bigint           not null,
    active_workers     bigint           not null,
    workers_in_arrears bigint           not null,
    paid_through       date,
    recorded_at        timestamptz      not null default clock_timestamp(),
    constraint clearance_number check (number ~ '^[0-9A-HJKMNP-TV-Z]{20}$'),
    constraint clearance_of_somebody check ((employer_id is null) = (employer_name is null)
        and (employer_id is not null or decision = 'NOT_REGISTERED')),
    constraint clearance_workers check (registered_workers >= active_workers + workers_in_arrears
        and least(active_workers, workers_in_arrears) >= 0)
);
-- "What did we answer about this company?"
create index clearance_by_employer on clearance (employer_id, answered_at) where employer_id is not null;

create function refuse_to_change_an_answer() returns trigger language plpgsql as $$
begin
    raise exception 'answers about licences can only be added to' using errcode = 'insufficient_privilege';
end $$;
create trigger clearance_stays before update or delete or truncate on clearance
    for each statement execute function refuse_to_change_an_answer();

revoke all on clearance from public;
grant select, insert on clearance to registry_writer;
grant select on clearance_rule, licence_rule to registry_writer, registry_reader, registry_of_provinces,
    registry_of_channels, registry_of_employer, registry_of_association, registry_scoped;
create trigger clearance_rule_announces after insert or update or delete on clearance_rule
    for each statement execute function announce_reference_change();
create trigger licence_rule_announces after insert or update or delete on licence_rule
    for each statement execute function announce_reference_change();
