-- Civil servants, thousands at a time. Every row of a batch has exactly one outcome, and the counts always sum.

create type onboarding_state as enum ('RECEIVING', 'VALIDATING', 'AWAITING_APPROVAL', 'APPLYING', 'COMPLETED',
    'CANCELLED', 'FAILED');
create type row_outcome as enum ('PENDING', 'ENROLLED', 'ALREADY_ENROLLED', 'REJECTED');

create sequence onboarding_batch_id_seq;
create table onboarding_batch (
    id                      bigint                 primary key default nextval('onboarding_batch_id_seq'),
    state                   onboarding_state       not null,
    employer_id             bigint                 not null references employer,
    channel_id              bigint                 not null references channel,
    province_id             smallint               not null references province,
    programmes              programme[]            not null,
    category                civil_servant_category not null,
    starts_on               date                   not null,
    first_contribution_paid boolean                not null,
    all_or_nothing          boolean                not null,
    file_name               text,
    digest                  bytea                  not null,   -- keyed digest of the rows as sent
    received                integer                not null,
    pending                 integer                not null,
    enrolled                integer                not null,
    already_enrolled        integer                not null,
    rejected                integer                not null,
    flagged                 integer                not null,
    monthly_contributions   bigint                 not null,   -- whole rupiah, of the rows enrolled
    submitted_by            text                   not null,
    submitted_at            timestamptz            not null default now(),
    approved_by             text,
    finished_at             timestamptz,
    constraint onboarding_batch_counts_sum check (received = pending + enrolled + already_enrolled + rejected),
    constraint onboarding_batch_counts_positive
        check (least(received, pending, enrolled, already_enrolled, rejected, flagged) >= 0)
);
create index onboarding_batch_by_employer on onboarding_batch (employer_id, id);

create table onboarding_row (
    batch_id       bigint      not null references onboarding_batch,
    number         integer     not null,             -- from 1, the header not counted
    line           integer,                          -- of the file; null where the rows came in the request
    outcome        row_outcome not null,
    flagged        boolean     not null,
    participant_id bigint,                           -- of whom it enrolled, or who was enrolled already
    work_unit      text,
    problems       jsonb,                            -- null: none; never an identity number
    constraint onboarding_row_pkey primary key (batch_id, number),
    constraint onboarding_row_number check (number > 0),
    constraint onboarding_row_reason check (outcome <> 'REJECTED' or problems is not null)
);
