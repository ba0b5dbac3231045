-- Kept figures for those who see a part of the country: officers and analysts of provinces, officers of channels. Row
-- security here is the second lock, as it is on people (0009): the first is the scope in the statement.
--
-- By province everything is kept by province too; whom a channel brought in is kept by channel alone. Of employers and
-- associations there are no figures by province, so their partners get none of these.

grant select on figure, figure_day, figure_month to registry_of_provinces;
grant select on channel_figure, channel_figure_day, channel_figure_month, count_delta
    to registry_of_provinces, registry_of_channels, registry_scoped;

do $$
declare
    name text;
    of_channels boolean;
begin
    foreach name in array array['figure', 'figure_day', 'figure_month', 'channel_figure', 'channel_figure_day',
        'channel_figure_month', 'count_delta']
    loop
        of_channels := name not in ('figure', 'figure_day', 'figure_month');
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy reader on %I for select to registry_reader using (true)', name);
        execute format('create policy writer on %I to registry_writer using (true)', name);
        execute format('create policy owner on %I to current_user using (true)', name);
        execute format('create policy of_provinces on %I for select to registry_of_provinces
            using (province_id = any ((select registry_scope(''provinces''))::bigint[]))', name);
        continue when not of_channels;
        execute format('create policy of_channels on %I for select to registry_of_channels
            using (channel_id = any ((select registry_scope(''channels''))::bigint[]))', name);
        execute format('create policy scoped on %I for select to registry_scoped using (
            (select registry_scope_is_set())
            and (select coalesce(registry_scope(''employer''), registry_scope(''association''))) is null
            and ((select registry_scope(''provinces'')) is null
                 or province_id = any ((select registry_scope(''provinces''))::bigint[]))
            and ((select registry_scope(''channels'')) is null
                 or channel_id = any ((select registry_scope(''channels''))::bigint[])))', name);
    end loop;
end $$;

-- What is not folded yet also counts the people of employers and associations: for the whole country's readers alone.
create policy people_alone on count_delta as restrictive for select
    to registry_of_provinces, registry_of_channels, registry_scoped using (standing is not null);
