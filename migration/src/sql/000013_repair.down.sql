CREATE OR REPLACE FUNCTION due_reconciliations(at timestamptz) RETURNS TABLE (tenant_id uuid, destination_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.tenant_id, p.destination_id
        FROM reconciliation_plan p JOIN tenant t ON t.id = p.tenant_id
        WHERE p.nightly_hour = extract(hour FROM at AT TIME ZONE t.time_zone)
    $$;
ALTER TABLE delivery DROP COLUMN failed_once;
ALTER TABLE reconciliation_run DROP COLUMN as_of_known;
ALTER TABLE reconciliation_run DROP COLUMN tries;
DROP FUNCTION running_proofs();
DROP TABLE reconciliation_proof;
