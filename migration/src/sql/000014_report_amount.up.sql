-- What leads cost and bring, for reports outside of Baton, as the other report views: one row for a lead, a kind and a currency. Without
-- a source's cost or a closed report a lead has none. The cost is the one in force on the day of the lead's receipt, in the tenant's zone; the
-- revenue is what partners were billed for the lead by reports that count.
CREATE VIEW report_amount WITH (security_invoker = true) AS
    SELECT a.tenant_id, a.lead_id, a.received_at, a.source, a.kind, a.currency,
           -- As people write it: the digits of ISO 4217, table A.1.
           (a.minor_units / CASE
               WHEN a.currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF',
                                   'XOF', 'XPF') THEN 1
               WHEN a.currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
               ELSE 100 END)::double precision AS amount
    FROM (
        SELECT l.tenant_id, l.id AS lead_id, l.received_at, s.slug AS source, 'cost'::text AS kind, c.currency,
               c.per_lead::numeric AS minor_units
        FROM lead l
        JOIN tenant t ON t.id = l.tenant_id
        JOIN lead_source s ON s.tenant_id = l.tenant_id AND s.id = l.source_id
        CROSS JOIN LATERAL (
            SELECT p.currency, p.per_lead FROM source_cost p
            WHERE p.tenant_id = l.tenant_id AND p.source_id = l.source_id
              AND p.effective_from <= (l.received_at AT TIME ZONE t.time_zone)::date
            ORDER BY p.effective_from DESC LIMIT 1) c
        UNION ALL
        SELECT l.tenant_id, l.id, l.received_at, s.slug, 'revenue'::text, r.currency, sum(b.billed)
        FROM lead l
        JOIN lead_source s ON s.tenant_id = l.tenant_id AND s.id = l.source_id
        JOIN lead_action n ON n.tenant_id = l.tenant_id AND n.lead_id = l.id
        JOIN billing_report r ON r.tenant_id = n.tenant_id AND r.partner_id = n.partner_id AND r.state = 'closed'
        JOIN bill_line b ON b.tenant_id = r.tenant_id AND b.report_id = r.id AND b.action_id = n.id
        GROUP BY l.tenant_id, l.id, l.received_at, s.slug, r.currency) a;
