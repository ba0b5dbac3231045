-- A batch onboards people of any payer: of an employer of any kind, of an association, or people who pay for themselves.

alter table onboarding_batch
    alter column employer_id drop not null,
    alter column category drop not null,              -- null: people who do not work for a government
    add column association_id bigint references association,
    add column segment segment not null default 'WAGE_EARNER',
    add constraint onboarding_batch_one_payer check (employer_id is null or association_id is null),
    add constraint onboarding_batch_category check (category is null or segment = 'WAGE_EARNER');
create index onboarding_batch_by_association on onboarding_batch (association_id, id) where association_id is not null;

alter policy of_association on onboarding_batch
    using (association_id = any ((select registry_scope('association'))::bigint[]));
alter policy scoped on onboarding_batch using (
    (select registry_scope_is_set())
    and ((select registry_scope('provinces')) is null
         or province_id = any ((select registry_scope('provinces'))::bigint[]))
    and ((select registry_scope('channels')) is null
         or channel_id = any ((select registry_scope('channels'))::bigint[]))
    and ((select registry_scope('employer')) is null
         or employer_id = any ((select registry_scope('employer'))::bigint[]))
    and ((select registry_scope('association')) is null
         or association_id = any ((select registry_scope('association'))::bigint[]))
);

-- NON_ASN is staff of a government. The people of other employers who were enrolled as such are wage earners like all
-- others there, and count as formal workers on all days: the next start counts everybody again, if there are any. A
-- service number that was given with the form stays claimed, and stays sealed in its column.
with mended as (
    update enrollment e set civil_servant = null
    where e.civil_servant = 'NON_ASN'
      and not exists (select from employer p where p.id = e.employer_id and p.kind = 'GOVERNMENT')
    returning e.id
)
update installation set figures_due = true where exists (select from mended);
