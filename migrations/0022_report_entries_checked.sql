-- Reads all entries of the audit trail once, beside whoever adds some: see 0021.
alter table audit_entry validate constraint audit_entry_names_somebody;
