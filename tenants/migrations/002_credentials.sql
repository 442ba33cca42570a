-- Ed25519 keys that sign this tenant's access tokens. `kid` is the RFC 7638 thumbprint of the public key.
CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY,
    -- PKCS #8.
    private_key BLOB NOT NULL,
    -- 32 bytes, RFC 8032.
    public_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;
-- At most one key signs.
CREATE UNIQUE INDEX signing_key_active ON signing_key (retired_at IS NULL) WHERE retired_at IS NULL;

-- API keys and source tokens.
CREATE TABLE access_key (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    -- SHA-256 of 32 random bytes.
    secret_hash BLOB NOT NULL,
    created_by TEXT REFERENCES user (id) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Browsers that are signed in.
CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    -- SHA-256 of 32 random bytes.
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    -- The absolute end; the idle end follows from last_seen_at.
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user_id, created_at);
CREATE INDEX session_by_end ON session (expires_at);
