-- Business time. A policy's version keeps a copy, so a change here is a new version of every policy that uses it.
CREATE TABLE sla_calendar (
    tenant_id   uuid        NOT NULL REFERENCES tenant,
    id          uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- {time_zone, windows: [{weekday, from, until}], holidays: [day]}
    spec        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- Which clock runs for which leads. What it promises stands in its versions.
CREATE TABLE sla_policy (
    tenant_id   uuid        NOT NULL REFERENCES tenant,
    id          uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- processing, response, or a name of the tenant's own. Of the policies of one clock the first that fits a lead counts.
    clock       text        NOT NULL CHECK (clock ~ '^[a-z][a-z0-9_]{0,39}$'),
    starts_with text        NOT NULL,
    stops_with  text        NOT NULL CHECK (stops_with <> starts_with),
    -- Smaller comes first.
    place       integer     NOT NULL,
    enabled     boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- What a policy promises, from one moment on. Never updated: a clock keeps the version that it started with.
CREATE TABLE sla_policy_version (
    tenant_id       uuid        NOT NULL,
    policy_id       uuid        NOT NULL,
    version         integer     NOT NULL CHECK (version > 0),
    -- {sources, lead_types, states, campaigns, channels, fields: [{field, is}]}
    conditions      jsonb       NOT NULL,
    target_s        integer     NOT NULL CHECK (target_s > 0),
    at_risk_percent smallint    NOT NULL CHECK (at_risk_percent BETWEEN 1 AND 99),
    -- Business time: the calendar and its content then. Both null: calendar time.
    calendar_id     uuid,
    calendar        jsonb       CHECK ((calendar IS NULL) = (calendar_id IS NULL)),
    -- Why a clock may be paused; empty: it may not.
    pause_reasons   text[]      NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text        NOT NULL,
    PRIMARY KEY (tenant_id, policy_id, version),
    FOREIGN KEY (tenant_id, policy_id) REFERENCES sla_policy,
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES sla_calendar
);

-- One clock of one lead. What it is counted by stands here as it was when the clock started.
CREATE TABLE sla_clock (
    tenant_id      uuid        NOT NULL,
    lead_id        uuid        NOT NULL,
    clock          text        NOT NULL,
    policy_id      uuid        NOT NULL,
    version        integer     NOT NULL,
    stops_with     text        NOT NULL,
    source_id      uuid        NOT NULL,
    lead_type      text,
    state          text,
    channel        text        NOT NULL,
    campaign       text,
    agent          text,
    team           text,
    -- Which destination took the lead, once one has.
    destination_id uuid,
    started_at     timestamptz NOT NULL,
    -- Since when it runs now; with used_us, the time that counted before the last pause.
    running_from   timestamptz NOT NULL,
    used_us        bigint      NOT NULL DEFAULT 0,
    -- Null while it is paused.
    at_risk_at     timestamptz,
    due_at         timestamptz,
    -- When something has to be recorded next: at_risk_at, then due_at, then never.
    next_at        timestamptz,
    paused_at      timestamptz,
    pause_reason   text,
    stopped_at     timestamptz,
    -- The time that counted, once it has stopped.
    elapsed_us     bigint,
    -- Null: not decided yet. A clock that has run out is decided, though it goes on.
    in_target      boolean,
    breached_at    timestamptz,
    -- Why it ran out, as far as Baton can tell.
    reason         text,
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead,
    FOREIGN KEY (tenant_id, policy_id, version) REFERENCES sla_policy_version,
    CHECK (paused_at IS NULL OR (due_at IS NULL AND next_at IS NULL)),
    CHECK ((stopped_at IS NULL) = (elapsed_us IS NULL))
);
CREATE INDEX sla_clock_due ON sla_clock (tenant_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX sla_clock_open ON sla_clock (tenant_id, due_at) WHERE stopped_at IS NULL;
CREATE INDEX sla_clock_breached ON sla_clock (tenant_id, breached_at) WHERE breached_at IS NOT NULL;
CREATE INDEX sla_clock_source ON sla_clock (tenant_id, clock, source_id, started_at);
-- After the other indexes, as of lead.
ALTER TABLE sla_clock ADD PRIMARY KEY (tenant_id, lead_id, clock);

-- When missed service levels open help.
CREATE TABLE sla_setting (
    tenant_id         uuid        NOT NULL REFERENCES tenant,
    clock             text        NOT NULL,
    -- Below this share in target, of at least so many decided clocks of the window.
    threshold_percent smallint    NOT NULL CHECK (threshold_percent BETWEEN 1 AND 100),
    window_minutes    integer     NOT NULL CHECK (window_minutes BETWEEN 5 AND 527040),
    clocks_min        integer     NOT NULL CHECK (clocks_min > 0),
    -- Where help is booked elsewhere; null: Baton's own slots.
    booking_url       text,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, clock)
);

-- Adherence fell below the threshold; open until it has recovered.
CREATE TABLE sla_case (
    tenant_id  uuid        NOT NULL REFERENCES tenant,
    id         uuid        NOT NULL,
    clock      text        NOT NULL,
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz,
    -- At the opening, and at the last look.
    met        integer     NOT NULL,
    missed     integer     NOT NULL,
    met_now    integer     NOT NULL,
    missed_now integer     NOT NULL,
    -- The leads whose journeys tell of it: the last that were missed.
    lead_ids   uuid[]      NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX sla_case_open ON sla_case (tenant_id, clock) WHERE closed_at IS NULL;

-- A time at which the managed-services team can help.
CREATE TABLE sla_slot (
    tenant_id  uuid        NOT NULL REFERENCES tenant,
    id         uuid        NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE sla_booking (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    case_id    uuid        NOT NULL,
    slot_id    uuid,
    state      text        NOT NULL CHECK (state IN ('requested', 'confirmed', 'done', 'cancelled')),
    starts_at  timestamptz,
    note       text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, case_id) REFERENCES sla_case,
    FOREIGN KEY (tenant_id, slot_id) REFERENCES sla_slot
);
-- A slot is given once.
CREATE UNIQUE INDEX sla_booking_slot ON sla_booking (tenant_id, slot_id) WHERE slot_id IS NOT NULL AND state <> 'cancelled';

-- What happened to a booking. Never updated.
CREATE TABLE sla_booking_event (
    tenant_id  uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    state      text        NOT NULL,
    at         timestamptz NOT NULL,
    actor      text        NOT NULL,
    note       text,
    PRIMARY KEY (tenant_id, booking_id, id),
    FOREIGN KEY (tenant_id, booking_id) REFERENCES sla_booking
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sla_calendar', 'sla_policy', 'sla_policy_version', 'sla_clock', 'sla_setting', 'sla_case',
                                'sla_slot', 'sla_booking', 'sla_booking_event'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I
                            USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)
                            WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
    END LOOP;
END $$;

CREATE POLICY owner_reads ON sla_clock FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON sla_case FOR SELECT TO CURRENT_USER USING (true);

-- Tenants with a clock of which something has to be recorded, found by hopping through the index of those.
CREATE FUNCTION tenants_with_due_clocks(at timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH RECURSIVE hop AS (
            (SELECT tenant_id FROM sla_clock WHERE next_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT c.tenant_id FROM sla_clock c
                    WHERE c.next_at IS NOT NULL AND c.tenant_id > hop.tenant_id ORDER BY c.tenant_id LIMIT 1)
            FROM hop WHERE hop.tenant_id IS NOT NULL
        )
        SELECT hop.tenant_id FROM hop
        WHERE hop.tenant_id IS NOT NULL
          AND EXISTS (SELECT FROM sla_clock c WHERE c.tenant_id = hop.tenant_id AND c.next_at <= at)
    $$;

-- Tenants with a case that may have recovered.
CREATE FUNCTION tenants_with_open_cases() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT DISTINCT tenant_id FROM sla_case WHERE closed_at IS NULL $$;

-- What reports outside of Baton read: one tenant's leads, clocks and refusals without personal data. The views ask with the
-- rights of whoever reads them, so row-level security holds; `SET app.tenant_id` says whose rows they are.
CREATE VIEW report_lead WITH (security_invoker = true) AS
    SELECT l.tenant_id, l.id AS lead_id, l.received_at, s.slug AS source, l.lead_type, l.channel, l.state,
           coalesce(l.details ->> 'campaign', l.details ->> 'custom.campaign') AS campaign,
           (SELECT min(d.finished_at) FROM delivery d
            WHERE d.tenant_id = l.tenant_id AND d.lead_id = l.id AND d.state = 'delivered') AS delivered_at,
           e.contacted_at, e.qualified_at, e.sold_at, e.lost_at
    FROM lead l
    JOIN lead_source s ON s.tenant_id = l.tenant_id AND s.id = l.source_id
    CROSS JOIN LATERAL (
        SELECT min(e.at) FILTER (WHERE e.kind = 'contacted') AS contacted_at,
               min(e.at) FILTER (WHERE e.kind = 'qualified') AS qualified_at,
               min(e.at) FILTER (WHERE e.kind = 'sold') AS sold_at, min(e.at) FILTER (WHERE e.kind = 'lost') AS lost_at
        FROM lead_event e WHERE e.tenant_id = l.tenant_id AND e.lead_id = l.id) e;

CREATE VIEW report_clock WITH (security_invoker = true) AS
    SELECT c.tenant_id, c.lead_id, c.clock, s.slug AS source, c.lead_type, c.channel, c.state, c.campaign, c.agent, c.team,
           c.started_at, c.due_at, c.stopped_at, c.breached_at, c.elapsed_us / 1e6::double precision AS elapsed_seconds,
           c.in_target, c.reason
    FROM sla_clock c JOIN lead_source s ON s.tenant_id = c.tenant_id AND s.id = c.source_id;

CREATE VIEW report_refusal WITH (security_invoker = true) AS
    SELECT f.tenant_id, f.id AS failed_record_id, f.created_at, s.slug AS source, f.state, r.reason ->> 'code' AS code
    FROM failed_record f
    JOIN lead_source s ON s.tenant_id = f.tenant_id AND s.id = f.source_id
    CROSS JOIN LATERAL jsonb_array_elements(f.reasons) AS r(reason);
