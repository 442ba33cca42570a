-- Destinations as data: `settings` overrides the profile of the kind (RFC 7396), `credentials_sealed` holds the named secrets that
-- its templates ask for.
ALTER TABLE destination DROP CONSTRAINT destination_kind_check;
ALTER TABLE destination
    ADD CONSTRAINT destination_kind_check CHECK (kind IN ('bonzo', 'bonzo_api', 'npa', 'boberdoo', 'webhook')),
    ADD COLUMN settings           jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    -- Sealed JSON: {"name": "secret"}.
    ADD COLUMN credentials_sealed bytea,
    -- While a signing secret is replaced, the older one signs too, until then.
    ADD COLUMN signing_old_sealed bytea,
    ADD COLUMN signing_old_until  timestamptz,
    -- closed: leads flow. open: nobody answers there; one delivery is tried at `probe_at`, and its success closes the breaker.
    -- held: it does not let us in, or a person stopped it; leads wait until a person resumes it.
    ADD COLUMN breaker            text        NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'held')),
    ADD COLUMN breaker_reason     text,
    ADD COLUMN breaker_since      timestamptz,
    ADD COLUMN probe_at           timestamptz,
    ADD COLUMN probes             smallint    NOT NULL DEFAULT 0,
    -- With a rate limit: from when on the next request may be made.
    ADD COLUMN slot_at            timestamptz,
    ADD CONSTRAINT destination_probe CHECK ((breaker = 'open') = (probe_at IS NOT NULL)),
    ADD CONSTRAINT destination_older_secret CHECK ((signing_old_sealed IS NULL) = (signing_old_until IS NULL));

-- unknown: it may or may not have arrived, and a person decides. rejected: the client's own rule stopped it before it was sent.
ALTER TABLE delivery DROP CONSTRAINT delivery_state_check;
ALTER TABLE delivery
    ADD CONSTRAINT delivery_state_check
        CHECK (state IN ('pending', 'delivered', 'failed', 'held', 'unknown', 'rejected')),
    -- What kind of end that is, in one word, beside the sentence in `reason`.
    ADD COLUMN code   text,
    -- The last request may have arrived: look it up before another one is sent.
    ADD COLUMN unsure boolean NOT NULL DEFAULT false;

ALTER TABLE delivery_attempt DROP CONSTRAINT delivery_attempt_outcome_check;
ALTER TABLE delivery_attempt
    ADD CONSTRAINT delivery_attempt_outcome_check
        CHECK (outcome IN ('delivered', 'refused', 'barred', 'retryable', 'unknown')),
    -- What was found when the destination was asked before sending again; `found` and `failed` stand for the whole attempt.
    ADD COLUMN looked_up text CHECK (looked_up IN ('found', 'absent', 'failed'));

-- By destination, so that what waits for one that is held or slow is never walked over on the way to another's.
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (tenant_id, destination_id, due_at) WHERE state = 'pending';
DROP INDEX delivery_attention;
CREATE INDEX delivery_attention ON delivery (tenant_id, id) WHERE state IN ('failed', 'held', 'unknown');
-- The primary key comes after the other indexes, as the first migration explains.
ALTER TABLE delivery_attempt DROP CONSTRAINT delivery_attempt_tenant_id_delivery_id_fkey;
ALTER TABLE delivery DROP CONSTRAINT delivery_pkey;
ALTER TABLE delivery ADD PRIMARY KEY (tenant_id, id);
ALTER TABLE delivery_attempt ADD FOREIGN KEY (tenant_id, delivery_id) REFERENCES delivery;

CREATE POLICY owner_reads ON destination FOR SELECT TO CURRENT_USER USING (true);

-- Destinations that are open and have a delivery that is due, found by hopping through the index of pending ones.
DROP FUNCTION tenants_with_due_deliveries(timestamptz);
CREATE FUNCTION due_destinations(at timestamptz) RETURNS TABLE (tenant_id uuid, destination_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH RECURSIVE hop AS (
            (SELECT d.tenant_id, d.destination_id FROM delivery d WHERE d.state = 'pending'
             ORDER BY d.tenant_id, d.destination_id LIMIT 1)
            UNION ALL
            SELECT next.tenant_id, next.destination_id FROM hop CROSS JOIN LATERAL (
                SELECT d.tenant_id, d.destination_id FROM delivery d
                WHERE d.state = 'pending' AND (d.tenant_id, d.destination_id) > (hop.tenant_id, hop.destination_id)
                ORDER BY d.tenant_id, d.destination_id LIMIT 1) next
        )
        SELECT hop.tenant_id, hop.destination_id
        FROM hop JOIN destination t ON t.tenant_id = hop.tenant_id AND t.id = hop.destination_id
        WHERE t.enabled AND (t.breaker = 'closed' OR (t.breaker = 'open' AND t.probe_at <= at))
          AND EXISTS (SELECT FROM delivery d
                      WHERE d.tenant_id = hop.tenant_id AND d.destination_id = hop.destination_id
                        AND d.state = 'pending' AND d.due_at <= at)
    $$;
