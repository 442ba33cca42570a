-- Whom alerts reach.
CREATE TABLE alert_channel (
    tenant_id      uuid        NOT NULL REFERENCES tenant,
    id             uuid        NOT NULL,
    name           text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    kind           text        NOT NULL CHECK (kind IN ('email', 'webhook')),
    -- Sealed: the mail address or the URL, which may be a secret.
    target_sealed  bytea       NOT NULL,
    -- What a person may see of it: the mail address, the masked URL.
    target_shown   text        NOT NULL,
    -- Sealed: the secret that signs a webhook's requests (Standard Webhooks).
    signing_sealed bytea,
    -- Whether it gets the summary of each day.
    daily_summary  boolean     NOT NULL DEFAULT false,
    enabled        boolean     NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- What is watched, and from where on it is an alert.
CREATE TABLE alert_rule (
    tenant_id      uuid        NOT NULL REFERENCES tenant,
    id             uuid        NOT NULL,
    name           text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    kind           text        NOT NULL CHECK (kind IN ('failed_leads', 'success_rate', 'destination_held', 'reconciliation', 'silent_source')),
    -- Of one destination, of one source; of all when null.
    destination_id uuid,
    source_id      uuid,
    -- failed_leads, reconciliation: more than so many; success_rate: below so many percent; silent_source: for so many hours;
    -- destination_held: always 0.
    threshold      integer     NOT NULL CHECK (threshold >= 0),
    -- success_rate: of the leads that were first sent within so many minutes.
    window_minutes integer     CHECK (window_minutes BETWEEN 1 AND 44640),
    -- Ids of the channels that hear of it; every enabled one when null.
    channels       uuid[],
    enabled        boolean     NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source,
    CHECK ((kind = 'success_rate') = (window_minutes IS NOT NULL)),
    CHECK (kind <> 'silent_source' OR source_id IS NOT NULL)
);

-- A condition that holds, or held: raised once, told once, until it clears.
CREATE TABLE alert (
    tenant_id  uuid        NOT NULL REFERENCES tenant,
    id         uuid        NOT NULL,
    -- The rule that found it; null when a part of Baton did without one, or when the rule is gone.
    rule_id    uuid,
    kind       text        NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    -- What tells conditions apart, such as the rule's id.
    condition  text        NOT NULL CHECK (char_length(condition) BETWEEN 1 AND 200),
    title      text        NOT NULL,
    detail     text        NOT NULL,
    raised_at  timestamptz NOT NULL,
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rule ON DELETE SET NULL (rule_id)
);
CREATE UNIQUE INDEX alert_open ON alert (tenant_id, condition) WHERE cleared_at IS NULL;

-- What one channel is told: of an alert, or of a day.
CREATE TABLE alert_notice (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    channel_id uuid        NOT NULL,
    alert_id   uuid,
    -- The day that it sums up, in the tenant's zone.
    day        date,
    title      text        NOT NULL,
    body       text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    -- Why it was not sent; its last try.
    error      text,
    created_at timestamptz NOT NULL,
    sent_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, alert_id, channel_id),
    UNIQUE (tenant_id, channel_id, day),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES alert_channel ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alert,
    CHECK ((alert_id IS NULL) <> (day IS NULL))
);

-- What a tenant sets for its alerts as a whole.
CREATE TABLE alert_setting (
    tenant_id    uuid     NOT NULL PRIMARY KEY REFERENCES tenant,
    -- The hour of the tenant's day at which the summary of the day before is sent.
    summary_hour smallint NOT NULL CHECK (summary_hour BETWEEN 0 AND 23)
);

-- How a destination reports back.
CREATE TABLE inbound_endpoint (
    tenant_id       uuid        NOT NULL,
    destination_id  uuid        NOT NULL,
    -- bonzo: event hooks with a static code. standard: Standard Webhooks. npa: status of a lead, with a static code.
    kind            text        NOT NULL CHECK (kind IN ('bonzo', 'standard', 'npa')),
    -- Sealed: the code, or the secret of the signature.
    secret_sealed   bytea       NOT NULL,
    -- Sealed: the one before, which is taken as well until the sender has the new one.
    previous_sealed bytea,
    enabled         boolean     NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, destination_id),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination
);

-- A report as it came in, kept before anybody reads it; and what came of reading it.
CREATE TABLE inbound_hook (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    destination_id uuid        NOT NULL,
    received_at    timestamptz NOT NULL,
    -- The sender's id of the message, or a hash of what makes it one.
    dedupe_key     text        NOT NULL CHECK (char_length(dedupe_key) BETWEEN 1 AND 200),
    body           text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('received', 'processed', 'ignored', 'failed')),
    -- The lead that it was about.
    lead_id        uuid,
    -- What was done, or why nothing was.
    result         text,
    processed_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, destination_id, dedupe_key),
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destination,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead
);

-- A report names the lead by the destination's own id of it. Partial: no other statement can take it for the primary key.
CREATE INDEX delivery_remote ON delivery (tenant_id, destination_id, remote_id) WHERE remote_id IS NOT NULL;

-- Who wants no more contact.
CREATE TABLE suppression (
    tenant_id  uuid        NOT NULL REFERENCES tenant,
    id         uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('phone', 'email')),
    -- E.164, or the address in lower case.
    value      text        NOT NULL CHECK (char_length(value) BETWEEN 3 AND 320),
    reason     text,
    -- The lead whose person asked, when one did.
    lead_id    uuid,
    -- Who entered it: a user, a key, or the destination that reported it.
    actor      text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, value),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['alert_channel', 'alert_rule', 'alert', 'alert_notice', 'alert_setting', 'inbound_endpoint',
                                'inbound_hook', 'suppression'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

CREATE POLICY owner_reads ON alert_rule FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON alert_channel FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON inbound_endpoint FOR SELECT TO CURRENT_USER USING (true);

-- Tenants that have something to watch or to sum up.
CREATE FUNCTION tenants_with_alerts() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT tenant_id FROM alert_rule WHERE enabled
        UNION
        SELECT tenant_id FROM alert_channel WHERE enabled AND daily_summary
    $$;

-- Whose destination that is, before a report from it is trusted.
CREATE FUNCTION tenant_of_inbound_endpoint(destination uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT tenant_id FROM inbound_endpoint WHERE destination_id = destination AND enabled $$;
