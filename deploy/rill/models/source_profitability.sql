-- What each source brings, by day: received, refused, delivered, contacted, sold; what its leads cost and what partners were billed for them.
-- A row is of one currency, as amounts of several cannot be added; the counts of a day stand in the first of its rows. Only
-- sold_of_cost, by which a cost is divided, stands beside each cost: the first row may be that of a revenue in another currency.
WITH leads AS (
    SELECT source, CAST(received_at AS DATE) AS day, count(*) AS accepted, count(delivered_at) AS delivered,
           count(contacted_at) AS contacted, count(qualified_at) AS qualified, count(sold_at) AS sold
    FROM lead GROUP BY ALL
), refusals AS (
    SELECT source, CAST(created_at AS DATE) AS day, count(DISTINCT failed_record_id) AS refused FROM refusal GROUP BY ALL
), counts AS (
    SELECT coalesce(l.source, r.source) AS source, coalesce(l.day, r.day) AS day,
           coalesce(l.accepted, 0) + coalesce(r.refused, 0) AS received, coalesce(l.accepted, 0) AS accepted,
           coalesce(r.refused, 0) AS refused, coalesce(l.delivered, 0) AS delivered, coalesce(l.contacted, 0) AS contacted,
           coalesce(l.qualified, 0) AS qualified, coalesce(l.sold, 0) AS sold
    FROM leads l FULL OUTER JOIN refusals r ON r.source = l.source AND r.day = l.day
), sums AS (
    SELECT m.source, CAST(m.received_at AS DATE) AS day, m.currency, sum(m.amount) FILTER (WHERE m.kind = 'cost') AS cost,
           sum(m.amount) FILTER (WHERE m.kind = 'revenue') AS revenue
    FROM amount m GROUP BY ALL
), amounts AS (
    SELECT source, day, currency, cost, revenue, row_number() OVER (PARTITION BY source, day ORDER BY currency) AS place FROM sums
), both_sides AS (
    SELECT c.*, a.currency, a.cost, a.revenue, CAST(coalesce(a.place, 1) = 1 AS INTEGER) AS once,
           CASE WHEN a.cost IS NOT NULL THEN c.sold END AS sold_of_cost
    FROM counts c LEFT JOIN amounts a ON a.source = c.source AND a.day = c.day
)
SELECT source, day, currency, received * once AS received, accepted * once AS accepted, refused * once AS refused,
       delivered * once AS delivered, contacted * once AS contacted, qualified * once AS qualified, sold * once AS sold,
       sold_of_cost, cost, revenue
FROM both_sides
