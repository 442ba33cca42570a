-- How many runs of the import have ended with an error, one after the other. An error that lasts would else be tried without end;
-- too many end the import, a batch that commits begins the count anew.
ALTER TABLE import ADD COLUMN failures smallint NOT NULL DEFAULT 0;
