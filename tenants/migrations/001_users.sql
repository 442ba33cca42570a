-- People who sign in. Times are milliseconds since 1970 UTC; ids are TypeIDs, so that a dump explains itself.
CREATE TABLE user (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- PHC string; absent for a person who signs in elsewhere.
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    disabled_at INTEGER
) STRICT, WITHOUT ROWID;

-- Sign-ins under way or failed, by SHA-256 of what was typed: people type passwords into the wrong field.
CREATE TABLE sign_in_attempt (
    email_hash BLOB NOT NULL,
    attempted_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_attempt_by_email ON sign_in_attempt (email_hash, attempted_at);
CREATE INDEX sign_in_attempt_by_time ON sign_in_attempt (attempted_at);
