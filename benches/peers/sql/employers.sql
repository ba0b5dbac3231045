\set after random(0, :people / 80 - 21)
select json_agg(json_build_object('id', e.id, 'name', e.name, 'province', v.name,
    'total', (select count(*) from participants p where p.employer_id = e.id), 'participants', x.people) order by e.id)
from (select id, name, province_id from employers where id > :after order by id limit 20) e
join provinces v on v.id = e.province_id,
lateral (select json_agg(json_build_object('id', p.id, 'nik', p.nik, 'name', p.name) order by p.id) as people
         from (select id, nik, name from participants where employer_id = e.id order by id limit 10) p) x;
