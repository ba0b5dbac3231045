\set number random(1, 99999999999999)
\set province random(1, 34)
\set channel random(1, 1000)
\set employer random(1, :people / 80)
with enrolled as (
    insert into participants (nik, name, birth_date, gender, segment, status, province_id, channel_id, employer_id)
    values ('99' || lpad(:number::text, 14, '0'), 'Baru Terdaftar', '1990-01-01', 'M', 'WAGE', 'ACTIVE', :province, :channel,
            :employer)
    on conflict (nik) do nothing returning *),
history as (
    insert into enrollments (participant_id, event, segment, channel_id, employer_id, effective_on)
    select id, 'ENROLL', segment, channel_id, employer_id, current_date from enrolled),
counted as (
    update coverage_rollup r set active = r.active + 1 from enrolled i
    where r.province_id = i.province_id and r.segment = i.segment)
select i.id, i.nik, i.status, e.name, c.name
from enrolled i left join employers e on e.id = i.employer_id join channels c on c.id = i.channel_id;
