-- A suspended tenant: nobody gets in, nothing is delivered or imported, nothing is lost.
ALTER TABLE tenant ADD COLUMN suspended_at timestamptz;

-- What looks across tenants for the workers: ids of the suspended ones.
CREATE FUNCTION suspended_tenants() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id FROM tenant WHERE suspended_at IS NOT NULL $$;

-- What somebody sees of a tenant's leads. `app.source_ids`: those of these sources, for an agent whose tenant says so.
-- `app.partner_id`: none, it is a partner's person. Neither: all. The first branch is evaluated once a statement.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT * FROM (VALUES ('lead_source', 'id'), ('import', 'source_id'), ('lead', 'source_id'),
                                      ('failed_record', 'source_id')) AS t (name, source) LOOP
        EXECUTE format($policy$
            CREATE POLICY sight ON %I AS RESTRICTIVE FOR SELECT USING (
                (SELECT coalesce(current_setting('app.source_ids', true), '')
                        || coalesce(current_setting('app.partner_id', true), '') = '')
                OR %I = ANY ((SELECT nullif(current_setting('app.source_ids', true), ''))::uuid[]))
        $policy$, item.name, item.source);
    END LOOP;
END $$;
