DROP FUNCTION due_destinations(timestamptz);
DROP POLICY owner_reads ON destination;
-- What only the newer words say is kept: the older constraints hold for new rows alone.
ALTER TABLE delivery_attempt DROP CONSTRAINT delivery_attempt_outcome_check, DROP COLUMN looked_up;
ALTER TABLE delivery_attempt ADD CONSTRAINT delivery_attempt_outcome_check
    CHECK (outcome IN ('delivered', 'refused', 'retryable', 'unknown')) NOT VALID;
ALTER TABLE delivery DROP CONSTRAINT delivery_state_check, DROP COLUMN code, DROP COLUMN unsure;
ALTER TABLE delivery ADD CONSTRAINT delivery_state_check CHECK (state IN ('pending', 'delivered', 'failed', 'held'))
    NOT VALID;
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (tenant_id, due_at) WHERE state = 'pending';
DROP INDEX delivery_attention;
CREATE INDEX delivery_attention ON delivery (tenant_id, id) WHERE state IN ('failed', 'held');
ALTER TABLE delivery_attempt DROP CONSTRAINT delivery_attempt_tenant_id_delivery_id_fkey;
ALTER TABLE delivery DROP CONSTRAINT delivery_pkey;
ALTER TABLE delivery ADD PRIMARY KEY (tenant_id, id);
ALTER TABLE delivery_attempt ADD FOREIGN KEY (tenant_id, delivery_id) REFERENCES delivery;
ALTER TABLE destination
    DROP CONSTRAINT destination_kind_check, DROP CONSTRAINT destination_probe,
    DROP CONSTRAINT destination_older_secret,
    DROP COLUMN settings, DROP COLUMN credentials_sealed, DROP COLUMN signing_old_sealed, DROP COLUMN signing_old_until,
    DROP COLUMN breaker, DROP COLUMN breaker_reason, DROP COLUMN breaker_since, DROP COLUMN probe_at, DROP COLUMN probes,
    DROP COLUMN slot_at;
ALTER TABLE destination ADD CONSTRAINT destination_kind_check CHECK (kind IN ('bonzo', 'webhook')) NOT VALID;
CREATE FUNCTION tenants_with_due_deliveries(at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT DISTINCT tenant_id FROM delivery WHERE state = 'pending' AND due_at <= at $$;
