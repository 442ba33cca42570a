-- How often a person has changed a destination or resumed it. What an attempt under an earlier version found (credentials that were not
-- accepted) says nothing about the present one, and whoever keeps a destination in memory sees by it that it has changed.
ALTER TABLE destination ADD COLUMN version integer NOT NULL DEFAULT 0;
