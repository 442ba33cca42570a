-- A session inside a frame lives under every link that was opened with it.
CREATE TABLE frame_session_of_links (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    link_id TEXT NOT NULL REFERENCES resource_link (id) ON DELETE CASCADE,
    PRIMARY KEY (session_id, link_id)
) STRICT, WITHOUT ROWID;
INSERT INTO frame_session_of_links (session_id, link_id) SELECT session_id, link_id FROM frame_session;
DROP TABLE frame_session;
ALTER TABLE frame_session_of_links RENAME TO frame_session;
CREATE INDEX frame_session_by_link ON frame_session (link_id);
