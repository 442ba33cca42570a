-- Who closed a case, and why: a person, or whoever removed its threshold. Null while it is open and where adherence has recovered.
ALTER TABLE sla_case
    ADD COLUMN closed_by text,
    ADD COLUMN close_reason text,
    ADD CONSTRAINT sla_case_closed_by CHECK ((closed_by IS NULL) = (close_reason IS NULL)
                                             AND (closed_by IS NULL OR closed_at IS NOT NULL));
