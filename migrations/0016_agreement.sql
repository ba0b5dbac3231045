-- What provincial governments have agreed to, what the agency wants to reach, and what others have published.
--
-- Small tables, kept in memory with the other reference data and read by everybody. Append-only: an agreement that
-- changes gets a further state, and the newest one counts.

create type agreement_status as enum ('PLANNED', 'SIGNED', 'IN_FORCE', 'SUSPENDED', 'EXPIRED', 'TERMINATED');
create type agreement_scope as enum ('CIVIL_SERVANTS', 'NON_CIVIL_SERVANT_STAFF', 'FORMAL_WORKERS', 'INFORMAL_WORKERS',
    'CONSTRUCTION_WORKERS', 'LICENSING');

-- The cooperation of a provincial government, by its number.
create sequence agreement_id_seq;
create table agreement (
    id          bigint   primary key default nextval('agreement_id_seq'),
    number      text     not null,
    province_id smallint not null references province,
    constraint agreement_number_key unique (number)
);

-- What was recorded of it, and when. Days of law, not of recording: `valid_until` is the last day.
create sequence agreement_state_id_seq;
create table agreement_state (
    id           bigint            primary key default nextval('agreement_state_id_seq'),
    agreement_id bigint            not null references agreement,
    status       agreement_status  not null,
    signed_on    date,
    valid_from   date,
    valid_until  date,                               -- null: until further notice
    scopes       agreement_scope[] not null,         -- whom it brings in
    source       text              not null,         -- where it can be read
    recorded_at  timestamptz       not null default now(),
    recorded_by  text              not null,
    constraint agreement_state_has_a_scope check (cardinality(scopes) > 0),
    constraint agreement_state_period check (valid_until >= valid_from and valid_from >= signed_on)
);
create index agreement_state_by_agreement on agreement_state (agreement_id, id);

-- How many people of a group were promised. A licensing desk counts no people.
create table commitment (
    agreement_state_id bigint          not null references agreement_state,
    scope              agreement_scope not null,
    headcount          integer         not null,
    due_on             date,
    primary key (agreement_state_id, scope),
    constraint commitment_promises_somebody check (headcount > 0),
    constraint commitment_counts_people check (scope <> 'LICENSING')
);

-- How many active participants the agency wants at the end of a year, in the country or in one province.
create sequence target_id_seq;
create table target (
    id          bigint      primary key default nextval('target_id_seq'),
    year        smallint    not null,
    active      integer     not null,
    province_id smallint    references province,      -- null: the country
    set_at      timestamptz not null default now(),
    set_by      text        not null,
    constraint target_one_a_year unique nulls not distinct (year, province_id),
    constraint target_is_somebody check (active > 0)
);

-- Figures that somebody has published. They stand beside those that the rows give and are never added to them.
create table reported_figure (
    metric      text     not null,
    province_id smallint references province,         -- null: the country
    value       integer  not null,
    reported_on date     not null,
    source      text     not null,
    constraint reported_figure_key unique nulls not distinct (metric, province_id, reported_on)
);

-- "Thousands of channels" and "hundreds of outlets" of the same article are no numbers, so they are not here. Which
-- provinces the twenty are, it does not say.
insert into reported_figure (metric, province_id, value, reported_on, source) values
    ('TARGET_ACTIVE_PARTICIPANTS_2015', null, 20000000, '2014-10-02',
     'ekbis.sindonews.com, 2014-10-02: "lebih dari 20 juta tenaga kerja" (more than)'),
    ('PROVINCES_UNDER_AGREEMENT', null, 20, '2014-10-02',
     'ekbis.sindonews.com, 2014-10-02: "20 gubernur/kepala daerah provinsi"'),
    ('PROVINCES_TO_BE_UNDER_AGREEMENT', null, 34, '2014-10-02',
     'ekbis.sindonews.com, 2014-10-02: "hingga 34 provinsi seluruh Indonesia"'),
    ('CIVIL_SERVANTS_PLANNED', 16, 8000, '2014-10-02',
     'ekbis.sindonews.com, 2014-10-02: "Rencananya 8.000 pegawai negeri sipil"'),
    ('CIVIL_SERVANTS_ENROLLED', 71, 5200, '2014-05-23', 'tribunnews.com, 2014-05-23, over 46 work units'),
    ('PARTICIPANTS', null, 61080000, '2023-12-31', 'spn.or.id, 2024-01-30, figures of December 2023, rounded'),
    ('ACTIVE_PARTICIPANTS', null, 41560000, '2023-12-31', 'spn.or.id, 2024-01-30, figures of December 2023, rounded'),
    ('INACTIVE_PARTICIPANTS', null, 19510000, '2023-12-31', 'spn.or.id, 2024-01-30, figures of December 2023, rounded'),
    ('ACTIVE_PARTICIPANTS', 16, 915142, '2023-12-31', 'spn.or.id, 2024-01-30, figures of December 2023'),
    ('INACTIVE_PARTICIPANTS', 16, 312082, '2023-12-31', 'spn.or.id, 2024-01-30, figures of December 2023');

grant select on agreement, agreement_state, commitment, target, reported_figure
    to registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
       registry_of_association, registry_scoped;
grant insert on agreement, agreement_state, commitment, target to registry_writer;
grant usage on sequence agreement_id_seq, agreement_state_id_seq, target_id_seq to registry_writer;

-- Every process reads the reference data again.
create trigger agreement_state_announces after insert or update or delete on agreement_state
    for each statement execute function announce_reference_change();
create trigger target_announces after insert or update or delete on target
    for each statement execute function announce_reference_change();
create trigger reported_figure_announces after insert or update or delete on reported_figure
    for each statement execute function announce_reference_change();
