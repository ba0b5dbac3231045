-- S1: the four statements of a page, as a batch loader sends them. One transaction in twenty takes other keys.
\set turn random(1, 20)
\if :turn = 1 or :n = 0
\set n random(1, :sets)
select province_id, employers, channels, provinces from bench.page where n = :n \gset
\endif
select id, registered_at, channel_id, employer_id, association_id, birth_date, sex, status, province_id, full_name, name_key, national_id from participant where province_id = :province_id and status = 'ACTIVE' order by id limit 51;
select id, registered_at, name, name_key, kind, tax_number_sealed, business_number, risk_class, province_id, declared_headcount from employer where id = any(:employers);
select c.id, c.code, c.name, c.kind, c.operator, c.parent_id, c.opened_on, c.closed_on, p.province_id from channel c join channel_province p on p.channel_id = c.id where c.id = any(:channels);
select p.id, p.code, p.iso_code, e.name, e.name_en, e.capital from province p join province_edition e on e.province_id = p.id and e.valid_until is null where p.id = any(:provinces);
