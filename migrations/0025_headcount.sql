-- What companies answer for when they ask for a licence: also those who have left, and what was declared when.

-- Ending an enrollment pays nothing: who left in arrears is kept beside the figures of an answer.
alter table clearance add column left_in_arrears bigint not null default 0,
    add constraint clearance_left_in_arrears check (left_in_arrears >= 0);
