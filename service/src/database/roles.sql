-- Gives the role named by the setting `baton.role` what it needs in the current schema, and no more.
-- Each right is given only where it is missing: a GRANT rewrites the catalogue even when it changes nothing.
DO $$
DECLARE
    role text := current_setting('baton.role');
    password text := nullif(current_setting('baton.password', true), '');
    schema text := current_schema();
    thing record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role);
            IF password IS NOT NULL THEN
                EXECUTE format('ALTER ROLE %I PASSWORD %L', role, password);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- The advisory lock holds for one database; a process of another database was first.
        END;
    END IF;

    IF NOT has_database_privilege(role, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    END IF;
    IF NOT has_database_privilege(role, current_database(), 'TEMPORARY') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), role);
    END IF;
    IF NOT has_schema_privilege(role, schema, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema, role);
    END IF;

    FOR thing IN
        SELECT c.oid, c.relname, c.relkind FROM pg_class c
        WHERE c.relnamespace = to_regnamespace(schema) AND c.relkind IN ('r', 'p', 'v', 'S')
          AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        IF thing.relkind = 'S' THEN
            IF NOT has_sequence_privilege(role, thing.oid, 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', thing.oid::regclass, role);
            END IF;
        ELSIF thing.relkind = 'v' THEN
            IF NOT has_table_privilege(role, thing.oid, 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON %s TO %I', thing.oid::regclass, role);
            END IF;
        ELSIF thing.relname = 'seaql_migrations' THEN
            -- Which migrations ran is the owner's to write.
            IF NOT has_table_privilege(role, thing.oid, 'SELECT')
               OR has_table_privilege(role, thing.oid, 'INSERT, UPDATE, DELETE') THEN
                EXECUTE format('REVOKE ALL ON %s FROM %I', thing.oid::regclass, role);
                EXECUTE format('GRANT SELECT ON %s TO %I', thing.oid::regclass, role);
            END IF;
        ELSIF NOT (has_table_privilege(role, thing.oid, 'SELECT') AND has_table_privilege(role, thing.oid, 'INSERT')
               AND has_table_privilege(role, thing.oid, 'UPDATE') AND has_table_privilege(role, thing.oid, 'DELETE')) THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', thing.oid::regclass, role);
        END IF;
    END LOOP;

    -- A SECURITY DEFINER function looks across tenants: for the restricted role, and for nobody else.
    FOR thing IN
        SELECT p.oid, aclexplode.grantee IS NOT NULL AS public FROM pg_proc p
        LEFT JOIN LATERAL (
            SELECT grantee FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0 LIMIT 1
        ) aclexplode ON true
        WHERE p.pronamespace = to_regnamespace(schema) AND p.prosecdef AND pg_has_role(p.proowner, 'USAGE')
    LOOP
        IF thing.public THEN
            EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', thing.oid::regprocedure);
        END IF;
        IF NOT has_function_privilege(role, thing.oid, 'EXECUTE') THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', thing.oid::regprocedure, role);
        END IF;
    END LOOP;

    -- The queue of background jobs stands in a schema of its own and looks across tenants: its rows hold ids, never a tenant's data.
    -- Its tables have row-level security enabled and not forced, so the role needs a policy that lets it work there.
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'baton_jobs' AND pg_has_role(nspowner, 'USAGE')) THEN
        IF NOT has_schema_privilege(role, 'baton_jobs', 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA baton_jobs TO %I', role);
        END IF;
        FOR thing IN
            SELECT c.oid, c.relname, c.relkind, c.relrowsecurity FROM pg_class c
            WHERE c.relnamespace = to_regnamespace('baton_jobs') AND c.relkind IN ('r', 'S') AND pg_has_role(c.relowner, 'USAGE')
        LOOP
            IF thing.relkind = 'S' THEN
                IF NOT has_sequence_privilege(role, thing.oid, 'USAGE') THEN
                    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', thing.oid::regclass, role);
                END IF;
            ELSIF thing.relname = 'migrations' THEN
                IF NOT has_table_privilege(role, thing.oid, 'SELECT') THEN
                    EXECUTE format('GRANT SELECT ON %s TO %I', thing.oid::regclass, role);
                END IF;
            ELSE
                IF NOT (has_table_privilege(role, thing.oid, 'SELECT') AND has_table_privilege(role, thing.oid, 'INSERT')
                   AND has_table_privilege(role, thing.oid, 'UPDATE') AND has_table_privilege(role, thing.oid, 'DELETE')) THEN
                    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', thing.oid::regclass, role);
                END IF;
                IF thing.relrowsecurity AND NOT EXISTS (
                    SELECT FROM pg_policy WHERE polrelid = thing.oid AND polname = 'works_here_' || role
                ) THEN
                    EXECUTE format('CREATE POLICY %I ON %s TO %I USING (true) WITH CHECK (true)',
                                   'works_here_' || role, thing.oid::regclass, role);
                END IF;
            END IF;
        END LOOP;
    END IF;

    -- What later migrations make.
    IF NOT EXISTS (
        SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) a
        WHERE d.defaclrole = to_regrole(quote_ident(current_user)) AND d.defaclnamespace = to_regnamespace(schema)
          AND d.defaclobjtype = 'r' AND a.grantee = to_regrole(quote_ident(role)) AND a.privilege_type = 'DELETE'
    ) THEN
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', schema, role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE ON SEQUENCES TO %I', schema, role);
    END IF;
END $$;
