-- Looking up at a destination what was sent again: the last time, and how far it is. What came of each lead is a step of its difference.
CREATE TABLE reconciliation_proof (
    tenant_id      uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    actor          text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    error          text,
    -- Leads to look up when the work began.
    total          integer     NOT NULL DEFAULT 0,
    -- Found there; looked up or failed on the way, and not there; not handed over yet.
    found          integer     NOT NULL DEFAULT 0,
    absent         integer     NOT NULL DEFAULT 0,
    waiting        integer     NOT NULL DEFAULT 0,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    PRIMARY KEY (tenant_id, destination_id),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    CHECK ((state = 'running') = (finished_at IS NULL))
);
ALTER TABLE reconciliation_proof ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliation_proof FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON reconciliation_proof
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY owner_reads ON reconciliation_proof FOR SELECT TO CURRENT_USER USING (true);

-- Those that have not ended, whoever works on them.
CREATE FUNCTION running_proofs() RETURNS TABLE (tenant_id uuid, destination_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT p.tenant_id, p.destination_id FROM reconciliation_proof p WHERE p.state = 'running' $$;

-- How often a run was tried: one of the night that fails is tried again, in the same row.
ALTER TABLE reconciliation_run ADD COLUMN tries integer NOT NULL DEFAULT 1;
-- Whether as_of was said, or is their API's; else it is the time at which the list came, and nothing is sent again by itself.
ALTER TABLE reconciliation_run ADD COLUMN as_of_known boolean NOT NULL DEFAULT false;

-- It came to an end that needed a person, whatever became of it since. budget_from does not say so: it also grows when an attempt is not
-- counted. The owner is bound by the policies too, so they are lifted for what is there already.
ALTER TABLE delivery ADD COLUMN failed_once boolean NOT NULL DEFAULT false;
ALTER TABLE delivery NO FORCE ROW LEVEL SECURITY;
UPDATE delivery SET failed_once = true WHERE budget_from > 0;
ALTER TABLE delivery FORCE ROW LEVEL SECURITY;

-- Destinations whose hour has come in their tenant's day, and which have had no run of that day yet. Not in that hour only: in spring the
-- clock may leave it out, and a process that was down then does not lose the night. A plan that was made after the hour waits for the next.
CREATE OR REPLACE FUNCTION due_reconciliations(at timestamptz) RETURNS TABLE (tenant_id uuid, destination_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.tenant_id, p.destination_id
        FROM reconciliation_plan p JOIN tenant t ON t.id = p.tenant_id
        CROSS JOIN LATERAL (SELECT (date_trunc('day', at AT TIME ZONE t.time_zone) + make_interval(hours => p.nightly_hour))
                                   AT TIME ZONE t.time_zone AS begins) due
        WHERE due.begins <= at AND p.updated_at < due.begins
          AND NOT EXISTS (SELECT FROM reconciliation_run r
                          WHERE r.tenant_id = p.tenant_id AND r.destination_id = p.destination_id AND r.actor = 'schedule'
                            AND r.created_at >= due.begins)
    $$;
