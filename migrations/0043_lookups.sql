-- A lookup by number reads in one statement the person and what the client has used of its quota, so the readers may read
-- these counts too.
grant select on lookup_miss to registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
    registry_of_association, registry_scoped;
