-- Whether the partner was told of a report by mail.
CREATE TABLE billing_announcement (
    tenant_id   uuid        NOT NULL,
    report_id   uuid        NOT NULL,
    -- The partner's address when it was ordered.
    email       text        NOT NULL,
    -- pending: it is tried, or tried again. failed: it will not be told unless somebody asks for it.
    state       text        NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    error       text,
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    PRIMARY KEY (tenant_id, report_id),
    FOREIGN KEY (tenant_id, report_id) REFERENCES billing_report,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);

-- What each new lead of a source costs from a day on. The cost of a lead is the one in force on the day of its receipt.
CREATE TABLE source_cost (
    tenant_id      uuid        NOT NULL REFERENCES tenant,
    source_id      uuid        NOT NULL,
    -- In the tenant's zone.
    effective_from date        NOT NULL,
    -- ISO 4217; the amount is its minor units.
    currency       text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    per_lead       bigint      NOT NULL CHECK (per_lead >= 0),
    created_at     timestamptz NOT NULL,
    created_by     text        NOT NULL,
    PRIMARY KEY (tenant_id, source_id, effective_from),
    FOREIGN KEY (tenant_id, source_id) REFERENCES lead_source
);

-- Names as they were at the close: a file that is made later says what the first one said.
ALTER TABLE billing_report ADD COLUMN partner_name text;
ALTER TABLE billing_report ADD COLUMN tenant_name text;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['billing_announcement', 'source_cost'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

-- Somebody of a partner sees what concerns its own reports.
CREATE POLICY partner_sight ON billing_announcement AS RESTRICTIVE
    USING ((SELECT nullif(current_setting('app.partner_id', true), '')::uuid) IS NULL
           OR report_id IN (SELECT id FROM billing_report));
