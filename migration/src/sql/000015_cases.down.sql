ALTER TABLE sla_case DROP CONSTRAINT sla_case_closed_by, DROP COLUMN close_reason, DROP COLUMN closed_by;
