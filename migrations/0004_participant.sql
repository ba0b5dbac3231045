-- The people. Hot tables: distributed by participant_id on a cluster, so every key leads with it, no key is an
-- identity column and no trigger runs. Provinces, channels, employers and associations are checked against the
-- snapshot in memory before a row is written and are never deleted; a foreign key for each would cost a bulk load
-- half of its speed (5 microseconds a check), so there is none.

create type sex as enum ('FEMALE', 'MALE');
create type participant_status as enum ('REGISTERED', 'ACTIVE', 'INACTIVE', 'ENDED', 'DECEASED');
create type enrollment_status as enum ('REGISTERED', 'ACTIVE', 'INACTIVE', 'ENDED');
create type end_reason as enum ('RESIGNED', 'DISMISSED', 'CONTRACT_ENDED', 'RETIRED', 'DECEASED', 'DISABLED',
    'MOVED_ABROAD', 'EMPLOYER_CLOSED', 'TRANSFERRED', 'ENROLLED_IN_ERROR');
create type identifier_kind as enum ('NATIONAL_ID', 'SERVICE_NUMBER', 'PASSPORT', 'RESIDENCE_PERMIT', 'FORMER_CARD');
create type participant_event_kind as enum ('ENROLLED', 'CONTRIBUTED', 'LAPSED', 'RESUMED', 'TRANSFERRED', 'ENDED',
    'CORRECTED', 'DIED');

create sequence participant_id_seq;
create sequence enrollment_id_seq;
create sequence participant_event_id_seq;

-- Who owns a number. The only place where uniqueness of a person lives: whoever inserts the row first owns it.
-- A superseded number stays claimed. On a cluster this table is distributed by value_index, hence no foreign key.
create table identifier (
    kind           identifier_kind not null,
    value_index    bytea           not null,   -- HMAC-SHA-256 of kind and number, first 16 bytes
    participant_id bigint          not null,
    claimed_at     timestamptz     not null default now(),
    superseded_at  timestamptz,
    constraint identifier_pkey primary key (kind, value_index)
);

create table participant (
    id             bigint             not null default nextval('participant_id_seq'),
    registered_at  timestamptz        not null default now(),
    channel_id     bigint             not null,   -- the channel of the first enrollment; never changes
    -- Employer and association of the newest open enrollment: kept here, so that a page of people is one statement.
    employer_id    bigint,
    association_id bigint,
    birth_date     date               not null,
    sex            sex                not null,
    status         participant_status not null,   -- the best of the enrollments
    province_id    smallint           not null,   -- of residence; never derived from the identity number
    full_name      text               not null,
    name_key       text               not null collate "C",
    -- AES-256-GCM under the installation's key. Null only for foreigners, who hold a passport instead.
    national_id    bytea,
    phone          bytea,
    constraint participant_pkey primary key (id),
    -- The card number is the id in ten digits and a check digit.
    constraint participant_id_fits_card check (id between 1 and 9999999999)
);
-- Lists in the order of registration are lists in the order of id: ids are given out in that order.
create index participant_by_province on participant (province_id, id);
create index participant_by_channel on participant (channel_id, id);
create index participant_by_name on participant (name_key, id);
create index participant_by_word on participant using gin (to_tsvector('simple', name_key));
create index participant_by_day on participant using brin (registered_at);

create table enrollment (
    participant_id      bigint            not null references participant,
    id                  bigint            not null default nextval('enrollment_id_seq'),
    employer_id         bigint,
    association_id      bigint,
    channel_id          bigint            not null,
    onboarding_batch_id bigint,
    monthly_wage        bigint,                      -- whole rupiah
    starts_on           date              not null,
    ends_on             date,
    paid_through        date,                        -- last day of the last month paid for
    segment             segment           not null,
    status              enrollment_status not null,
    end_reason          end_reason,
    civil_servant       civil_servant_category,      -- null: not a civil servant
    province_id         smallint          not null,
    programmes          programme[]       not null,
    recorded_at         timestamptz       not null default now(),
    service_number      bytea,                       -- NIP, sealed like the identity number
    work_unit           text,                        -- SKPD or OPD
    grade               text,                        -- golongan
    flags               text[],                      -- codes of the warnings under which it was taken
    constraint enrollment_pkey primary key (participant_id, id),
    constraint enrollment_programmes check (cardinality(programmes) > 0),
    constraint enrollment_wage check (monthly_wage > 0),
    constraint enrollment_period check (ends_on is null or ends_on >= starts_on),
    constraint enrollment_ended_whole
        check ((status = 'ENDED') = (ends_on is not null) and (ends_on is null) = (end_reason is null)),
    constraint enrollment_payer check (employer_id is null or association_id is null)
);
-- One open enrollment per person, segment and employer or association: what makes a double enrollment impossible.
create unique index enrollment_one_open_per_payer
    on enrollment (participant_id, segment, coalesce(employer_id, -association_id, 0)) where ends_on is null;
create index enrollment_by_employer on enrollment (employer_id, participant_id) where employer_id is not null;
create index enrollment_by_association on enrollment (association_id, participant_id) where association_id is not null;

-- What happened to a person, and when it was recorded. Rows are only added.
create table participant_event (
    participant_id bigint                 not null references participant,
    id             bigint                 not null default nextval('participant_event_id_seq'),
    enrollment_id  bigint,
    channel_id     bigint,
    recorded_at    timestamptz            not null default now(),
    effective_on   date                   not null,
    kind           participant_event_kind not null,
    recorded_by    text                   not null,
    details        jsonb,                            -- never an identity number
    constraint participant_event_pkey primary key (participant_id, id)
);
