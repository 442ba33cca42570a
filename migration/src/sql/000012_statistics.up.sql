-- Statistics of tables that have outgrown what the planner knows of them.
--
-- Until a table is analysed Postgres plans as if it had a few hundred rows of two hundred tenants, keeps such a plan for as long as
-- the connection lives, and so walks through all of a new tenant's deliveries to finish one batch. Autovacuum comes to it only
-- after a minute, which is 100,000 deliveries late. The restricted role may not ANALYZE, hence a function of the owner's, which
-- analyses what has more than twice the pages of the last time: rarely, and cheaply while a table is small.
CREATE FUNCTION analyze_outgrown() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
DECLARE
    outgrown regclass;
    analyzed integer := 0;
BEGIN
    FOR outgrown IN
        SELECT oid FROM pg_class
        WHERE oid IN ('lead'::regclass, 'delivery'::regclass, 'delivery_attempt'::regclass, 'suppression'::regclass)
          AND pg_relation_size(oid) / current_setting('block_size')::integer > greatest(2 * relpages, 8)
    LOOP
        -- Somebody else is at it: the lock goes with the statement.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock('pg_class'::regclass::oid::integer, outgrown::oid::integer);
        EXECUTE format('ANALYZE %s', outgrown);
        analyzed := analyzed + 1;
    END LOOP;
    RETURN analyzed;
END $$;
