-- S4: twenty employers, the first ten people and the count of each. One transaction in twenty takes other employers.
\set turn random(1, 20)
\if :turn = 1 or :n = 0
\set n random(1, :sets)
select cursor_id, ids from bench.employers where n = :n \gset
\endif
select id, registered_at, name, name_key, kind, tax_number_sealed, business_number, risk_class, province_id, declared_headcount from employer where id > :cursor_id order by id limit 21;
select k.id, q.* from unnest(:ids::bigint[]) k (id) cross join lateral (select p.id as participant_id, p.registered_at, p.channel_id, p.employer_id, p.association_id, p.birth_date, p.sex, p.status, p.province_id, p.full_name, p.name_key, p.national_id from enrollment e join participant p on p.id = e.participant_id where e.employer_id = k.id order by e.participant_id limit 11) q;
select employer_id, status, persons from employer_count where employer_id = any(:ids);
