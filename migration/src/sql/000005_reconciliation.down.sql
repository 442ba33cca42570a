DROP FUNCTION due_reconciliations(timestamptz);
DROP TABLE crm_change, crm_record, reconciliation_step, reconciliation_difference, reconciliation_exception,
    reconciliation_run, reconciliation_plan;
