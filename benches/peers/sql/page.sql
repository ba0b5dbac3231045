\set province random(1, 34)
\set after random(0, :people * 9 / 10)
select p.id, p.nik, p.name, p.segment, e.name, ep.name, c.name, cp.name
from (select id, nik, name, segment, employer_id, channel_id from participants
      where province_id = :province and status = 'ACTIVE' and id > :after order by id limit 50) p
left join employers e on e.id = p.employer_id left join provinces ep on ep.id = e.province_id
join channels c on c.id = p.channel_id join provinces cp on cp.id = c.province_id order by p.id;
