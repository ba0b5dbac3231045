-- Rules of bills and payments: due days, fines, which months are billed, what payments pay for first. What no regulation
-- that we have read says is ours, and the title says so.

-- When the contributions of a month are due, and what a late month costs. Of two rows the one that begins later applies,
-- so that a temporary law is one row.
create table due_rule (
    code          text     primary key,
    segment       segment  not null,
    due_day       smallint not null,               -- the last day of a month that is shorter
    month_offset  smallint not null,               -- 0: in the month itself; 1: in the next
    holiday_shift text     not null,               -- a Saturday, a Sunday or a row of holiday moves to the
    fine_ppm      integer  not null,               -- millionths of the base for each unit
    fine_unit     text     not null default 'STARTED_MONTH',
    fine_base     text     not null,               -- the whole month until its last instalment, or what came late
    fine_payer    text     not null,
    valid_from    date     not null,               -- of the contribution month
    valid_until   date,
    title         text     not null,
    constraint due_rule_day check (due_day between 1 and 31),
    constraint due_rule_offset check (month_offset in (0, 1)),
    constraint due_rule_shift check (holiday_shift in ('NEXT', 'PREVIOUS')),
    constraint due_rule_fine check (fine_ppm between 0 and 1000000),
    constraint due_rule_unit check (fine_unit = 'STARTED_MONTH'),
    constraint due_rule_base check (fine_base in ('WHOLE', 'UNPAID')),
    constraint due_rule_payer check (fine_payer in ('EMPLOYER', 'WORKER')),
    constraint due_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into due_rule (code, segment, due_day, month_offset, holiday_shift, fine_ppm, fine_base, fine_payer, valid_from,
                      valid_until, title) values
    ('DUE-PU-1993', 'WAGE_EARNER', 15, 1, 'NEXT', 20000, 'WHOLE', 'EMPLOYER', '1993-02-27', '2015-06-30',
     'PP 14/1993: by the 15th of the next month, 2 % a month; recalled. The shift of holidays is that of PP 44/2015'),
    ('DUE-PU-2015', 'WAGE_EARNER', 15, 1, 'NEXT', 20000, 'WHOLE', 'EMPLOYER', '2015-07-01', null,
     'PP 44/2015: by the 15th of the next month, or the next working day; 2 % for each started month, borne by the employer. That it is of the whole month until the last instalment is ours'),
    ('DUE-PU-2020', 'WAGE_EARNER', 30, 1, 'PREVIOUS', 5000, 'WHOLE', 'EMPLOYER', '2020-08-01', '2021-01-31',
     'PP 49/2020: by the 30th of the next month, or the working day before; 0.5 %. The months are recalled'),
    ('DUE-BPU', 'SELF_EMPLOYED', 15, 0, 'NEXT', 0, 'WHOLE', 'WORKER', '1993-02-27', null,
     'PP 44/2015, before Permenakertrans 24/2006: by the 15th of the month itself; no fine. The shift before 2015 is recalled');

-- National holidays. Weekends are a rule of the program. Empty: we have no list with a source; an installation adds the
-- days that the ministers announce each year.
create table holiday (
    day   date primary key,
    title text not null          -- the holiday, and the decree that announces it
);

-- Which months of joiners and leavers are billed, and what is rounded by rounding_rule.
create table billing_rule (
    code                        text     primary key,
    segment                     segment  not null,
    joiner_billed_from_day      smallint not null,   -- days of the first month that are covered at least; 1: always
    leaver_billed_in_exit_month boolean  not null,
    rounded                     text     not null,   -- the shares of each worker, or the sums of a programme
    valid_from                  date     not null,   -- of the contribution month
    valid_until                 date,
    title                       text     not null,
    constraint billing_rule_joiner check (joiner_billed_from_day between 1 and 31),
    constraint billing_rule_rounded check (rounded in ('WORKER', 'TOTAL')),
    constraint billing_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into billing_rule (code, segment, joiner_billed_from_day, leaver_billed_in_exit_month, rounded, valid_from, title)
    select 'BILLING-' || s.code, s.segment, 1, true, 'WORKER', '1993-02-27',
           'Ours, unconfirmed: the first and the last month are billed whole, because a wage is never prorated; the shares of each worker are rounded'
    from (values ('PU', 'WAGE_EARNER'::segment), ('BPU', 'SELF_EMPLOYED'), ('JAKON', 'CONSTRUCTION'),
                 ('PMI', 'MIGRANT_WORKER')) s(code, segment);

-- What payments pay for, and until when an outlet can take one back.
create table payment_rule (
    code             text     primary key,
    fine_order       text     not null,   -- fines after the contributions of all months, or each with its month
    reviewed_months  smallint not null,   -- paid months that each payment compares with their bills anew
    reversible_until time     not null,   -- in Jakarta, on the day of recording
    valid_from       date     not null,   -- of the day of the payment
    valid_until      date,
    title            text     not null,
    constraint payment_rule_order check (fine_order in ('FINES_LAST', 'FINES_WITH_MONTH')),
    constraint payment_rule_review check (reviewed_months between 0 and 120),
    constraint payment_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into payment_rule (code, fine_order, reviewed_months, reversible_until, valid_from, title) values
    ('PAYMENT', 'FINES_LAST', 12, '22:00', '1993-02-27',
     'Agency, 2022: months are paid in full and in order, money clears the older shortage first, an excess counts towards the next month or the fine. The order of fines, the months of review and the hour are ours');

-- Whether a month that was recorded without a payment counts when a company asks for a licence.
create table unpaid_month_rule (
    code        text    primary key,
    counts      boolean not null,
    valid_from  date    not null,         -- of the contribution month
    valid_until date,
    title       text    not null,
    constraint unpaid_month_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into unpaid_month_rule (code, counts, valid_from, title) values
    ('UNPAID-MONTHS', true, '1993-02-27',
     'Ours: a month that a client has recorded counts, with a payment or without. An installation whose outlets send payments closes this row');

-- Ceilings of the pension wage, as the agency announced them each year.
update contribution_rule set wage_ceiling = 7000000, valid_until = '2016-02-29',
        title = 'PP 45/2015: 2 % and 1 %, up to Rp 7,000,000'
    where code = 'JP-PU-2015' and wage_ceiling is null and valid_until = '2023-02-28';
update contribution_rule set valid_until = '2025-02-28' where code = 'JP-PU-2024' and valid_until is null;
insert into contribution_rule (code, programme, segment, employer_ppm, worker_ppm, worker_flat, wage_ceiling, valid_from,
                               valid_until, title)
    select 'JP-PU-' || extract(year from c.valid_from), 'PENSION', 'WAGE_EARNER', 20000, 10000, 0, c.ceiling, c.valid_from,
           c.valid_until, 'PP 45/2015: 2 % and 1 %, up to Rp ' || to_char(c.ceiling, 'FM99,999,999') || c.note
    from (values (7335300, date '2016-03-01', date '2017-02-28', ''), (7703500, '2017-03-01', '2018-02-28', ''),
                 (8094000, '2018-03-01', '2019-02-28', '; the month is by analogy'),
                 (8512400, '2019-03-01', '2020-02-29', '; the month is by analogy'),
                 (8939700, '2020-03-01', '2021-02-28', '; computed by the formula'),
                 (8754600, '2021-03-01', '2022-02-28', '; the month is by analogy'),
                 (9077600, '2022-03-01', '2023-02-28', '; the month is by analogy'),
                 (10547400, '2025-03-01', '2026-02-28', ''), (11086300, '2026-03-01', null, ''))
         c(ceiling, valid_from, valid_until, note)
    on conflict (code) do nothing;

revoke all on due_rule, holiday, billing_rule, payment_rule, unpaid_month_rule from public;
grant select on due_rule, holiday, billing_rule, payment_rule, unpaid_month_rule to registry_writer, registry_reader,
    registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped;
do $$
declare
    name text;
begin
    foreach name in array array['due_rule', 'holiday', 'billing_rule', 'payment_rule', 'unpaid_month_rule'] loop
        execute format('create trigger %I after insert or update or delete on %I for each statement '
                       'execute function announce_reference_change()', name || '_announces', name);
    end loop;
end $$;
