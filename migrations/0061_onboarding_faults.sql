-- Failures of an onboarding in a row for which no reason outside of it is known. It waits longer after each, and in the end it is
-- stopped: without this it would be tried for ever, and its client's other onboardings would wait behind it.
alter table onboarding_batch add column faults smallint not null default 0;
