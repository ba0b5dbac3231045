-- Names are stored, searched and compared in one form: Unicode normalization form C, accents kept, and no characters
-- that cannot be seen. Names that were stored in another form before are brought into it.
--
-- The key of a name is what it is searched by. Keys had lost the accents of names in decomposed form: each word of such
-- a key becomes the word of the name that it stands for. A key that another association of the province has stays as
-- it is.

create function pg_temp.in_one_form(name text) returns text language sql immutable as $$
    select normalize(regexp_replace(name, '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f'
        '\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]', '', 'g'), NFC)
$$;

do $$
declare
    -- A collation that knows the capitals of all letters; that of the database may know those of ASCII alone.
    letters text := (
        select quote_ident(collname) from pg_collation
        where collname in ('und-x-icu', 'pg_c_utf8', 'C.utf8') and collencoding in (-1, pg_char_to_encoding('UTF8'))
        order by array_position(array['und-x-icu', 'pg_c_utf8', 'C.utf8'], collname::text) limit 1
    );
begin
    execute format($f$
        create function pg_temp.key_in_one_form(name text, key text) returns text language sql as $k$
            with words as (
                select distinct on (plain collate "C") plain collate "C" as plain, word collate "C" as word
                from regexp_split_to_table(
                         normalize(lower(regexp_replace(name, '[''’‘`´ʼ]', '', 'g') collate %s), NFC),
                         '[\s!-/:-@\[-\u0060{-~\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f]+'
                     ) as word,
                     regexp_replace(normalize(word, NFD), '[\u0300-\u036f]', '', 'g') as plain
            )
            select string_agg(coalesce(w.word, k.word collate "C"), ' ' order by k.at)
            from unnest(string_to_array(key, ' ')) with ordinality as k(word, at) left join words w on w.plain = k.word collate "C"
        $k$
    $f$, coalesce(letters, '"default"'));
end $$;

do $$
declare
    -- Another form than NFC, marks that have no composed form, or characters that cannot be seen.
    others constant text := '[\u0300-\u036f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f'
        '\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]';
    one record;
begin
    if getdatabaseencoding() <> 'UTF8' then
        return;   -- no other encoding has several forms of one name
    end if;
    update participant
    set full_name = pg_temp.in_one_form(full_name),
        name_key = pg_temp.key_in_one_form(pg_temp.in_one_form(full_name), name_key)
    where full_name is not nfc normalized or full_name ~ others;
    update employer
    set name = pg_temp.in_one_form(name), name_key = pg_temp.key_in_one_form(pg_temp.in_one_form(name), name_key)
    where name is not nfc normalized or name ~ others;
    update channel
    set name = pg_temp.in_one_form(name), name_key = pg_temp.key_in_one_form(pg_temp.in_one_form(name), name_key)
    where name is not nfc normalized or name ~ others;
    for one in select id, pg_temp.in_one_form(name) as name, name_key from association
               where name is not nfc normalized or name ~ others loop
        update association set name = one.name where id = one.id;
        begin
            update association set name_key = pg_temp.key_in_one_form(one.name, one.name_key) where id = one.id;
        exception when unique_violation then
            null;
        end;
    end loop;
end $$;

drop function pg_temp.key_in_one_form(text, text);
drop function pg_temp.in_one_form(text);
