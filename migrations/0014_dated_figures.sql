-- Figures are kept by day, so that any past day can be asked about, and by what a person is in each group of workers,
-- so that people are counted once whatever groups are asked for together.

-- Months without a contribution that an enrollment stays active for.
create table grace_rule (
    code        text     primary key,
    segment     segment  not null,
    months      smallint not null,
    valid_from  date     not null,      -- of the last day of the month that was paid last
    valid_until date,
    title       text     not null,
    constraint grace_rule_months check (months between 0 and 120),
    constraint grace_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into grace_rule (code, segment, months, valid_from, title) values
    ('GRACE-PU', 'WAGE_EARNER', 3, '1993-02-27', 'Agency, October 2025: not active after three consecutive months unpaid'),
    ('GRACE-BPU', 'SELF_EMPLOYED', 3, '1993-02-27', 'Agency: not active when more than three months are unpaid'),
    ('GRACE-JAKON', 'CONSTRUCTION', 3, '1993-02-27', 'As for wage earners; recalled'),
    ('GRACE-PMI', 'MIGRANT_WORKER', 3, '1993-02-27', 'As for wage earners; recalled');
grant select on grace_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;

alter table participant add column deceased_on date;   -- closes everything from that day on
update participant p set deceased_on = v.effective_on
    from participant_event v where v.participant_id = p.id and v.kind = 'DIED';

alter table enrollment
    -- From when it counts: its first day, or the day on which it was recorded where that was earlier.
    add column counts_from date,
    -- The months that are paid for, as runs: first day of a run's first month, last day of its last month, and so on.
    add column paid        date[],
    -- The day on which it lapses by itself if nothing more is paid.
    add column lapses_on   date;
update enrollment set
    counts_from = least(starts_on, (recorded_at at time zone 'Asia/Jakarta')::date),
    paid = case when paid_through is not null
                then array[date_trunc('month', least(starts_on, paid_through))::date, paid_through] end,
    lapses_on = case when status = 'ACTIVE' then (paid_through + 1 + interval '3 months')::date end;
alter table enrollment
    alter column counts_from set not null,
    add constraint enrollment_counts_from check (counts_from <= starts_on),
    add constraint enrollment_paid check ((paid is null) = (paid_through is null) and cardinality(paid) % 2 = 0),
    add constraint enrollment_lapses check ((status = 'ACTIVE') = (lapses_on is not null));
-- Whoever lapses next: small, because a day's are looked for.
create index enrollment_by_lapse on enrollment (lapses_on, participant_id) where lapses_on is not null;

-- On which days lapses were looked for, to the end.
create table lapse_run (
    day         date        primary key,
    lapsed      bigint      not null,   -- enrollments
    finished_at timestamptz not null default now()
);
revoke all on lapse_run from public;
grant select, insert on lapse_run to registry_writer;

-- What a person is: for each group of workers (src/domain/count.rs) the best status of the enrollments there, in three
-- bits, and whether the person died. Whoever asks for several groups together finds each person once.
drop table province_count, channel_count;
delete from count_delta;
alter table count_delta
    drop constraint count_delta_counts_one_thing,
    drop column segment,
    alter column status drop not null,
    alter column effective_on drop not null,
    add column standing integer,
    -- A person, by what it is, from a day on; or the people of an employer or association, by their best status there.
    add constraint count_delta_counts_one_thing check (num_nonnulls(standing, employer_id, association_id) = 1
        and (standing is null) = (status is not null) and (standing is null) = (effective_on is null));
delete from employer_count;
delete from association_count;

-- Now: by province of residence and kind of the channel that brought the people in. A few thousand rows, read whole.
create table figure (
    province_id  smallint     not null,
    channel_kind channel_kind not null,
    standing     integer      not null,
    persons      bigint       not null,
    constraint figure_pkey primary key (province_id, channel_kind, standing)
);
-- What each day changed, and each month: a past day is what stands now less what changed since.
create table figure_day (
    effective_on date         not null,
    province_id  smallint     not null,
    channel_kind channel_kind not null,
    standing     integer      not null,
    persons      bigint       not null,
    constraint figure_day_pkey primary key (effective_on, province_id, channel_kind, standing)
);
create table figure_month (
    month        date         not null,   -- its first day
    province_id  smallint     not null,
    channel_kind channel_kind not null,
    standing     integer      not null,
    persons      bigint       not null,
    constraint figure_month_pkey primary key (month, province_id, channel_kind, standing)
);
-- The same for each channel.
create table channel_figure (
    channel_id  bigint   not null,
    province_id smallint not null,
    standing    integer  not null,
    persons     bigint   not null,
    constraint channel_figure_pkey primary key (channel_id, province_id, standing)
);
create table channel_figure_day (
    channel_id   bigint   not null,
    effective_on date     not null,
    province_id  smallint not null,
    standing     integer  not null,
    persons      bigint   not null,
    constraint channel_figure_day_pkey primary key (channel_id, effective_on, province_id, standing)
);
create table channel_figure_month (
    channel_id  bigint   not null,
    month       date     not null,
    province_id smallint not null,
    standing    integer  not null,
    persons     bigint   not null,
    constraint channel_figure_month_pkey primary key (channel_id, month, province_id, standing)
);
create index count_delta_by_channel on count_delta (channel_id);

grant select on figure, figure_day, figure_month, channel_figure, channel_figure_day, channel_figure_month
    to registry_reader, registry_writer;
grant insert, update, delete on figure, figure_day, figure_month, channel_figure, channel_figure_day,
    channel_figure_month to registry_writer;

alter table installation
    -- The figures have to be counted anew before they are shown: the registry does so when it opens this database.
    add column figures_due boolean not null default false,
    -- Days by which the calendar of this register is behind the world's: a demonstration lives in October 2014.
    add column days_behind integer not null default 0,
    add constraint installation_days_behind check (days_behind >= 0);
update installation set figures_due = exists (select from enrollment);
-- A demonstration of before began on the day of the story too.
update installation set days_behind = greatest(0, (created_at at time zone 'Asia/Jakarta')::date - date '2014-10-02')
    where is_demo;
grant update (figures_due, days_behind) on installation to registry_writer;

-- Rules are edited here, without a release: every process reads them again when somebody has.
do $$
declare
    name text;
begin
    foreach name in array array['rule_setting', 'programme_rule', 'civil_servant_rule', 'age_rule', 'contribution_rule',
        'grace_rule', 'province', 'province_edition', 'national_id_region'] loop
        execute format('create trigger %I after insert or update or delete on %I for each statement '
                       'execute function announce_reference_change()', name || '_announces', name);
    end loop;
end $$;
