-- S10: one person by card number, which is made of the id.
\set id random(1, :people)
select p.id, p.registered_at, p.channel_id, p.employer_id, p.association_id, p.birth_date, p.sex, p.status, p.province_id, p.full_name, p.name_key, p.national_id from participant p where p.id = :id;
