-- Locks people in the order of their ids until the transaction ends, and returns them. It is a function because a cluster locks
-- the people of one worker at a time: there `registry migrate` replaces it (src/store/distribution/locking.sql).
create function registry_lock_people(people bigint[]) returns setof participant language sql volatile as $$
    select * from participant where id = any (people) order by id for no key update
$$;
revoke all on function registry_lock_people(bigint[]) from public;
grant execute on function registry_lock_people(bigint[]) to registry_writer;
