-- The months among `paid` that the payer owes all the same: a payment of the former employer had covered them, a transfer took them
-- over, and that money now pays for other months of the former employer.
alter table enrollment add column owed datemultirange;
alter table retracted_enrollment add column owed datemultirange;
