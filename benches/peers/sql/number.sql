\set id random(1, :people)
select id, name, status from participants where nik = nik_of(:id);
