-- The 38 provinces of today, 34 of which existed on 2014-10-02, and the rules in force.
--
-- Provinces: Kepmendagri 300.2.2-2138 and -2430 of 2025, ISO 3166-2:ID. North Kalimantan: UU 20/2012. South, Central
-- and Highland Papua: UU 14, 15 and 16 of 2022, inaugurated on 2022-11-11. Southwest Papua: UU 29/2022.

insert into province (id, code, iso_code, established_year, valid_from, predecessor_id) values
    (11, '11', 'ID-AC', null, null, null),
    (12, '12', 'ID-SU', null, null, null),
    (13, '13', 'ID-SB', null, null, null),
    (14, '14', 'ID-RI', null, null, null),
    (15, '15', 'ID-JA', null, null, null),
    (16, '16', 'ID-SS', null, null, null),
    (17, '17', 'ID-BE', null, null, null),
    (18, '18', 'ID-LA', null, null, null),
    (19, '19', 'ID-BB', 2000, null, null),
    (21, '21', 'ID-KR', 2002, null, null),
    (31, '31', 'ID-JK', null, null, null),
    (32, '32', 'ID-JB', null, null, null),
    (33, '33', 'ID-JT', null, null, null),
    (34, '34', 'ID-YO', null, null, null),
    (35, '35', 'ID-JI', null, null, null),
    (36, '36', 'ID-BT', 2000, null, null),
    (51, '51', 'ID-BA', null, null, null),
    (52, '52', 'ID-NB', null, null, null),
    (53, '53', 'ID-NT', null, null, null),
    (61, '61', 'ID-KB', null, null, null),
    (62, '62', 'ID-KT', null, null, null),
    (63, '63', 'ID-KS', null, null, null),
    (64, '64', 'ID-KI', null, null, null),
    (65, '65', 'ID-KU', 2012, '2012-11-16', 64),
    (71, '71', 'ID-SA', null, null, null),
    (72, '72', 'ID-ST', null, null, null),
    (73, '73', 'ID-SN', null, null, null),
    (74, '74', 'ID-SG', null, null, null),
    (75, '75', 'ID-GO', 2000, null, null),
    (76, '76', 'ID-SR', 2004, null, null),
    (81, '81', 'ID-MA', null, null, null),
    (82, '82', 'ID-MU', 1999, null, null),
    (91, '91', 'ID-PA', null, null, null),
    (92, '92', 'ID-PB', 1999, null, null),
    (93, '93', 'ID-PS', 2022, '2022-11-11', 91),
    (94, '94', 'ID-PT', 2022, '2022-11-11', 91),
    (95, '95', 'ID-PE', 2022, '2022-11-11', 91),
    (96, '96', 'ID-PD', 2022, '2022-12-08', 92);

insert into province_edition (province_id, name, name_en, capital, valid_from, valid_until, source) values
    (11, 'Aceh', 'Aceh', 'Banda Aceh', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (12, 'Sumatera Utara', 'North Sumatra', 'Medan', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (13, 'Sumatera Barat', 'West Sumatra', 'Padang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (14, 'Riau', 'Riau', 'Pekanbaru', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (15, 'Jambi', 'Jambi', 'Jambi', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (16, 'Sumatera Selatan', 'South Sumatra', 'Palembang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (17, 'Bengkulu', 'Bengkulu', 'Bengkulu', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (18, 'Lampung', 'Lampung', 'Bandar Lampung', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (19, 'Kepulauan Bangka Belitung', 'Bangka Belitung Islands', 'Pangkalpinang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (21, 'Kepulauan Riau', 'Riau Islands', 'Tanjungpinang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (31, 'DKI Jakarta', 'Jakarta', 'Jakarta', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (32, 'Jawa Barat', 'West Java', 'Bandung', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (33, 'Jawa Tengah', 'Central Java', 'Semarang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (34, 'DI Yogyakarta', 'Special Region of Yogyakarta', 'Yogyakarta', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (35, 'Jawa Timur', 'East Java', 'Surabaya', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (36, 'Banten', 'Banten', 'Serang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (51, 'Bali', 'Bali', 'Denpasar', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (52, 'Nusa Tenggara Barat', 'West Nusa Tenggara', 'Mataram', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (53, 'Nusa Tenggara Timur', 'East Nusa Tenggara', 'Kupang', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (61, 'Kalimantan Barat', 'West Kalimantan', 'Pontianak', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (62, 'Kalimantan Tengah', 'Central Kalimantan', 'Palangka Raya', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (63, 'Kalimantan Selatan', 'South Kalimantan', 'Banjarmasin', '-infinity', '2022-03-15', 'capital moved in 2022; the day is recalled (UU 8/2022)'),
    (63, 'Kalimantan Selatan', 'South Kalimantan', 'Banjarbaru', '2022-03-16', null, 'Kepmendagri 300.2.2-2430/2025'),
    (64, 'Kalimantan Timur', 'East Kalimantan', 'Samarinda', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (65, 'Kalimantan Utara', 'North Kalimantan', 'Tanjung Selor', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (71, 'Sulawesi Utara', 'North Sulawesi', 'Manado', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (72, 'Sulawesi Tengah', 'Central Sulawesi', 'Palu', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (73, 'Sulawesi Selatan', 'South Sulawesi', 'Makassar', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (74, 'Sulawesi Tenggara', 'Southeast Sulawesi', 'Kendari', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (75, 'Gorontalo', 'Gorontalo', 'Gorontalo', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (76, 'Sulawesi Barat', 'West Sulawesi', 'Mamuju', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (81, 'Maluku', 'Maluku', 'Ambon', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (82, 'Maluku Utara', 'North Maluku', 'Sofifi', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (91, 'Papua', 'Papua', 'Jayapura', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (92, 'Papua Barat', 'West Papua', 'Manokwari', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (93, 'Papua Selatan', 'South Papua', 'Merauke', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (94, 'Papua Tengah', 'Central Papua', 'Nabire', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (95, 'Papua Pegunungan', 'Highland Papua', 'Wamena', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025'),
    (96, 'Papua Barat Daya', 'Southwest Papua', 'Sorong', '-infinity', null, 'Kepmendagri 300.2.2-2430/2025');

-- Every edition of the code book: today's 38, and those that identity numbers may still carry.
insert into national_id_region (code, source)
    select code, 'Kepmendagri 300.2.2-2430/2025' from province;
insert into national_id_region (code, source) values
    ('54', 'East Timor, until 1999; recalled, remove it if the agency disagrees');

insert into rule_setting (name, value, source) values
    ('service_number.minimum_age_at_appointment', '18', 'recalled'),
    ('service_number.contract_markers', '21', 'recalled: stands in place of the month in the number of a PPPK'),
    ('name_match.minimum_shared_words', '1', 'ours: when a known identity number comes with another name');

insert into programme_rule (code, programme, segments, valid_from, title) values
    ('JKK', 'WORK_ACCIDENT', '{WAGE_EARNER,SELF_EMPLOYED,CONSTRUCTION,MIGRANT_WORKER}', '1993-02-27', 'PP 14/1993; since 2015-07-01 PP 44/2015'),
    ('JKM', 'DEATH', '{WAGE_EARNER,SELF_EMPLOYED,CONSTRUCTION,MIGRANT_WORKER}', '1993-02-27', 'PP 14/1993; since 2015-07-01 PP 44/2015'),
    ('JHT', 'OLD_AGE', '{WAGE_EARNER,SELF_EMPLOYED,MIGRANT_WORKER}', '1993-02-27', 'PP 14/1993; since 2015-07-01 PP 46/2015'),
    ('JP', 'PENSION', '{WAGE_EARNER}', '2015-07-01', 'Perpres 109/2013 Pasal 6(2)'),
    ('JKP', 'JOB_LOSS', '{WAGE_EARNER}', '2021-02-02', 'PP 37/2021');

insert into civil_servant_rule (code, category, eligible, valid_from, valid_until, title) values
    ('PNS-2014', 'PNS', true, '1993-02-27', '2015-06-30', 'Perpres 109/2013; agreements of the provinces, 2014'),
    ('CPNS-2014', 'CPNS', true, '1993-02-27', '2015-06-30', 'Perpres 109/2013; agreements of the provinces, 2014'),
    ('PPPK-2014', 'PPPK', true, '1993-02-27', '2015-06-30', 'Perpres 109/2013; agreements of the provinces, 2014'),
    ('PNS-2015', 'PNS', false, '2015-07-01', null, 'PP 70/2015 (PT TASPEN); the first day is recalled'),
    ('CPNS-2015', 'CPNS', false, '2015-07-01', null, 'PP 70/2015 (PT TASPEN); the first day is recalled'),
    ('PPPK-2015', 'PPPK', false, '2015-07-01', null, 'PP 70/2015 (PT TASPEN); the first day is recalled'),
    ('NON-ASN', 'NON_ASN', true, '1993-02-27', null, 'PP 49/2023 Pasal 5');

insert into age_rule (code, segment, minimum, maximum, valid_from, title) values
    ('AGE-PU', 'WAGE_EARNER', 15, null, '1993-02-27', 'UU 13/2003 Pasal 69; recalled'),
    ('AGE-BPU', 'SELF_EMPLOYED', 15, 65, '1993-02-27', 'Agency, August 2014: at most 65 years; the minimum is recalled'),
    ('AGE-JAKON', 'CONSTRUCTION', 15, null, '1993-02-27', 'UU 13/2003 Pasal 69; recalled'),
    ('AGE-PMI', 'MIGRANT_WORKER', 18, null, '1993-02-27', 'UU 18/2017 Pasal 5; recalled');

-- The percentages are those of PP 44/2015 and its companions; those of 2014 were the same as far as is recalled.
insert into contribution_rule (code, programme, segment, risk_class, employer_ppm, worker_ppm, worker_flat, wage_ceiling, valid_from, valid_until, title) values
    ('JKK-PU-1', 'WORK_ACCIDENT', 'WAGE_EARNER', 1, 2400, 0, 0, null, '1993-02-27', null, 'PP 44/2015 Lampiran I, risk class I: 0.24 %'),
    ('JKK-PU-2', 'WORK_ACCIDENT', 'WAGE_EARNER', 2, 5400, 0, 0, null, '1993-02-27', null, 'PP 44/2015 Lampiran I, risk class II: 0.54 %'),
    ('JKK-PU-3', 'WORK_ACCIDENT', 'WAGE_EARNER', 3, 8900, 0, 0, null, '1993-02-27', null, 'PP 44/2015 Lampiran I, risk class III: 0.89 %'),
    ('JKK-PU-4', 'WORK_ACCIDENT', 'WAGE_EARNER', 4, 12700, 0, 0, null, '1993-02-27', null, 'PP 44/2015 Lampiran I, risk class IV: 1.27 %'),
    ('JKK-PU-5', 'WORK_ACCIDENT', 'WAGE_EARNER', 5, 17400, 0, 0, null, '1993-02-27', null, 'PP 44/2015 Lampiran I, risk class V: 1.74 %'),
    ('JKM-PU', 'DEATH', 'WAGE_EARNER', null, 3000, 0, 0, null, '1993-02-27', null, 'PP 44/2015: 0.30 % of the wage'),
    ('JHT-PU', 'OLD_AGE', 'WAGE_EARNER', null, 37000, 20000, 0, null, '1993-02-27', null, 'PP 46/2015: 3.7 % and 2 %'),
    ('JP-PU-2015', 'PENSION', 'WAGE_EARNER', null, 20000, 10000, 0, null, '2015-07-01', '2023-02-28', 'PP 45/2015: 2 % and 1 %; ceilings before 2023 are not recorded here'),
    ('JP-PU-2023', 'PENSION', 'WAGE_EARNER', null, 20000, 10000, 0, 9559600, '2023-03-01', '2024-02-29', 'PP 45/2015: 2 % and 1 %, up to Rp 9,559,600'),
    ('JP-PU-2024', 'PENSION', 'WAGE_EARNER', null, 20000, 10000, 0, 10042300, '2024-03-01', null, 'PP 45/2015: 2 % and 1 %, up to Rp 10,042,300'),
    ('JKK-BPU', 'WORK_ACCIDENT', 'SELF_EMPLOYED', null, 0, 10000, 0, null, '1993-02-27', null, 'PP 44/2015: 1 % of the income reported'),
    ('JKM-BPU', 'DEATH', 'SELF_EMPLOYED', null, 0, 0, 6800, null, '1993-02-27', null, 'PP 44/2015: Rp 6,800'),
    ('JHT-BPU', 'OLD_AGE', 'SELF_EMPLOYED', null, 0, 20000, 0, null, '1993-02-27', null, 'PP 46/2015: 2 % of the income reported');
