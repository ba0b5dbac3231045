-- Compares the rows of before, without keeping writers out: each has an identity number.
alter table participant validate constraint participant_identified;
