-- Leads, deliveries and attempts of one tenant, straight into the tables. Ids are in the order of time, as Baton makes them.
CREATE OR REPLACE FUNCTION bench_id(kind text, tenant uuid, number bigint, at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(kind || tenant || number), 1, 3) || '8' || substr(md5(kind || tenant || number), 4, 15))::uuid
$$;

CREATE OR REPLACE FUNCTION bench_fill(wanted uuid, sources uuid[], destinations uuid[], leads bigint) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    -- Every row refers to one that this function makes or was given: checking a million references is no part of the measure.
    SET LOCAL session_replication_role = replica;

    INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope, email_scope, external_id,
                      lead_type, channel, first_name, last_name, phone, email, address, city, state, zip, details)
    SELECT wanted, bench_id('lead', wanted, n, at), sources[1 + n % 2], at,
           bench_id('lead', wanted, n, at), bench_id('lead', wanted, n, at), sources[1 + n % 2], sources[1 + n % 2],
           'LS-' || n, 'refinance', (ARRAY['file', 'api', 'web'])[1 + n % 3],
           (ARRAY['Alma', 'José', 'Mary Ann', 'William', 'Anne-Marie', 'Li', 'Robert', 'Karen'])[1 + n % 8],
           (ARRAY['Reyes', 'McDonald', 'O''Brien', 'van der Berg', 'Smith', 'Garcia', 'Nguyen'])[1 + n % 7],
           '+1303' || (2000000 + n), 'lead' || n || '@example.com', n || ' Washington Avenue Unit 12',
           (ARRAY['Denver', 'Boulder', 'Cambridge', 'Fort Collins', 'St Louis'])[1 + n % 5],
           (ARRAY['CO', 'MA', 'NY', 'MO', 'CA', 'TX'])[1 + (n / 2) % 6], '80202',
           jsonb_build_object('credit_score', 550 + n % 300, 'mortgage_balance', 150000 + n % 400000, 'mortgage_rate', 5.25,
                              'property_value', 250000 + n % 500000, 'ltv', 55.6, 'loan_type', 'CONV')
    FROM (SELECT n, now() - (leads - n) * interval '30 seconds' AS at FROM generate_series(1, leads) n) made;

    -- One each, a second for every tenth.
    INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, attempts, due_at, remote_id, finished_at)
    SELECT wanted, bench_id('delivery' || place, wanted, n, at), bench_id('lead', wanted, n, at), destinations[place],
           CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'delivered' END, 1 + (n % 11 < 2)::int, at, 'p-' || n,
           at + interval '2 seconds'
    FROM (SELECT n, now() - (leads - n) * interval '30 seconds' AS at FROM generate_series(1, leads) n) made,
         generate_series(1, 2) place
    WHERE place = 1 OR n % 10 = 0;

    -- One each, a second where the first met a 503.
    INSERT INTO delivery_attempt (tenant_id, delivery_id, number, started_at, duration_us, outcome, http_status,
                                  response_headers, response_body)
    SELECT wanted, d.id, number, d.due_at + number * interval '1 second', 40000 + number * 1000,
           CASE WHEN number < d.attempts THEN 'retryable' WHEN d.state = 'failed' THEN 'refused' ELSE 'delivered' END,
           CASE WHEN number < d.attempts THEN 503 WHEN d.state = 'failed' THEN 422 ELSE 200 END,
           '{"content-type": "application/json"}', '{"id": 123456}'
    FROM delivery d, generate_series(1, d.attempts) number
    WHERE d.tenant_id = wanted;
END $$;
