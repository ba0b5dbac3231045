-- Gives up the transaction of a statement that has begun to write and cannot complete it: see
-- src/store/enrollment/newcomers.rs. The registry then takes the way with several statements.
create function registry_give_up() returns boolean language plpgsql as $$
begin
    raise exception 'given up' using errcode = 'RG001';
end $$;
