-- Figures that people look at are kept, not counted. A transaction appends its deltas; a fold adds them to the
-- base every second; whoever reads adds base and deltas in one statement. So a figure is exact at every commit, and
-- no two enrollments ever wait for one counter.

create sequence count_delta_id_seq;
create table count_delta (
    id             bigint             primary key default nextval('count_delta_id_seq'),
    -- Where the person lives, and the channel that first brought the person in.
    province_id    smallint           not null,
    channel_id     bigint             not null,
    -- What is counted. All three null: the person, once, by the best status it has. One set: the person within that
    -- segment, or with that payer, by the best status it has there.
    segment        segment,
    employer_id    bigint,
    association_id bigint,
    status         participant_status not null,
    persons        integer            not null,
    effective_on   date               not null,   -- the day from which it counts
    constraint count_delta_counts_one_thing check (num_nonnulls(segment, employer_id, association_id) <= 1)
);

-- People by province of residence; segment null: each person once.
create table province_count (
    province_id smallint           not null,
    segment     segment,
    status      participant_status not null,
    persons     bigint             not null,
    constraint province_count_key unique nulls not distinct (province_id, segment, status)
);

-- People by the channel that brought them in, and the province they live in.
create table channel_count (
    channel_id  bigint             not null,
    province_id smallint           not null,
    segment     segment,
    status      participant_status not null,
    persons     bigint             not null,
    constraint channel_count_key unique nulls not distinct (channel_id, province_id, segment, status)
);

create table employer_count (
    employer_id bigint             not null,
    status      participant_status not null,
    persons     bigint             not null,
    primary key (employer_id, status)
);

create table association_count (
    association_id bigint             not null,
    status         participant_status not null,
    persons        bigint             not null,
    primary key (association_id, status)
);
