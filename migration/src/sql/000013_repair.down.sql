ALTER TABLE delivery DROP COLUMN failed_once;
ALTER TABLE reconciliation_run DROP COLUMN tries;
DROP FUNCTION running_proofs();
DROP TABLE reconciliation_proof;
