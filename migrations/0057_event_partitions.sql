-- The history of people becomes a table of partitions, so that old events can be taken away as a whole. A partition has a range
-- of ids: they come from one sequence and grow with time, so a partition is a stretch of time, and the primary key (person,
-- event) needs no other column. The same event cannot be in two partitions.
--
-- One billion ids are 125 GB: four years of monthly contributions of 20 million people, and a quarter of a year of 280 million.
-- Smaller partitions could be detached more exactly, but the history of a person looks into each of them: ten years of 280
-- million people are 34 partitions, and would be 135 of 250 million ids.
--
-- The table of before becomes the first partition, without copying or indexing a row: see the next migration. This constraint
-- makes that quick. Servers go on adding events meanwhile, so there is room for a million more.
do $$
declare
    size constant bigint := 1000000000;
    next bigint := (select last_value from participant_event_id_seq);
begin
    execute format('alter table participant_event add constraint participant_event_of_before check (id < %s) not valid',
                   ((next + 1000000) / size + 1) * size);
end $$;
