-- A proof that says no time is remembered for as long as the secret that made it is in use.
CREATE TABLE spent_proof_of_secret (
    proof_hash BLOB NOT NULL PRIMARY KEY,
    -- Whose secret made it. What was spent before this column was there has none.
    kind TEXT,
    -- From when on it would be too old anyway. A proof that says no time has none.
    expires_at INTEGER,
    CHECK (kind IS NOT NULL OR expires_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO spent_proof_of_secret (proof_hash, expires_at) SELECT proof_hash, expires_at FROM spent_proof;
DROP TABLE spent_proof;
ALTER TABLE spent_proof_of_secret RENAME TO spent_proof;
