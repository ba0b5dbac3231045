\set id random(1, :people)
select p.id, p.nik, p.name, p.status, e.name, ep.name, c.name, c.kind, pp.name
from participants p left join employers e on e.id = p.employer_id left join provinces ep on ep.id = e.province_id
join channels c on c.id = p.channel_id join provinces pp on pp.id = p.province_id where p.id = :id;
