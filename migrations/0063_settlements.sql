-- When payments covered a month of a payer, so that a reversal takes back what the remaining money would not have covered, and
-- nothing else.
create table payment_settlement (
    id             bigint      generated always as identity primary key,
    employer_id    bigint      references employer,
    association_id bigint      references association,
    month          date        not null,
    due            bigint      not null,               -- rupiah; what the payer owed for the month then
    payment_id     bigint      not null references payment, -- the latest one whose money was there then
    settled_at     timestamptz not null default now(), -- also of the events that recorded the month for people
    constraint payment_settlement_payer check (num_nonnulls(employer_id, association_id) = 1),
    constraint payment_settlement_month check (extract(day from month) = 1)
);
create index payment_settlement_by_payment on payment_settlement (payment_id);
create index payment_settlement_by_employer on payment_settlement (employer_id, month) where employer_id is not null;
create index payment_settlement_by_association on payment_settlement (association_id, month) where association_id is not null;

revoke all on payment_settlement from public;
grant select, insert, update, delete on payment_settlement to registry_writer;
alter table payment_settlement enable row level security, force row level security;
create policy writer on payment_settlement to registry_writer using (true);
create policy owner on payment_settlement to current_user using (true);

-- The time of the events that recorded the months of members. Null: before this column.
alter table payment_member add column settled_at timestamptz;
alter table payment_member alter column settled_at set default now();
