select p.name, c.segment, c.active from coverage_rollup c join provinces p on p.id = c.province_id;
