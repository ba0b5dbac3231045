-- The people of the scope by the words of their names, as registry_people_named, in PL/pgSQL: a cluster cannot plan a statement
-- on people within a function of the language SQL that has parameters. The program of before goes on with the former one.
create function registry_people_by_words(query tsquery) returns setof bigint
    language plpgsql stable security definer set search_path from current as $$
begin
    return query
        select p.id from participant p
        where p.province_id = any(registry_scope('provinces')::smallint[])
          and to_tsvector('simple', p.name_key) @@ query;
end $$;
-- An owner has to be able to create, for as long as it becomes the owner.
do $$
begin
    execute format('grant create on schema %I to registry_writer', current_schema);
    alter function registry_people_by_words(tsquery) owner to registry_writer;
    execute format('revoke create on schema %I from registry_writer', current_schema);
end $$;
