-- Who pays for people or brings them in together: employers, and associations of informal workers.

create type employer_kind as enum ('COMPANY', 'GOVERNMENT', 'INDIVIDUAL');

create sequence employer_id_seq;
create table employer (
    id                 bigint        primary key default nextval('employer_id_seq'),
    registered_at      timestamptz   not null default now(),
    name               text          not null,
    name_key           text          not null collate "C",
    kind               employer_kind not null,
    -- Tax number (NPWP). Since 2022 that of a resident person is the identity number, so it is kept like one:
    -- found by HMAC, readable only with the installation's key.
    tax_number_index   bytea,
    tax_number_sealed  bytea,
    business_number    text,                          -- NIB, public
    risk_class         smallint      not null,        -- work-accident risk class I to V
    province_id        smallint      not null references province,
    declared_headcount integer,
    registered_by      text          not null,
    constraint employer_tax_number_key unique (tax_number_index),
    constraint employer_tax_number_whole check ((tax_number_index is null) = (tax_number_sealed is null)),
    constraint employer_business_number_key unique (business_number),
    constraint employer_business_number_form check (business_number ~ '^[0-9]{13}$'),
    constraint employer_risk_class check (risk_class between 1 and 5),
    constraint employer_declared_headcount check (declared_headcount >= 0)
);
create index employer_by_name on employer (name_key, id);
create index employer_by_province on employer (province_id, id);
create index employer_by_word on employer using gin (to_tsvector('simple', name_key));

create sequence association_id_seq;
create table association (
    id            bigint      primary key default nextval('association_id_seq'),
    registered_at timestamptz not null default now(),
    name          text        not null,
    name_key      text        not null collate "C",
    trade         text        not null,
    province_id   smallint    not null references province,
    registered_by text        not null,
    constraint association_name_key unique (province_id, name_key)
);
create index association_by_name on association (name_key, id);
create index association_by_word on association using gin (to_tsvector('simple', name_key));
