DROP POLICY sight ON failed_record;
DROP POLICY sight ON lead;
DROP POLICY sight ON import;
DROP POLICY sight ON lead_source;
DROP FUNCTION suspended_tenants();
ALTER TABLE tenant DROP COLUMN suspended_at;
