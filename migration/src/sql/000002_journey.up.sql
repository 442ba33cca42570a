-- The kinds of a journey's steps are a list of the rules (domain::journey), which grows with every capability; the table only
-- keeps out what cannot be a name.
ALTER TABLE lead_event DROP CONSTRAINT lead_event_kind_check;
ALTER TABLE lead_event ADD CONSTRAINT lead_event_kind_check CHECK (kind ~ '^[a-z_]{1,40}$');
