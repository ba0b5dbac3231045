-- May this company have its licence? Every answer is kept under the number of its certificate, as it was given.

create type licence_decision as enum ('CLEAR', 'CLEAR_NO_WORKERS_YET', 'NOT_REGISTERED', 'PARTIAL_WORKERS', 'ARREARS');

-- What a decision is based on, and what follows from it: by the day that is asked about.
create table clearance_rule (
    code          text             primary key,
    decision      licence_decision not null,
    -- Of PARTIAL_WORKERS: the share of the declared workers that has to be registered, in millionths.
    minimum_share integer,
    -- Days that an answer with this decision holds; of several rules the fewest.
    valid_days    smallint         not null,
    valid_from    date             not null,
    valid_until   date,
    title         text             not null,
    constraint clearance_rule_period check (valid_until is null or valid_until >= valid_from),
    constraint clearance_rule_days check (valid_days between 1 and 366),
    constraint clearance_rule_share check ((minimum_share is not null) = (decision = 'PARTIAL_WORKERS')
        and minimum_share between 1 and 1000000)
);
insert into clearance_rule (code, decision, minimum_share, valid_days, valid_from, title) values
    ('LICENCE-CLEAR', 'CLEAR', null, 7, '2013-12-24', 'PP 86/2013 Pasal 5(2): no denial of public services; how long an answer holds is ours'),
    ('LICENCE-NEW', 'CLEAR_NO_WORKERS_YET', null, 30, '2013-12-24', 'Ours: a company without workers has nobody to register, and is asked again'),
    ('LICENCE-PARTICIPANT', 'NOT_REGISTERED', null, 7, '2014-10-02', 'Agency, 2 October 2014: licences are for companies that are participants already'),
    ('LICENCE-DENIAL', 'NOT_REGISTERED', null, 7, '2013-12-24', 'PP 86/2013 Pasal 5(2): denial of public services, business licences among them'),
    ('LICENCE-ALL-WORKERS', 'PARTIAL_WORKERS', 1000000, 7, '2013-12-24', 'PP 86/2013 Pasal 5(2); South Sumatra, 2015: also for firms that register only half of their workers'),
    ('LICENCE-ARREARS', 'ARREARS', null, 7, '2013-12-24', 'PP 86/2013 Pasal 5(2); arrears by the rule of grace');
create trigger clearance_rule_announces after insert or update or delete on clearance_rule
    for each statement execute function announce_reference_change();

create table clearance (
    number             text             primary key,   -- of the certificate; nobody can guess one
    answered_at        timestamptz      not null default now(),
    valid_until        timestamptz      not null,
    asked_by           text             not null,
    asked_for          bytea            not null,       -- keyed digest of the number that was asked for
    licence_type       text             not null,
    as_of              date             not null,
    decision           licence_decision not null,
    reasons            jsonb            not null,       -- the rules as they stood
    next_step          text             not null,
    employer_id        bigint           references employer,  -- null also of a company that is there and counts as not registered
    employer_name      text,
    declared_headcount integer,
    registered_workers bigint           not null,
    active_workers     bigint           not null,
    paid_through       date,
    constraint clearance_tells_nothing_of_the_unregistered check (decision <> 'NOT_REGISTERED'
        or num_nonnulls(employer_id, employer_name, declared_headcount, paid_through) = 0)
);
-- Kept as given: there is no right to change one.
revoke all on clearance from public;
grant select on clearance_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
grant select, insert on clearance to registry_writer;
