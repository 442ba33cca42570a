-- Roles: what was a member is an agent; whoever has run the tenant longest answers for it.
ALTER TABLE user ADD COLUMN partner_id TEXT;
UPDATE user SET role = 'agent' WHERE role = 'member';
UPDATE user SET role = 'owner' WHERE id =
    (SELECT id FROM user WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id LIMIT 1);

-- Keys: a role, and a scope that narrows it. Source tokens keep `ingest:source_…` as scope.
ALTER TABLE access_key ADD COLUMN role TEXT NOT NULL DEFAULT 'service';
UPDATE access_key SET role = 'admin' WHERE kind = 'api' AND scope = 'admin';
UPDATE access_key SET scope = '*' WHERE kind = 'api' AND scope IN ('admin', 'member');

-- Where a session comes from, so that its owner recognises it.
ALTER TABLE session ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE session ADD COLUMN address TEXT;
ALTER TABLE session ADD COLUMN user_agent TEXT;

-- Failed sign-ins also count against the address that they come from, by SHA-256 of it.
ALTER TABLE sign_in_attempt ADD COLUMN address_hash BLOB;
CREATE INDEX sign_in_attempt_by_address ON sign_in_attempt (address_hash, attempted_at);

-- Refresh tokens. Those of one session are a family: each is used once, and a second use ends the session.
CREATE TABLE refresh_token (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    -- SHA-256 of 32 random bytes.
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);

-- People who work together, and the sources whose leads they work with.
CREATE TABLE team (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE team_member (
    team_id TEXT NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_member_by_user ON team_member (user_id);
CREATE TABLE team_source (
    team_id TEXT NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    source_id TEXT NOT NULL,
    PRIMARY KEY (team_id, source_id)
) STRICT, WITHOUT ROWID;

-- People who were asked to join. One open invitation an address: a further one replaces it.
CREATE TABLE invitation (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    partner_id TEXT,
    -- SHA-256 of 32 random bytes.
    secret_hash BLOB NOT NULL,
    invited_by TEXT REFERENCES user (id) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitation_open ON invitation (email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- The tenant's own settings; `value` is JSON.
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done, by whom, to what. Only ever appended: each line carries the hash of the one before it, so that a
-- changed or missing line is found, also when somebody edits the file.
CREATE TABLE audit_entry (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    -- A TypeID, or `operator`.
    actor TEXT NOT NULL,
    -- As in `user.invited`.
    action TEXT NOT NULL,
    -- What it was done to.
    subject TEXT NOT NULL,
    -- Where the request came from.
    address TEXT,
    -- JSON, without secrets.
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_entry_by_subject ON audit_entry (subject, number);
CREATE TRIGGER audit_entry_is_not_changed BEFORE UPDATE ON audit_entry
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_entry_is_not_removed BEFORE DELETE ON audit_entry
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
