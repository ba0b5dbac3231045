-- Payments: money that arrived, and what it pays for.

-- The months among `paid` that a payment covers. The others were recorded without one: their payer owes nothing for them.
alter table enrollment add column settled datemultirange;

alter type participant_event_kind add value 'CONTRIBUTION_REVERSED';

create sequence payment_id_seq;
create table payment (
    id              bigint      primary key default nextval('payment_id_seq'),
    channel_id      bigint      not null references channel,   -- which took the money
    reference       text        not null,                      -- what the channel calls it; never parsed
    employer_id     bigint      references employer,
    association_id  bigint      references association,
    province_id     smallint    not null references province,  -- of the payer
    month           date        not null,                      -- that it was sent for
    paid_on         date        not null,
    amount          bigint      not null,                      -- rupiah
    recorded_by     text        not null,                      -- name of the client
    recorded_at     timestamptz not null,                      -- by the clock of the registry
    -- What the first answer said, for those who ask again.
    recorded        integer     not null default 0,            -- enrollments whose months it recorded
    newly_active    integer     not null default 0,
    reversed_by     text,
    reversed_at     timestamptz,
    reversal_reason text,
    unrecorded      integer,                                   -- enrollments whose months are no longer recorded
    constraint payment_reference unique (channel_id, reference),
    constraint payment_payer check (num_nonnulls(employer_id, association_id) = 1),
    constraint payment_amount check (amount > 0),
    constraint payment_month check (extract(day from month) = 1),
    constraint payment_reversal check (num_nonnulls(reversed_by, reversed_at, reversal_reason, unrecorded) in (0, 4))
);
create index payment_by_employer on payment (employer_id, id) where employer_id is not null;
create index payment_by_association on payment (association_id, id) where association_id is not null;
-- An outlet's statement of a day.
create index payment_by_day on payment (channel_id, paid_on, id);

-- What a payment pays for. A payment that is reversed pays for nothing; the others are then allocated anew.
create table payment_allocation (
    payment_id bigint not null references payment,
    month      date   not null,
    purpose    text   not null,
    amount     bigint not null,
    constraint payment_allocation_pkey primary key (payment_id, month, purpose),
    constraint payment_allocation_purpose check (purpose in ('CONTRIBUTION', 'FINE')),
    constraint payment_allocation_amount check (amount > 0)
);

revoke all on payment, payment_allocation from public;
grant select on payment, payment_allocation to registry_writer, registry_reader, registry_of_provinces,
    registry_of_channels, registry_of_employer, registry_of_association, registry_scoped;
grant insert on payment to registry_writer;
-- What was paid never changes.
grant update (recorded, newly_active, reversed_by, reversed_at, reversal_reason, unrecorded) on payment to registry_writer;
grant insert, delete on payment_allocation to registry_writer;
grant usage on sequence payment_id_seq to registry_writer;

alter table payment enable row level security, force row level security;
alter table payment_allocation enable row level security, force row level security;
do $$
declare
    name text;
begin
    foreach name in array array['payment', 'payment_allocation'] loop
        execute format('create policy reader on %I for select to registry_reader using (true)', name);
        execute format('create policy writer on %I to registry_writer using (true)', name);
        execute format('create policy owner on %I to current_user using (true)', name);
    end loop;
end $$;
create policy of_provinces on payment for select to registry_of_provinces
    using (province_id = any ((select registry_scope('provinces'))::bigint[]));
create policy of_channels on payment for select to registry_of_channels
    using (channel_id = any ((select registry_scope('channels'))::bigint[]));
create policy of_employer on payment for select to registry_of_employer
    using (employer_id = any ((select registry_scope('employer'))::bigint[]));
create policy of_association on payment for select to registry_of_association
    using (association_id = any ((select registry_scope('association'))::bigint[]));
create policy scoped on payment for select to registry_scoped using (
    (select registry_scope_is_set())
    and ((select registry_scope('provinces')) is null
         or province_id = any ((select registry_scope('provinces'))::bigint[]))
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[]))
    and ((select registry_scope('employer')) is null
         or employer_id = any ((select registry_scope('employer'))::bigint[]))
    and ((select registry_scope('association')) is null
         or association_id = any ((select registry_scope('association'))::bigint[]))
);
create policy of_payment on payment_allocation for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from payment p where p.id = payment_allocation.payment_id));
