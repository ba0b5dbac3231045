-- Reference data: small tables that every process reads as a whole and keeps in memory.
--
-- On a Citus cluster these are reference tables. Nothing in this database is ever deleted: what ends has a date.

-- Who this database belongs to. The identity key never enters the database; a fingerprint of it does, so that a
-- process with another key refuses to start instead of enrolling everybody a second time under other indexes.
create table installation (
    singleton   boolean     primary key default true,
    key_check   bytea       not null,
    created_at  timestamptz not null default now(),
    -- Filled with people who do not exist: only such a register is opened by `serve --demo`.
    is_demo     boolean     not null default false,
    constraint installation_is_one check (singleton)
);

create type programme as enum ('WORK_ACCIDENT', 'DEATH', 'OLD_AGE', 'PENSION', 'JOB_LOSS');
create type segment as enum ('WAGE_EARNER', 'SELF_EMPLOYED', 'CONSTRUCTION', 'MIGRANT_WORKER');
create type civil_servant_category as enum ('PNS', 'CPNS', 'PPPK', 'NON_ASN');

-- A province as the Ministry of Home Affairs numbers it. Existence has dates: 34 on 2014-10-02, 38 today.
create table province (
    id               smallint primary key,          -- the number that the code spells
    code             text     not null,
    iso_code         text     not null,
    established_year smallint,                      -- only where one founding law says so
    valid_from       date,                          -- null: before anything this registry has to know
    valid_until      date,                          -- last day; null: exists today
    predecessor_id   smallint references province,  -- the province that it was carved out of
    constraint province_code_key unique (code),
    constraint province_code_is_two_digits check (code ~ '^[1-9][0-9]$' and id = code::smallint),
    constraint province_iso_code_key unique (iso_code)
);

-- What a province was called and where it was governed from, and when.
create table province_edition (
    province_id smallint not null references province,
    name        text     not null,
    name_en     text     not null,
    capital     text     not null,
    valid_from  date     not null default '-infinity',
    valid_until date,                               -- last day
    source      text     not null,
    primary key (province_id, valid_from)
);

-- The first two digits that an identity number may begin with: every code that was ever in a code book, because a
-- number keeps the code of the place of first registration for life.
create table national_id_region (
    code   text primary key,
    source text not null,
    constraint national_id_region_code_is_two_digits check (code ~ '^[1-9][0-9]$')
);

-- Facts of the field that were recalled and not read in a source: configuration, editable without a release.
create table rule_setting (
    name   text primary key,
    value  text not null,
    source text not null
);

-- When each programme can be entered.
create table programme_rule (
    code        text      primary key,
    programme   programme not null,
    segments    segment[] not null,                 -- the segments that it is open to
    valid_from  date      not null,
    valid_until date,
    title       text      not null,                 -- the regulation, as it is cited
    constraint programme_rule_period check (valid_until is null or valid_until >= valid_from)
);

-- Which civil servants can be enrolled with this agency, and when: accepted on 2014-11-01, refused on 2016-01-01.
create table civil_servant_rule (
    code        text    primary key,
    category    civil_servant_category not null,
    eligible    boolean not null,
    valid_from  date    not null,
    valid_until date,
    title       text    not null,
    constraint civil_servant_rule_period check (valid_until is null or valid_until >= valid_from)
);

-- Ages, in whole years on the first day of the enrollment, between which a segment can be entered.
create table age_rule (
    code        text     primary key,
    segment     segment  not null,
    minimum     smallint not null,
    maximum     smallint,
    valid_from  date     not null,
    valid_until date,
    title       text     not null,
    constraint age_rule_period check (valid_until is null or valid_until >= valid_from)
);

-- What is due each month. A rate is parts per million of the wage, or a flat amount; the parts of employer and
-- worker are separate, because they are rounded apart.
create table contribution_rule (
    code         text      primary key,
    programme    programme not null,
    segment      segment   not null,
    risk_class   smallint,                          -- null: any
    employer_ppm integer   not null default 0,
    worker_ppm   integer   not null default 0,
    worker_flat  bigint    not null default 0,      -- whole rupiah
    wage_ceiling bigint,                            -- the part of a wage above it is free
    valid_from   date      not null,
    valid_until  date,
    title        text      not null,
    constraint contribution_rule_period check (valid_until is null or valid_until >= valid_from),
    constraint contribution_rule_risk_class check (risk_class between 1 and 5),
    constraint contribution_rule_rates check (employer_ppm between 0 and 1000000 and worker_ppm between 0 and 1000000)
);
