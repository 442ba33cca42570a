-- Clocks of one tenant, straight into the table: `clocks` response clocks over 30 days, `open` of them still running.
CREATE OR REPLACE FUNCTION bench_clocks(wanted uuid, sources uuid[], policy uuid, clocks bigint, open bigint, days integer)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Clocks are read without their leads: none is made.
    SET LOCAL session_replication_role = replica;
    INSERT INTO sla_clock (tenant_id, lead_id, clock, policy_id, version, stops_with, source_id, lead_type, state, channel,
                           agent, started_at, running_from, at_risk_at, due_at, next_at, stopped_at, elapsed_us, in_target,
                           breached_at)
    SELECT wanted, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
                    || substr(md5(wanted::text || n), 1, 3) || '8' || substr(md5(wanted::text || n), 4, 15))::uuid,
           'response', policy, 1, 'contacted', sources[1 + n % array_length(sources, 1)], 'refinance',
           (ARRAY['CO', 'MA', 'NY', 'MO', 'CA', 'TX'])[1 + n % 6], 'api', 'agent ' || n % 40, at, at,
           at + interval '48 minutes', at + interval '60 minutes',
           CASE WHEN n > clocks - open THEN at + interval '48 minutes' END,
           CASE WHEN n <= clocks - open THEN at + took END,
           CASE WHEN n <= clocks - open THEN extract(epoch FROM took) * 1e6 END,
           CASE WHEN n <= clocks - open THEN took <= interval '60 minutes' END,
           CASE WHEN n <= clocks - open AND took > interval '60 minutes' THEN at + interval '60 minutes' END
    FROM (SELECT n, CASE WHEN n > clocks - open THEN now() - interval '47 minutes' * ((n % 1000) / 1000.0)
                         ELSE now() - (clocks - n + 1) * (days * interval '1 day' / clocks) END AS at,
                 (1 + (hashint8(n) & 65535) / 65536.0 * 80) * interval '1 minute' AS took
          FROM generate_series(1, clocks) n) made;
END $$;
