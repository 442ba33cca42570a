-- What the service's own API says of a report that only a static code vouches for. confirmed: it says the same. contradicted: it does
-- not, and the report has no effect. unchecked: there is no API to ask. Null: its signature, or nobody has asked yet.
ALTER TABLE inbound_hook ADD COLUMN confirmation text CHECK (confirmation IN ('confirmed', 'contradicted', 'unchecked'));
-- The sender's own words for where a lead stands → the step that they mean, beside the usual words.
ALTER TABLE inbound_endpoint ADD COLUMN status_map jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(status_map) = 'object');

-- Whose a lead is at the service, and in which campaigns it is there, as it was last reported. The names stand in crm_record, which may
-- come to know the record later.
CREATE TABLE crm_link (
    tenant_id      uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('user', 'campaign')),
    remote_id      text        NOT NULL CHECK (char_length(remote_id) BETWEEN 1 AND 320),
    lead_id        uuid        NOT NULL,
    -- When it was first reported so.
    since          timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead
);
CREATE INDEX crm_link_lead ON crm_link (tenant_id, lead_id);
ALTER TABLE crm_link ADD PRIMARY KEY (tenant_id, destination_id, kind, remote_id, lead_id);
ALTER TABLE crm_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_link FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON crm_link
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- The changes of one destination, newest first.
CREATE INDEX crm_change_destination ON crm_change (tenant_id, destination_id, id);

ALTER TABLE reconciliation_run
    -- Where the list waits, relative to the data folder; null when a command reads it where it lies, or it is their API's.
    ADD COLUMN stored_as  text,
    -- It goes on by itself: another process takes it over when the one that works on it dies.
    ADD COLUMN background boolean NOT NULL DEFAULT false,
    -- What it does now, and how many records of their list it has so far.
    ADD COLUMN phase      text    CHECK (phase IN ('waiting', 'fetching', 'reading', 'comparing')),
    ADD COLUMN records    integer NOT NULL DEFAULT 0;
CREATE INDEX reconciliation_running ON reconciliation_run (tenant_id, destination_id) WHERE state = 'running';

CREATE POLICY owner_reads ON reconciliation_run FOR SELECT TO CURRENT_USER USING (true);

-- Runs that have not ended, whoever works on them.
CREATE FUNCTION running_reconciliations() RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT r.tenant_id, r.id FROM reconciliation_run r WHERE r.state = 'running' $$;

-- Leads that came without a file, by their source: when it was last heard of. Partial, so that importing files costs nothing more and no
-- other statement takes it for the primary key.
CREATE INDEX lead_single ON lead (tenant_id, source_id, id) WHERE import_id IS NULL;
