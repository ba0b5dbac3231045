-- Moves between provinces. province_id stays where a person lives today; former provinces stand beside it. What was recorded
-- when, by whom and why is in participant_event; `registry recount` compares both.
alter table participant
    -- Provinces where the person lived before, in order, and the days on which the person moved away from each. Both null:
    -- the person never moved.
    add column former_provinces smallint[],
    add column moved_on         date[],
    add constraint participant_moves check ((former_provinces is null) = (moved_on is null)
        and cardinality(former_provinces) = cardinality(moved_on) and cardinality(moved_on) > 0);
