-- S3: one person by identity number, with its related rows. One transaction in twenty takes another person.
\set turn random(1, 20)
\if :turn = 1 or :n = 0
\set n random(1, :sets)
select value_index, employer_id, channel_id, provinces from bench.person where n = :n \gset
\endif
select p.id, p.registered_at, p.channel_id, p.employer_id, p.association_id, p.birth_date, p.sex, p.status, p.province_id, p.full_name, p.name_key, p.national_id from identifier i join participant p on p.id = i.participant_id where i.kind = 'NATIONAL_ID' and i.value_index = :value_index;
select id, registered_at, name, name_key, kind, tax_number_sealed, business_number, risk_class, province_id, declared_headcount from employer where id = :employer_id;
select c.id, c.code, c.name, c.kind, c.operator, c.parent_id, c.opened_on, c.closed_on, p.province_id from channel c join channel_province p on p.channel_id = c.id where c.id = :channel_id;
select p.id, p.code, p.iso_code, e.name, e.name_en, e.capital from province p join province_edition e on e.province_id = p.id and e.valid_until is null where p.id = any(:provinces);
