-- What each source brings, by day: received, refused, delivered, contacted, sold.
WITH leads AS (
    SELECT source, CAST(received_at AS DATE) AS day, count(*) AS accepted, count(delivered_at) AS delivered,
           count(contacted_at) AS contacted, count(qualified_at) AS qualified, count(sold_at) AS sold
    FROM lead GROUP BY ALL
), refusals AS (
    SELECT source, CAST(created_at AS DATE) AS day, count(DISTINCT failed_record_id) AS refused FROM refusal GROUP BY ALL
)
SELECT coalesce(l.source, r.source) AS source, coalesce(l.day, r.day) AS day,
       coalesce(l.accepted, 0) + coalesce(r.refused, 0) AS received, coalesce(l.accepted, 0) AS accepted,
       coalesce(r.refused, 0) AS refused, coalesce(l.delivered, 0) AS delivered, coalesce(l.contacted, 0) AS contacted,
       coalesce(l.qualified, 0) AS qualified, coalesce(l.sold, 0) AS sold
FROM leads l FULL OUTER JOIN refusals r ON r.source = l.source AND r.day = l.day
