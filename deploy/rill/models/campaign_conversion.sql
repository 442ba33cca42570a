-- How far the leads of each campaign come.
SELECT coalesce(campaign, '(none)') AS campaign, source, lead_type, state, received_at,
       1 AS received, CAST(delivered_at IS NOT NULL AS INTEGER) AS delivered,
       CAST(contacted_at IS NOT NULL AS INTEGER) AS contacted, CAST(qualified_at IS NOT NULL AS INTEGER) AS qualified,
       CAST(sold_at IS NOT NULL AS INTEGER) AS sold,
       date_diff('second', received_at, contacted_at) AS seconds_to_contact
FROM lead
