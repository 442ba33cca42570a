ALTER TABLE destination DROP COLUMN version;
