-- A telephone number changes, and an employer that was closed in error, or whose account has to be settled, is open again.

alter type participant_event_kind add value 'CONTACT_CHANGED';

-- Closings that were lifted: employer.closed_on is null again. Only added to.
create sequence employer_reopening_id_seq;
create table employer_reopening (
    id          bigint      primary key default nextval('employer_reopening_id_seq'),
    employer_id bigint      not null references employer,
    closed_on   date        not null,   -- the day that the closing had
    reason      text        not null,
    reopened_by text        not null,   -- name of the client
    recorded_at timestamptz not null default clock_timestamp()
);
create index employer_reopening_by_employer on employer_reopening (employer_id, id);

create function refuse_to_change_a_reopening() returns trigger language plpgsql as $$
begin
    raise exception 'reopenings of employers can only be added to' using errcode = 'insufficient_privilege';
end $$;
create trigger employer_reopening_stays before update or delete or truncate on employer_reopening
    for each statement execute function refuse_to_change_a_reopening();

revoke all on employer_reopening from public;
grant select, insert on employer_reopening to registry_writer;
grant usage on sequence employer_reopening_id_seq to registry_writer;
