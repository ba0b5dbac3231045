-- Who may ask. A token says who somebody is (issuer and subject); what they may do and whose people they see stands
-- here. Thousands, kept in memory by every process.

create type client_role as enum ('ADMINISTRATOR', 'OFFICER', 'PARTNER', 'APPROVER', 'LICENSING_DESK', 'ANALYST',
    'AUDITOR');

create sequence client_id_seq;
create table client (
    id                  bigint      primary key default nextval('client_id_seq'),
    issuer              text        not null,   -- `iss` of its tokens, to the letter
    subject             text        not null,   -- `sub` of its tokens, to the letter
    name                text        not null,   -- for people; never changes: idempotency keys and records stand under it
    role                client_role not null,
    reads_personal_data boolean     not null default false,  -- may ask for unmasked numbers, with a purpose
    province_ids        smallint[]  not null default '{}',   -- empty: all
    employer_id         bigint      references employer,
    association_id      bigint      references association,
    channel_id          bigint      references channel,      -- with all that are below it
    disabled_at         timestamptz,                         -- null: its tokens hold
    created_at          timestamptz not null default now(),
    created_by          text        not null,
    changed_at          timestamptz not null default now(),
    constraint client_token_key unique (issuer, subject),
    constraint client_name_key unique (name),
    -- The registry itself writes under this name.
    constraint client_is_not_the_command_line check (name <> 'command line'),
    constraint client_texts check (length(issuer) between 1 and 255 and length(subject) between 1 and 255
        and length(name) between 1 and 100),
    -- Nothing set means the whole country, so a partner has something set.
    constraint client_partner_has_scope check (role <> 'PARTNER'
        or num_nonnulls(employer_id, association_id, channel_id) > 0),
    constraint client_payer_is_a_partners check (role = 'PARTNER' or num_nonnulls(employer_id, association_id) = 0),
    constraint client_channel_fits_role check (channel_id is null or role in ('PARTNER', 'OFFICER', 'APPROVER')),
    constraint client_provinces_fit_role check (province_ids = '{}' or role not in ('ADMINISTRATOR', 'AUDITOR')),
    constraint client_numbers_fit_role check (not reads_personal_data
        or role in ('ADMINISTRATOR', 'OFFICER', 'PARTNER'))
);

-- Tells every process to forget what it knew of clients.
create trigger client_announces after insert or update or delete on client
    for each statement execute function announce_reference_change();

-- What a scoped request may read ends before this table: it says who else asks.
revoke all on client from public;
grant select, insert, update on client to registry_writer;
grant usage on sequence client_id_seq to registry_writer;
