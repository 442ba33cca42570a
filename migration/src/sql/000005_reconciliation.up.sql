-- How a destination is reconciled.
CREATE TABLE reconciliation_plan (
    tenant_id        uuid        NOT NULL,
    destination_id   uuid        NOT NULL,
    -- How their list is read (domain::reconciliation::Mapping).
    mapping          jsonb       NOT NULL DEFAULT '{}',
    -- Their API's base, as in https://app.getbonzo.com/api/v3; null: lists come as files only.
    api_url          text,
    -- Sealed: the bearer token of their API.
    api_token_sealed bytea,
    -- The hour of the tenant's day at which a run begins by itself; null: on demand only.
    nightly_hour     smallint    CHECK (nightly_hour BETWEEN 0 AND 23),
    -- What is missing is sent again without asking, up to this many a run; 0: a person decides.
    auto_resend_max  integer     NOT NULL DEFAULT 0 CHECK (auto_resend_max >= 0),
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, destination_id),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    CHECK (nightly_hour IS NULL OR api_url IS NOT NULL)
);

-- One comparison of what we handed over with what a destination has. Its counts never change once it is done.
CREATE TABLE reconciliation_run (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    destination_id  uuid        NOT NULL,
    -- Where their list came from: a file, or their API.
    origin          text        NOT NULL CHECK (origin IN ('file', 'api')),
    file_name       text,
    -- SHA-256 of the list as it was read, page after page for an API.
    list_hash       bytea       CHECK (octet_length(list_hash) = 32),
    -- Leads handed over in that period, over that channel; null: all.
    since           timestamptz,
    before          timestamptz,
    channel         text,
    -- Their list is of this time: what we handed over later is not missing.
    as_of           timestamptz NOT NULL,
    actor           text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    error           text,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    -- Our deliveries within its scope, and the rows of their list.
    ours            integer     NOT NULL DEFAULT 0,
    theirs          integer     NOT NULL DEFAULT 0,
    skipped         integer     NOT NULL DEFAULT 0,
    matched         integer     NOT NULL DEFAULT 0,
    mismatched      integer     NOT NULL DEFAULT 0,
    missing         integer     NOT NULL DEFAULT 0,
    merge_suspected integer     NOT NULL DEFAULT 0,
    unconfirmed     integer     NOT NULL DEFAULT 0,
    duplicated      integer     NOT NULL DEFAULT 0,
    unexpected      integer     NOT NULL DEFAULT 0,
    extra_known     integer     NOT NULL DEFAULT 0,
    pre_existing    integer     NOT NULL DEFAULT 0,
    enriched        integer     NOT NULL DEFAULT 0,
    opted_out       integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination
);
CREATE INDEX reconciliation_run_destination ON reconciliation_run (tenant_id, destination_id, id);

-- A difference on its way to its end; found again by the next run, it is the same one.
CREATE TABLE reconciliation_exception (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    -- What it is about: a lead's id, or a record of theirs.
    subject        text        NOT NULL,
    lead_id        uuid,
    delivery_id    uuid,
    remote_id      text,
    state          text        NOT NULL CHECK (state IN ('open', 'resending', 'resolved', 'accepted')),
    owner          text,
    -- Why it was accepted, or how it was resolved.
    reason         text,
    first_run_id   uuid        NOT NULL,
    -- The last run that saw it, where its evidence stands.
    last_run_id    uuid        NOT NULL,
    opened_at      timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, destination_id, kind, subject),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead,
    FOREIGN KEY (tenant_id, first_run_id) REFERENCES reconciliation_run,
    FOREIGN KEY (tenant_id, last_run_id) REFERENCES reconciliation_run
);
CREATE INDEX reconciliation_exception_open ON reconciliation_exception (tenant_id, id) WHERE state IN ('open', 'resending');

-- What a run saw, both sides as they were. Never updated.
CREATE TABLE reconciliation_difference (
    tenant_id       uuid    NOT NULL,
    run_id          uuid    NOT NULL,
    exception_id    uuid    NOT NULL,
    -- [{field, ours, theirs}]
    fields          jsonb,
    ours            jsonb,
    theirs          jsonb,
    -- Another lead's record there has this lead's phone, e-mail or id: two people may have become one.
    merge_suspected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, run_id, exception_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES reconciliation_run,
    FOREIGN KEY (tenant_id, exception_id) REFERENCES reconciliation_exception
);

-- What happened to an exception. Never updated.
CREATE TABLE reconciliation_step (
    tenant_id    uuid        NOT NULL,
    exception_id uuid        NOT NULL,
    id           uuid        NOT NULL,
    at           timestamptz NOT NULL,
    actor        text        NOT NULL,
    -- The state that it brought; unchanged when somebody took it over or wrote a note.
    state        text        NOT NULL,
    note         text,
    PRIMARY KEY (tenant_id, exception_id, id),
    FOREIGN KEY (tenant_id, exception_id) REFERENCES reconciliation_exception
);

-- The service's own tables that are kept here: its users and campaigns.
CREATE TABLE crm_record (
    tenant_id      uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('user', 'campaign')),
    remote_id      text        NOT NULL,
    name           text        NOT NULL,
    email          text,
    -- Whether the service still has it and calls it active.
    active         boolean     NOT NULL,
    -- What else the service says of it.
    data           jsonb       NOT NULL,
    first_seen_at  timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    synced_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, destination_id, kind, remote_id),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination
);

-- What changed of them. Never updated.
CREATE TABLE crm_change (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    kind           text        NOT NULL,
    remote_id      text        NOT NULL,
    at             timestamptz NOT NULL,
    change         text        NOT NULL CHECK (change IN ('added', 'changed', 'removed')),
    -- {field: [was, is]}
    fields         jsonb       NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, destination_id, kind, remote_id) REFERENCES crm_record
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reconciliation_plan', 'reconciliation_run', 'reconciliation_exception',
                                'reconciliation_difference', 'reconciliation_step', 'crm_record', 'crm_change'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

CREATE POLICY owner_reads ON reconciliation_plan FOR SELECT TO CURRENT_USER USING (true);

-- Destinations that are reconciled by themselves in that hour of their tenant's day.
CREATE FUNCTION due_reconciliations(at timestamptz) RETURNS TABLE (tenant_id uuid, destination_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.tenant_id, p.destination_id
        FROM reconciliation_plan p JOIN tenant t ON t.id = p.tenant_id
        WHERE p.nightly_hour = extract(hour FROM at AT TIME ZONE t.time_zone)
    $$;
