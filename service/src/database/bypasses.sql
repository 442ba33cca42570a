-- Each reason why the connected role could read rows that a policy hides. No row: it could not.
-- Membership counts even when it is not inherited, because SET ROLE takes it up.
WITH reachable AS (
    SELECT r.* FROM pg_roles r WHERE pg_has_role(session_user, r.oid, 'MEMBER')
), self AS (
    SELECT * FROM pg_roles WHERE rolname = session_user
)
SELECT 'it is a superuser' FROM self WHERE rolsuper
UNION ALL
SELECT format('%s has %s', CASE WHEN r.rolname = session_user THEN 'it' ELSE format('its role `%s`', r.rolname) END, a.attribute)
FROM reachable r, self,
     LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
                     ('REPLICATION', r.rolreplication)) AS a (attribute, has)
WHERE a.has AND NOT self.rolsuper
UNION ALL
-- Both of these run as the server's own user, who can read the files of every table.
SELECT format('it is a member of `%s`', r.rolname) FROM reachable r, self
WHERE r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files') AND NOT self.rolsuper
UNION ALL
SELECT format('%s the table `%s`', CASE WHEN c.relowner = self.oid THEN 'it owns' ELSE format('its role `%s` owns', pg_get_userbyid(c.relowner)) END,
              c.oid::regclass)
FROM pg_class c JOIN reachable r ON r.oid = c.relowner, self
WHERE c.relkind IN ('r', 'p') AND NOT self.rolsuper
  AND (c.relrowsecurity OR c.relnamespace = to_regnamespace(current_schema()))
LIMIT 12
