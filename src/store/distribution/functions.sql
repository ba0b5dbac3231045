-- The functions that differ on a cluster. Running this twice changes nothing.

-- Locks people until the transaction ends, and returns them. A worker locks rows for a statement that concerns no other worker,
-- so there is a statement for each shard, in the order of shards and ids: two transactions never wait for each other.

create or replace function registry_lock_people(people bigint[]) returns setof participant language plpgsql volatile as $$
declare
    of_shard bigint[];
begin
    for of_shard in
        select array_agg(id order by id) from (select distinct unnest(people) as id) p
        group by get_shard_id_for_distribution_column('participant', id)
        order by get_shard_id_for_distribution_column('participant', id)
    loop
        return query execute 'select * from participant where id = any ($1) order by id for no key update' using of_shard;
    end loop;
end
$$;

-- Rows that a transaction has written as one role are not read there as another one. So the program itself moves retracted
-- enrollments, and may delete enrollments.
alter function move_retracted_enrollments(bigint, bigint[]) security invoker;
grant select, insert on retracted_enrollment to registry_writer;
grant delete on enrollment to registry_writer;
