ALTER TABLE import DROP COLUMN failures;
