-- The history of wages. An enrollment keeps the wage of its form in monthly_wage; changes stand beside it, as the paid months
-- do, so that every statement that reads an enrollment has its wages, under the row security of the enrollment. What was
-- recorded when, by whom and why is in participant_event, which is only added to; `registry recount` compares both.

alter type participant_event_kind add value 'WAGE_CHANGED';
alter type participant_event_kind add value 'MOVED';

alter table enrollment
    -- Days from which another wage holds, in order, and the wages (whole rupiah a month). Both null: it never changed.
    add column wages_from date[],
    add column wages      bigint[],
    add constraint enrollment_wages_whole check ((wages_from is null) = (wages is null)
        and cardinality(wages_from) = cardinality(wages) and cardinality(wages) > 0),
    add constraint enrollment_wages_positive check (0 < all (wages)),
    add constraint enrollment_wages_from_begin check (starts_on <= all (wages_from));

-- By which wage a contribution month goes, and which wages are not accepted. A kind without a rule in force demands nothing.
create table wage_rule (
    code        text primary key,
    kind        text not null,
    valid_from  date not null,
    valid_until date,
    title       text not null,
    constraint wage_rule_kind check (kind in ('MONTH_BY_FIRST_DAY', 'MONTH_BY_LAST_DAY', 'WHOLE_MONTHS_ONLY',
        'PAST_NEEDS_REASON')),
    constraint wage_rule_period check (valid_until is null or valid_until >= valid_from)
);
insert into wage_rule (code, kind, valid_from, title) values
    ('WAGE-MONTH', 'MONTH_BY_LAST_DAY', '1993-02-27',
     'Ours: a contribution month goes by the wage on the last day of it that the enrollment covers; not found in a regulation'),
    ('WAGE-WHOLE-MONTHS', 'WHOLE_MONTHS_ONLY', '1993-02-27',
     'Agency, November 2020 (B/11003/112020): the wage of a part of a month is not accepted; the first day is ours'),
    ('WAGE-PAST', 'PAST_NEEDS_REASON', '1993-02-27',
     'Ours: a wage counts from the period in which it is reported; an earlier one is a correction with a reason');

revoke all on wage_rule from public;
grant select on wage_rule to registry_writer, registry_reader, registry_of_provinces, registry_of_channels,
    registry_of_employer, registry_of_association, registry_scoped;
create trigger wage_rule_announces after insert or update or delete on wage_rule
    for each statement execute function announce_reference_change();
