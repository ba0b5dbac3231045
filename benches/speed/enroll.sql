-- S6: the rows of one enrollment of a new person with an employer, in one transaction.
\set employer random(39, :employers)
\set given random(1, 8)
\set family random(1, 8)
begin;
insert into idempotency (client, operation, key, fingerprint, outcome) values ('pgbench', 'enrollParticipant', gen_random_uuid()::text, sha256('form'), '{"value": {"participant": 1234567, "enrollment": 1234567}, "warnings": []}');
insert into identifier (kind, value_index, participant_id) values ('NATIONAL_ID', uuid_send(gen_random_uuid()), nextval('participant_id_seq')) returning participant_id \gset
insert into participant (id, channel_id, employer_id, birth_date, sex, status, province_id, full_name, name_key, national_id) select :participant_id, :channel, :employer, date '1970-05-17', 'FEMALE', 'ACTIVE', 16, initcap(n), n, decode(repeat('a7', 45), 'hex') from (values ((array['siti', 'ani', 'dewi', 'rina', 'agus', 'budi', 'eko', 'heru'])[:given] || ' ' || (array['rahayu', 'saputra', 'wijaya', 'hidayat', 'lubis', 'siregar', 'utama', 'yusuf'])[:family])) as name (n);
insert into enrollment (participant_id, employer_id, channel_id, monthly_wage, starts_on, counts_from, paid, paid_through, lapses_on, segment, status, province_id, programmes) values (:participant_id, :employer, :channel, 2000000, date '2014-11-01', date '2014-10-02', '{2014-11-01,2014-11-30}', date '2014-11-30', date '2015-03-01', 'WAGE_EARNER', 'ACTIVE', 16, '{WORK_ACCIDENT,DEATH}') returning id as enrollment_id \gset
insert into participant_event (participant_id, enrollment_id, channel_id, effective_on, kind, recorded_by) values (:participant_id, :enrollment_id, :channel, date '2014-11-01', 'ENROLLED', 'pgbench');
insert into count_delta (province_id, channel_id, standing, employer_id, status, persons, effective_on) values (16, :channel, 1, null, null, 1, date '2014-10-02'), (16, :channel, null, :employer, 'ACTIVE', 1, null);
commit;
