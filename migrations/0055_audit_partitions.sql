-- The audit trail becomes a table of partitions, so that old entries can be taken away as a whole. A partition has a range of
-- ids: seals know each entry by its id, so the trail says exactly which entries a partition had. Ids grow with time, so a
-- partition is a stretch of time.
--
-- The table of before becomes the first partition, without copying or indexing a row: see the next migration. This constraint
-- makes that quick. Servers go on adding entries meanwhile, so there is room for a million more.
do $$
declare
    size constant bigint := 10000000;
    next bigint := (select last_value from audit_entry_id_seq);
begin
    execute format('alter table audit_entry add constraint audit_entry_of_before check (id < %s) not valid',
                   ((next + 1000000) / size + 1) * size);
end $$;
