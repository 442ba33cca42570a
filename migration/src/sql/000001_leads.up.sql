-- A client whose leads Baton runs.
CREATE TABLE tenant (
    id          uuid        NOT NULL PRIMARY KEY,
    slug        text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text        NOT NULL,
    -- An IANA name, as in America/Denver.
    time_zone   text        NOT NULL DEFAULT 'UTC',
    created_at  timestamptz NOT NULL
);

-- Where leads come from.
CREATE TABLE lead_source (
    tenant_id   uuid        NOT NULL REFERENCES tenant,
    id          uuid        NOT NULL,
    slug        text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('experian', 'transunion', 'leadsource', 'npa', 'generic')),
    -- Of kind generic: the tenant's own mapping. The built-in kinds carry theirs in the program.
    mapping     jsonb       CHECK ((kind = 'generic') = (mapping IS NOT NULL)),
    enabled     boolean     NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

-- A file on its way in. Its counts are the sums of its batches.
CREATE TABLE import (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    source_id     uuid        NOT NULL,
    file_name     text        NOT NULL,
    file_bytes    bigint      NOT NULL,
    -- SHA-256 of the file as it was sent: the same file is recognised, an interrupted import is found again.
    file_hash     bytea       NOT NULL CHECK (octet_length(file_hash) = 32),
    -- Where the file waits, relative to the data folder; null when a command reads it where it lies.
    stored_as     text,
    state         text        NOT NULL CHECK (state IN ('received', 'running', 'done', 'failed', 'cancelled')),
    error         text,
    encoding      text,
    format        text,
    -- The header of a CSV file, for the export and the correction of refused records.
    columns       text[],
    -- The character between the cells of a CSV file.
    delimiter     text,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    -- Who works on it and until when that holds; another may take over after that.
    leased_until  timestamptz,
    lease         uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source
);
CREATE INDEX import_unfinished ON import (tenant_id, created_at) WHERE state IN ('received', 'running');

-- What one batch of an import came to; its row commits with the batch, so a batch counts exactly once.
CREATE TABLE import_batch (
    tenant_id    uuid        NOT NULL,
    import_id    uuid        NOT NULL,
    batch        integer     NOT NULL,
    bytes_read   bigint      NOT NULL,
    records      integer     NOT NULL,
    accepted     integer     NOT NULL,
    warned       integer     NOT NULL,
    updated      integer     NOT NULL,
    duplicates   integer     NOT NULL,
    rejected     integer     NOT NULL,
    skipped      integer     NOT NULL,
    committed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, import_id, batch),
    FOREIGN KEY (tenant_id, import_id) REFERENCES import
);

CREATE TABLE lead (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    source_id     uuid        NOT NULL,
    import_id     uuid,
    -- Number of the record in its import, from 1; of two records of one lead the later one wins, whichever commits first.
    record        integer,
    received_at   timestamptz NOT NULL,
    -- 128-bit hash of source and external id, or of source and content when there is none: names the lead.
    identity      uuid        NOT NULL,
    -- 128-bit hash of all normalised content: the same record again changes nothing.
    fingerprint   uuid        NOT NULL,
    -- Within these the phone, the e-mail names one lead: the source, the tenant, or (no such rule) the lead itself.
    phone_scope   uuid        CHECK ((phone_scope IS NULL) = (phone IS NULL)),
    email_scope   uuid        CHECK ((email_scope IS NULL) = (email IS NULL)),
    external_id   text,
    lead_type     text,
    channel       text        NOT NULL CHECK (channel IN ('file', 'api', 'web', 'sms', 'voice')),
    first_name    text,
    last_name     text,
    -- E.164.
    phone         text,
    phone_ext     text,
    alt_phones    text[],
    email         text,
    alt_emails    text[],
    address       text,
    city          text,
    state         text,
    zip           text,
    zip4          text,
    -- Further fields by name, typed: numbers are exact decimals, days are ISO 8601.
    details       jsonb       NOT NULL,
    -- Columns that the mapping does not name and raw text that could not be read.
    extra         jsonb,
    -- [{field, code, message, value}]
    warnings      jsonb,
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source,
    FOREIGN KEY (tenant_id, import_id) REFERENCES import,
    CHECK (phone IS NOT NULL OR email IS NOT NULL)
);
CREATE UNIQUE INDEX lead_identity ON lead (tenant_id, identity);
CREATE UNIQUE INDEX lead_phone ON lead (tenant_id, phone, phone_scope) WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX lead_email ON lead (tenant_id, email, email_scope) WHERE email IS NOT NULL;
-- The primary key comes after the other indexes. Of a tenant that the statistics do not know yet the planner expects one row,
-- so every index that begins with tenant_id seems to cost the same, and of equals it takes the newest: it must be the one
-- that finds the row, not one that walks through all rows of the tenant.
ALTER TABLE lead ADD PRIMARY KEY (tenant_id, id);

-- A step of a lead's journey that no other row says: its receipt is in the lead, its deliveries are in their attempts.
CREATE TABLE lead_event (
    tenant_id   uuid        NOT NULL,
    lead_id     uuid        NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('updated', 'duplicate', 'triggered', 'corrected', 'retried')),
    at          timestamptz NOT NULL,
    -- The user or key that did it, when a person or a program asked for it.
    actor       text,
    import_id   uuid,
    record      integer,
    -- Of the record that caused it: the same record again causes nothing.
    fingerprint uuid,
    data        jsonb,
    PRIMARY KEY (tenant_id, lead_id, id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead,
    FOREIGN KEY (tenant_id, import_id) REFERENCES import
);
CREATE UNIQUE INDEX lead_event_once ON lead_event (tenant_id, lead_id, fingerprint) WHERE fingerprint IS NOT NULL;

CREATE TABLE failed_record (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    source_id   uuid        NOT NULL,
    import_id   uuid,
    record      integer     NOT NULL,
    line        bigint      NOT NULL,
    -- The record as it was sent, decoded.
    raw         text        NOT NULL,
    -- Hash of file and record number, or of the raw text of a single record: refused once, listed once.
    fingerprint uuid        NOT NULL,
    -- [{field, code, message, value}], every reason.
    reasons     jsonb       NOT NULL,
    state       text        NOT NULL CHECK (state IN ('open', 'corrected', 'dismissed')),
    created_at  timestamptz NOT NULL,
    resolved_at timestamptz,
    resolved_by text,
    -- The lead that came of its correction.
    lead_id     uuid,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, source_id, fingerprint),
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source,
    FOREIGN KEY (tenant_id, import_id) REFERENCES import,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead
);
CREATE INDEX failed_record_import ON failed_record (tenant_id, import_id, record);

-- The answer that was given for an idempotency key; the same key with another body is a conflict.
CREATE TABLE idempotency (
    tenant_id    uuid        NOT NULL,
    source_id    uuid        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    response     jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source_id, key),
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source
);

-- Where leads are delivered.
CREATE TABLE destination (
    tenant_id           uuid        NOT NULL,
    id                  uuid        NOT NULL,
    slug                text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name                text        NOT NULL,
    kind                text        NOT NULL CHECK (kind IN ('bonzo', 'webhook')),
    -- Sealed: the address of a webhook is a secret that lets anybody post leads.
    url_sealed          bytea       NOT NULL,
    -- What a person may see of it.
    url_masked          text        NOT NULL,
    -- Sealed: the secret that signs requests (Standard Webhooks); null where the kind has none.
    signing_sealed      bytea,
    -- What stands for a missing first name; null holds such a lead.
    first_name_fallback text,
    enabled             boolean     NOT NULL DEFAULT true,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

-- One lead on its way to one destination.
CREATE TABLE delivery (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    lead_id        uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'held')),
    attempts       smallint    NOT NULL DEFAULT 0,
    -- Attempts made before a person last retried it: numbers go on counting, the budget starts afresh.
    budget_from    smallint    NOT NULL DEFAULT 0,
    -- Not before this; while a worker has it, the end of that worker's lease.
    due_at         timestamptz NOT NULL,
    lease          uuid,
    -- Why it is held or failed.
    reason         text,
    remote_id      text,
    finished_at    timestamptz,
    UNIQUE (tenant_id, lead_id, destination_id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead,
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination
);
CREATE INDEX delivery_due ON delivery (tenant_id, due_at) WHERE state = 'pending';
CREATE INDEX delivery_attention ON delivery (tenant_id, id) WHERE state IN ('failed', 'held');
-- After the other indexes, as of lead.
ALTER TABLE delivery ADD PRIMARY KEY (tenant_id, id);

-- One request to a destination and what came of it. Never updated.
CREATE TABLE delivery_attempt (
    tenant_id        uuid        NOT NULL,
    delivery_id      uuid        NOT NULL,
    number           smallint    NOT NULL,
    started_at       timestamptz NOT NULL,
    duration_us      integer     NOT NULL,
    outcome          text        NOT NULL CHECK (outcome IN ('delivered', 'refused', 'retryable', 'unknown')),
    http_status      smallint,
    error_kind       text,
    -- The headers of interest, secrets redacted.
    response_headers jsonb,
    -- Capped, decoded as UTF-8 with replacements.
    response_body    text,
    PRIMARY KEY (tenant_id, delivery_id, number),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES delivery
);
CREATE INDEX delivery_attempt_time ON delivery_attempt USING brin (started_at);

-- Isolation. nullif: after a first SET LOCAL the setting of a connection reads '' and not NULL.
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenant
    USING (id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (id = nullif(current_setting('app.tenant_id', true), '')::uuid);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lead_source', 'import', 'import_batch', 'lead', 'lead_event', 'failed_record',
                                'idempotency', 'destination', 'delivery', 'delivery_attempt'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

-- What looks across tenants: three functions that answer ids only. They run as the owner, whom FORCE would blind too
-- unless it is a superuser, hence its right to read these three tables.
CREATE POLICY owner_reads ON tenant FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON delivery FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON import FOR SELECT TO CURRENT_USER USING (true);

-- The tenant of that slug, before anybody has signed in.
CREATE FUNCTION tenant_of_slug(wanted text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id FROM tenant WHERE slug = wanted $$;

-- Tenants with a delivery that is due, found by hopping from tenant to tenant in the index of pending ones.
CREATE FUNCTION tenants_with_due_deliveries(at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH RECURSIVE hop AS (
            (SELECT tenant_id FROM delivery WHERE state = 'pending' ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT d.tenant_id FROM delivery d
                    WHERE d.state = 'pending' AND d.tenant_id > hop.tenant_id ORDER BY d.tenant_id LIMIT 1)
            FROM hop WHERE hop.tenant_id IS NOT NULL
        )
        SELECT hop.tenant_id FROM hop
        WHERE hop.tenant_id IS NOT NULL
          AND EXISTS (SELECT FROM delivery d
                      WHERE d.tenant_id = hop.tenant_id AND d.state = 'pending' AND d.due_at <= at)
    $$;

-- Tenants with an import that nobody works on.
CREATE FUNCTION tenants_with_waiting_imports(at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT DISTINCT tenant_id FROM import
        WHERE state IN ('received', 'running') AND stored_as IS NOT NULL
          AND (leased_until IS NULL OR leased_until <= at)
    $$;
