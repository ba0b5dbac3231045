-- What was recorded in error is taken back: the history of the person is computed as if it had never been recorded, and
-- the event stays, with who took it back, when and why. The events themselves are still only added to.

create type retraction_state as enum ('AWAITING_APPROVAL', 'RETRACTED', 'DECLINED');
create sequence event_retraction_id_seq;

-- Of the person, hence distributed like it.
create table event_retraction (
    participant_id bigint           not null,
    id             bigint           not null default nextval('event_retraction_id_seq'),
    event_id       bigint           not null,
    named_event_id bigint           not null,   -- the event that was named: this one follows from it or was recorded with it
    state          retraction_state not null,
    reason         text             not null,
    requested_at   timestamptz      not null default now(),
    requested_by   text             not null,   -- name of the client
    decided_at     timestamptz,                 -- when it was retracted or declined
    decided_by     text,                        -- the second client; null where none is needed
    end_reason     end_reason,                  -- of an end: the enrollment no longer has it
    constraint event_retraction_pkey primary key (participant_id, id),
    constraint event_retraction_decided check ((state = 'AWAITING_APPROVAL') = (decided_at is null)),
    -- Who asks does not approve.
    constraint event_retraction_of_two check (decided_by is distinct from requested_by)
);
-- An event is taken back once.
create unique index event_retraction_once on event_retraction (participant_id, event_id) where state <> 'DECLINED';

-- Enrollments whose own event was taken back: no statement on enrollments finds them. The columns are those of
-- `enrollment`, in its order: a migration that adds one adds it here too.
create table retracted_enrollment (
    like enrollment including defaults,
    constraint retracted_enrollment_pkey primary key (participant_id, id)
);

revoke all on event_retraction, retracted_enrollment from public;
grant select on event_retraction to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
grant insert, update on event_retraction to registry_writer;
grant usage on sequence event_retraction_id_seq to registry_writer;
grant select, update on retracted_enrollment to registry_writer;

alter table event_retraction enable row level security, force row level security;
alter table retracted_enrollment enable row level security, force row level security;
create policy reader on event_retraction for select to registry_reader using (true);
create policy writer on event_retraction to registry_writer using (true);
create policy owner on event_retraction to current_user using (true);
create policy writer on retracted_enrollment to registry_writer using (true);
create policy owner on retracted_enrollment to current_user using (true);
-- Whoever may see the event may see that it was taken back; the event's own policies say who that is.
create policy of_event on event_retraction for select
    to registry_of_provinces, registry_of_channels, registry_of_employer, registry_of_association, registry_scoped
    using (exists (select from participant_event v
                   where v.participant_id = event_retraction.participant_id and v.id = event_retraction.event_id));

-- Nobody deletes an enrollment; one whose own event is retracted moves, and this is the only way. Returns the sealed service
-- numbers of those that moved.
create function move_retracted_enrollments(person bigint, ids bigint[]) returns setof bytea language sql security definer
    set search_path from current as $$
    with gone as (
        delete from enrollment e
        where e.participant_id = person and e.id = any(ids)
              and exists (select from participant_event v
                          join event_retraction r on r.participant_id = v.participant_id and r.event_id = v.id
                          where v.participant_id = e.participant_id and v.enrollment_id = e.id and v.kind = 'ENROLLED'
                                and r.state = 'RETRACTED')
        returning *)
    insert into retracted_enrollment select * from gone returning service_number
$$;
revoke all on function move_retracted_enrollments(bigint, bigint[]) from public;
grant execute on function move_retracted_enrollments(bigint, bigint[]) to registry_writer;
