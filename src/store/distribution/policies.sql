-- Row security of the distributed tables. A worker sees one shard of one table at a time, so a policy there may compare a row
-- with the scope, but not read another table: docs/scale-out.md says what is narrower than in one database.
--
-- Each policy keeps its name and its roles. Running this twice changes nothing.

alter policy of_provinces on participant using (province_id = any (registry_scope('provinces')));
alter policy of_channels on participant using (registry_scope('channels') is not null);
alter policy of_employer on participant using (registry_scope('employer') is not null);
alter policy of_association on participant using (registry_scope('association') is not null);
alter policy scoped on participant using (
    registry_scope_is_set()
    and (registry_scope('provinces') is null or province_id = any (registry_scope('provinces')))
);

alter policy of_provinces on enrollment using (registry_scope('provinces') is not null);
alter policy of_channels on enrollment using (registry_scope('channels') is not null);
alter policy of_employer on enrollment using (employer_id = any (registry_scope('employer')));
alter policy of_association on enrollment using (association_id = any (registry_scope('association')));
alter policy scoped on enrollment using (
    registry_scope_is_set()
    and (registry_scope('employer') is null or employer_id = any (registry_scope('employer')))
    and (registry_scope('association') is null or association_id = any (registry_scope('association')))
);

-- A death is told to a payer by the end of its own enrollment.
alter policy of_provinces on participant_event using (registry_scope('provinces') is not null);
alter policy of_channels on participant_event using (registry_scope('channels') is not null);
alter policy of_employer on participant_event
    using (registry_scope('employer') is not null and (enrollment_id is not null or kind <> 'DIED'));
alter policy of_association on participant_event
    using (registry_scope('association') is not null and (enrollment_id is not null or kind <> 'DIED'));
alter policy scoped on participant_event using (
    registry_scope_is_set()
    and (coalesce(registry_scope('employer'), registry_scope('association')) is null
         or enrollment_id is not null or kind <> 'DIED')
);

alter policy of_event on former_number using (registry_scope_is_set());
alter policy of_event on event_retraction using (registry_scope_is_set());
