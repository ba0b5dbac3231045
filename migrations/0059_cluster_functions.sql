-- Locks people in the order of their ids until the transaction ends, and returns them. It is a function because a cluster locks
-- the people of one worker at a time: there `registry migrate` replaces it (src/store/distribution/functions.sql).
create function registry_lock_people(people bigint[]) returns setof participant language sql volatile as $$
    select * from participant where id = any (people) order by id for no key update
$$;
revoke all on function registry_lock_people(bigint[]) from public;
grant execute on function registry_lock_people(bigint[]) to registry_writer;

-- A cluster runs no SQL function with parameters on the tables of its workers.
create or replace function move_retracted_enrollments(person bigint, ids bigint[]) returns setof bytea language plpgsql
    security definer set search_path from current as $$
begin
    return query with gone as (
        delete from enrollment e
        where e.participant_id = person and e.id = any(ids)
              and exists (select from participant_event v
                          join event_retraction r on r.participant_id = v.participant_id and r.event_id = v.id
                          where v.participant_id = e.participant_id and v.enrollment_id = e.id and v.kind = 'ENROLLED'
                                and r.state = 'RETRACTED')
        returning *)
    insert into retracted_enrollment select * from gone returning service_number;
end
$$;
