-- Where people come in: regional offices, branches below them, outlets below those. Thousands, kept in memory.

create type channel_kind as enum ('REGIONAL_OFFICE', 'BRANCH', 'BANK_OUTLET', 'KIOSK', 'MOBILE_OFFICER', 'ONLINE',
    'AGENT', 'ASSOCIATION_DESK', 'LICENSING_DESK', 'GOVERNMENT_UNIT');

create sequence channel_id_seq;
create table channel (
    id            bigint       primary key default nextval('channel_id_seq'),
    code          text         not null,
    name          text         not null,
    name_key      text         not null collate "C",   -- lower case, no punctuation: for order and search
    kind          channel_kind not null,
    parent_id     bigint       references channel,
    operator      text,                                -- the bank or body that runs it; null: the agency
    opened_on     date,
    closed_on     date,                                -- first day on which nobody can be enrolled there
    registered_at timestamptz  not null default now(),
    registered_by text         not null,
    constraint channel_code_key unique (code),
    constraint channel_code_form check (code ~ '^[A-Z0-9][A-Z0-9.-]{1,31}$'),
    constraint channel_period check (closed_on is null or opened_on is null or closed_on >= opened_on),
    constraint channel_is_not_its_parent check (parent_id <> id)
);

-- A regional office may serve several provinces.
create table channel_province (
    channel_id  bigint   not null references channel,
    province_id smallint not null references province,
    primary key (channel_id, province_id)
);

-- Tells every process to read the reference data again. Statement triggers: these tables are small and not hot.
create function announce_reference_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('reference_changed', tg_table_name);
    return null;
end $$;
create trigger channel_announces after insert or update or delete on channel
    for each statement execute function announce_reference_change();
create trigger channel_province_announces after insert or update or delete on channel_province
    for each statement execute function announce_reference_change();
