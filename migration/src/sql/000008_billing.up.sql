-- What lead users act on.
CREATE TABLE product (
    tenant_id   uuid        NOT NULL REFERENCES tenant,
    id          uuid        NOT NULL,
    slug        text        NOT NULL CHECK (slug ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    name        text        NOT NULL,
    description text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

-- What actions cost. Its prices are in its versions.
CREATE TABLE rate_plan (
    tenant_id   uuid        NOT NULL REFERENCES tenant,
    id          uuid        NOT NULL,
    slug        text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

-- A version is never changed: another one takes effect later. A period is rated by the version in force on its first day.
CREATE TABLE rate_plan_version (
    tenant_id      uuid        NOT NULL,
    plan_id        uuid        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    effective_from date        NOT NULL,
    -- Prices, overrides, cap, duplicates, recognition: docs/billing.md.
    spec           jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text        NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, version),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES rate_plan
);

-- A company that is billed for its leads' actions.
CREATE TABLE partner (
    tenant_id    uuid        NOT NULL REFERENCES tenant,
    id           uuid        NOT NULL,
    slug         text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name         text        NOT NULL,
    -- Lower case. Where its reports are announced.
    email        text        NOT NULL,
    -- ISO 4217.
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- An IANA name: its billing periods begin at that zone's midnight.
    time_zone    text        NOT NULL,
    plan_id      uuid        NOT NULL,
    -- Whether a period is closed by itself once it is over.
    closes_itself boolean    NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug),
    UNIQUE (tenant_id, email),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES rate_plan
);

-- A partner's end customer.
CREATE TABLE lead_user (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    partner_id  uuid        NOT NULL,
    -- Lower case.
    email       text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, partner_id, email),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES partner
);

-- What a lead user did. Appended, never changed.
CREATE TABLE lead_action (
    tenant_id    uuid        NOT NULL,
    -- Made of partner and key, so that the same action is the same row, whichever way and however often it comes in.
    id           uuid        NOT NULL,
    partner_id   uuid        NOT NULL,
    lead_user_id uuid        NOT NULL,
    product_id   uuid        NOT NULL,
    -- The lead that the user came of, when the sender says so.
    lead_id      uuid,
    lead_type    text        NOT NULL,
    action_type  text        NOT NULL,
    level        text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    -- Its period was closed when it came in: it is billed as an adjustment of a later one.
    late         boolean     NOT NULL,
    FOREIGN KEY (tenant_id, partner_id) REFERENCES partner,
    FOREIGN KEY (tenant_id, lead_user_id) REFERENCES lead_user,
    FOREIGN KEY (tenant_id, product_id) REFERENCES product,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead
);
CREATE INDEX lead_action_time ON lead_action (tenant_id, partner_id, occurred_at);
CREATE INDEX lead_action_late ON lead_action (tenant_id, partner_id, occurred_at) WHERE late;
CREATE INDEX lead_action_lead ON lead_action (tenant_id, lead_id) WHERE lead_id IS NOT NULL;
-- After the other indexes, as of lead.
ALTER TABLE lead_action ADD PRIMARY KEY (tenant_id, id);

-- A closed report. What it says is never changed; only that another one has taken its place, or that it is void.
CREATE TABLE billing_report (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    partner_id     uuid        NOT NULL,
    -- The first day of the period and the first one after it, in the zone.
    period_start   date        NOT NULL,
    period_end     date        NOT NULL CHECK (period_end > period_start),
    time_zone      text        NOT NULL,
    -- Counts from 1 within partner and period.
    version        integer     NOT NULL CHECK (version > 0),
    state          text        NOT NULL CHECK (state IN ('closed', 'superseded', 'void')),
    -- The report that this one replaces.
    replaces       uuid,
    plan_id        uuid        NOT NULL,
    plan_version   integer     NOT NULL,
    -- ISO 4217; amounts are its minor units.
    currency       text        NOT NULL,
    line_count     bigint      NOT NULL,
    gross          bigint      NOT NULL,
    billed         bigint      NOT NULL,
    duplicates     bigint      NOT NULL,
    over_cap       bigint      NOT NULL,
    not_billable   bigint      NOT NULL,
    -- Of the billed amount, what late actions of earlier periods add.
    adjusted       bigint      NOT NULL,
    -- Everything that the lines add up to, as the files and pages show it.
    summary        jsonb       NOT NULL,
    -- SHA-256 of the plan and of the actions that it was rated from.
    input_hash     bytea       NOT NULL CHECK (octet_length(input_hash) = 32),
    -- SHA-256 of its lines.
    line_hash      bytea       NOT NULL CHECK (octet_length(line_hash) = 32),
    closed_at      timestamptz NOT NULL,
    closed_by      text        NOT NULL,
    -- Why it was issued again.
    reason         text,
    voided_at      timestamptz,
    voided_by      text,
    void_reason    text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, partner_id, period_start, period_end, version),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES partner,
    FOREIGN KEY (tenant_id, replaces) REFERENCES billing_report,
    FOREIGN KEY (tenant_id, plan_id, plan_version) REFERENCES rate_plan_version,
    CHECK (gross = billed + duplicates + over_cap + not_billable),
    CHECK ((state = 'void') = (voided_at IS NOT NULL))
);
-- Of a period one report counts.
CREATE UNIQUE INDEX billing_report_live ON billing_report (tenant_id, partner_id, period_start, period_end)
    WHERE state = 'closed';

CREATE TABLE bill_line (
    tenant_id    uuid        NOT NULL,
    report_id    uuid        NOT NULL,
    -- From 1, in the order of lead user, time and id; adjustments come last.
    line         integer     NOT NULL,
    action_id    uuid        NOT NULL,
    lead_user_id uuid        NOT NULL,
    product_id   uuid        NOT NULL,
    lead_type    text        NOT NULL,
    action_type  text        NOT NULL,
    level        text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    -- Minor units: before duplicates and cap; charged; taken away by the cap.
    price        bigint      NOT NULL,
    billed       bigint      NOT NULL,
    over_cap     bigint      NOT NULL,
    fate         text        NOT NULL CHECK (fate IN ('billed', 'duplicate', 'over_cap', 'not_billable')),
    -- Of a duplicate: the action that it repeats.
    duplicate_of uuid,
    -- Why it is not billable.
    reason       text,
    -- Its action was late.
    late         boolean     NOT NULL,
    -- Of an adjustment: its own period, as in 2026-10.
    own_period   text,
    PRIMARY KEY (tenant_id, report_id, line),
    FOREIGN KEY (tenant_id, report_id) REFERENCES billing_report
);
-- Whether a late action is billed already.
CREATE INDEX bill_line_late ON bill_line (tenant_id, action_id) WHERE late;

-- A file of a report, once it was made.
CREATE TABLE billing_report_file (
    tenant_id   uuid        NOT NULL,
    report_id   uuid        NOT NULL,
    format      text        NOT NULL CHECK (format IN ('csv', 'json', 'xlsx', 'pdf')),
    -- Where the object storage has it.
    stored_as   text        NOT NULL,
    bytes       bigint      NOT NULL,
    sha256      bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, report_id, format),
    FOREIGN KEY (tenant_id, report_id) REFERENCES billing_report
);

-- A link to one file, for whoever has it, until it expires.
CREATE TABLE report_link (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    report_id   uuid        NOT NULL,
    format      text        NOT NULL CHECK (format IN ('csv', 'json', 'xlsx', 'pdf')),
    -- SHA-256 of the link's secret.
    secret_hash bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at  timestamptz NOT NULL,
    created_by  text        NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, report_id) REFERENCES billing_report
);
CREATE INDEX report_link_report ON report_link (tenant_id, report_id);

-- Who fetched which file. Appended, never changed.
CREATE TABLE report_download (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    report_id   uuid        NOT NULL,
    format      text        NOT NULL,
    at          timestamptz NOT NULL,
    -- A person, a key, or the link.
    actor       text        NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, report_id) REFERENCES billing_report
);
CREATE INDEX report_download_report ON report_download (tenant_id, report_id, id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['product', 'rate_plan', 'rate_plan_version', 'partner', 'lead_user', 'lead_action',
                                'billing_report', 'bill_line', 'billing_report_file', 'report_link', 'report_download'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

-- Somebody of a partner sees its own partner's billing alone: the setting narrows what the policy above opens. Asked once a statement,
-- hence the subselects: a report reads millions of rows.
DO $$
DECLARE
    own text := '(SELECT nullif(current_setting(''app.partner_id'', true), '''')::uuid)';
    thing record;
BEGIN
    FOR thing IN SELECT * FROM (VALUES
        ('partner', 'id = ' || own),
        ('lead_user', 'partner_id = ' || own),
        ('lead_action', 'partner_id = ' || own),
        ('billing_report', 'partner_id = ' || own),
        ('bill_line', 'report_id IN (SELECT id FROM billing_report)'),
        ('billing_report_file', 'report_id IN (SELECT id FROM billing_report)'),
        ('report_link', 'report_id IN (SELECT id FROM billing_report)'),
        ('report_download', 'report_id IN (SELECT id FROM billing_report)'),
        ('rate_plan', 'id IN (SELECT plan_id FROM partner)'),
        ('rate_plan_version', 'plan_id IN (SELECT plan_id FROM partner)')
    ) AS policies(name, mine) LOOP
        EXECUTE format('CREATE POLICY partner_sight ON %I AS RESTRICTIVE USING (%s IS NULL OR %s)', thing.name, own, thing.mine);
    END LOOP;
END $$;

-- A closed report's lines and figures stay as they are, whoever tries. Row-level security is checked before.
CREATE FUNCTION bill_line_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a line of a closed report is never changed: issue the report again';
END $$;
CREATE TRIGGER bill_line_frozen AFTER UPDATE ON bill_line FOR EACH ROW EXECUTE FUNCTION bill_line_is_frozen();

CREATE FUNCTION billing_report_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the figures of a closed report are never changed: issue the report again';
END $$;
CREATE TRIGGER billing_report_frozen AFTER UPDATE ON billing_report FOR EACH ROW
    WHEN ((OLD.partner_id, OLD.period_start, OLD.period_end, OLD.version, OLD.plan_id, OLD.plan_version, OLD.currency,
           OLD.line_count, OLD.gross, OLD.billed, OLD.duplicates, OLD.over_cap, OLD.not_billable, OLD.adjusted, OLD.summary,
           OLD.input_hash, OLD.line_hash, OLD.closed_at, OLD.closed_by)
          IS DISTINCT FROM
          (NEW.partner_id, NEW.period_start, NEW.period_end, NEW.version, NEW.plan_id, NEW.plan_version, NEW.currency,
           NEW.line_count, NEW.gross, NEW.billed, NEW.duplicates, NEW.over_cap, NEW.not_billable, NEW.adjusted, NEW.summary,
           NEW.input_hash, NEW.line_hash, NEW.closed_at, NEW.closed_by))
    EXECUTE FUNCTION billing_report_is_frozen();

-- Tenants with a partner whose periods close by themselves: which of them are due, each tenant finds out for itself.
CREATE POLICY owner_reads ON partner FOR SELECT TO CURRENT_USER USING (true);
CREATE FUNCTION tenants_with_closing_partners() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT DISTINCT tenant_id FROM partner WHERE closes_itself $$;
