DROP INDEX lead_single;
DROP FUNCTION running_reconciliations();
DROP POLICY owner_reads ON reconciliation_run;
DROP INDEX reconciliation_running;
ALTER TABLE reconciliation_run DROP COLUMN stored_as, DROP COLUMN background, DROP COLUMN phase, DROP COLUMN records;
DROP INDEX crm_change_destination;
DROP TABLE crm_link;
ALTER TABLE inbound_endpoint DROP COLUMN status_map;
ALTER TABLE inbound_hook DROP COLUMN confirmation;
