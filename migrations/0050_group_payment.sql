-- Payments of a group: an association pays for the members who gave it their money, for one month or several, also ahead.

create table prepayment_rule (
    code         text     primary key,
    segment      segment  not null,
    months_ahead smallint not null,     -- months after the present one that a payment can reach
    valid_from   date     not null,     -- of the day of recording
    valid_until  date,
    title        text     not null,
    constraint prepayment_rule_months check (months_ahead between 0 and 35),
    constraint prepayment_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into prepayment_rule (code, segment, months_ahead, valid_from, title) values
    ('PREPAYMENT-BPU', 'SELF_EMPLOYED', 12, '1993-02-27',
     'Ours, unconfirmed: up to twelve months after the present one. Permenakertrans 24/2006 has one and three months in advance; six and twelve are recalled');

alter table payment
    add column months  smallint not null default 1,   -- from `month` on, that it was sent for
    -- SHA-256 of the members and months as sent; null if it was sent for the bill of the payer.
    add column terms   bytea,
    add column members integer,                       -- enrollments that a group's payment covers
    add constraint payment_months check (months between 1 and 36),
    add constraint payment_group check (terms is not null or (months = 1 and members is null));
grant update (members) on payment to registry_writer;

-- A part for the members that the payment names stays with them when other payments are allocated anew.
alter table payment_allocation drop constraint payment_allocation_purpose;
alter table payment_allocation add constraint payment_allocation_purpose
    check (purpose in ('CONTRIBUTION', 'MEMBERS', 'FINE'));

-- Whom a group's payment covers, and for which months. Of a reversed payment it says whom it covered.
create table payment_member (
    participant_id bigint         not null,
    enrollment_id  bigint         not null,
    payment_id     bigint         not null,
    months         datemultirange not null,
    constraint payment_member_pkey primary key (participant_id, enrollment_id, payment_id),
    constraint payment_member_months check (not isempty(months))
);
create index payment_member_by_payment on payment_member (payment_id);

revoke all on prepayment_rule, payment_member from public;
grant select on prepayment_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
-- No caller reads it: bills and reversals do.
grant select, insert on payment_member to registry_writer;
create trigger prepayment_rule_announces after insert or update or delete on prepayment_rule
    for each statement execute function announce_reference_change();

alter table payment_member enable row level security, force row level security;
create policy writer on payment_member to registry_writer using (true);
create policy owner on payment_member to current_user using (true);
