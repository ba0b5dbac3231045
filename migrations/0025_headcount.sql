-- What companies answer for when they ask for a licence: also those who have left, and what was declared when.

-- Ending an enrollment pays nothing: who left in arrears is kept beside the figures of an answer.
alter table clearance add column left_in_arrears bigint not null default 0,
    add constraint clearance_left_in_arrears check (left_in_arrears >= 0);

-- What employers declared, day by day; employer.declared_headcount is what the newest day says. Only added to, so that a
-- licence of a past day is judged by what had been declared by then.
create sequence headcount_declaration_id_seq;
create table headcount_declaration (
    id          bigint      primary key default nextval('headcount_declaration_id_seq'),
    employer_id bigint      not null references employer,
    headcount   integer     not null,
    declared_on date,                       -- as of which day; null: with the registration, before days were kept
    declared_by text        not null,       -- name of the client
    recorded_at timestamptz not null default clock_timestamp(),
    constraint headcount_declaration_headcount check (headcount >= 0)
);
-- Of one day the one that was recorded last counts.
create index headcount_declaration_newest on headcount_declaration (employer_id, declared_on, id);
insert into headcount_declaration (employer_id, headcount, declared_by)
    select id, declared_headcount, registered_by from employer where declared_headcount is not null order by id;

create function refuse_to_change_a_declaration() returns trigger language plpgsql as $$
begin
    raise exception 'declarations of a headcount can only be added to' using errcode = 'insufficient_privilege';
end $$;
create trigger headcount_declaration_stays before update or delete or truncate on headcount_declaration
    for each statement execute function refuse_to_change_a_declaration();

revoke all on headcount_declaration from public;
grant select, insert on headcount_declaration to registry_writer;
grant usage on sequence headcount_declaration_id_seq to registry_writer;

-- Kinds of channels that there have not always been. A kind without a row is of every time.
create table channel_kind_rule (
    code        text         primary key,
    kind        channel_kind not null,
    valid_from  date         not null,      -- such a channel opens on this day or later
    valid_until date,
    title       text         not null,
    constraint channel_kind_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into channel_kind_rule (code, kind, valid_from, title) values
    ('CHANNEL-AGENT', 'AGENT', '2016-10-01',
     'PERISAI: agents of associations, pilot at the end of 2016 (keuangan.kontan.co.id, February 2017). The day is ours');
grant select on channel_kind_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
create trigger channel_kind_rule_announces after insert or update or delete on channel_kind_rule
    for each statement execute function announce_reference_change();
