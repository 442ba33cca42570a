-- Response clocks by who reached the lead.
SELECT coalesce(c.team, '(no team)') AS team, coalesce(c.agent, '(nobody yet)') AS agent, c.source, c.lead_type, c.state,
       c.started_at, c.elapsed_seconds, CAST(c.in_target AS INTEGER) AS met, CAST(NOT c.in_target AS INTEGER) AS missed,
       CAST(l.sold_at IS NOT NULL AS INTEGER) AS sold
FROM clock c LEFT JOIN lead l ON l.lead_id = c.lead_id
WHERE c.clock = 'response'
