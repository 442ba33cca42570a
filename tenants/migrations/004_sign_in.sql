-- Providers that people sign in with.
CREATE TABLE oauth_provider (
    id TEXT NOT NULL PRIMARY KEY,
    -- In addresses: /t/TENANT/oauth/SLUG.
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- oidc: endpoints by discovery from the issuer. oauth2: endpoints set by hand, the person from user-info.
    kind TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    -- Sealed with the deployment's key; absent for a public client.
    client_secret_sealed BLOB,
    authorization_url TEXT,
    token_url TEXT,
    userinfo_url TEXT,
    -- Parted by spaces.
    scopes TEXT NOT NULL,
    -- 1: each address that the provider tells is verified, although it does not say so.
    email_trusted INTEGER NOT NULL,
    -- Domains whose people may join without an invitation, parted by spaces, and the role that they get.
    join_domains TEXT NOT NULL,
    join_role TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who somebody is at a provider. The subject never changes, an address may.
CREATE TABLE oauth_identity (
    provider_id TEXT NOT NULL REFERENCES oauth_provider (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    last_sign_in_at INTEGER NOT NULL,
    PRIMARY KEY (provider_id, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_identity_by_user ON oauth_identity (user_id);

-- Sign-ins on their way through a provider. Nonce and PKCE verifier follow from the browser's cookie and are not stored.
CREATE TABLE sign_in_flow (
    -- SHA-256 of the state.
    state_hash BLOB NOT NULL PRIMARY KEY,
    provider_id TEXT NOT NULL REFERENCES oauth_provider (id) ON DELETE CASCADE,
    -- SHA-256 of the browser's cookie.
    browser_hash BLOB NOT NULL,
    -- The provider's endpoints as they were at the start, JSON: what comes back is checked against the same.
    endpoints TEXT NOT NULL,
    -- Where the browser goes afterwards: a path of the dashboard.
    next TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_flow_by_time ON sign_in_flow (created_at);

-- Links that open a page inside a CRM. The token authorises nothing, so it is kept as it is and can be shown again.
CREATE TABLE resource_link (
    id TEXT NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    page TEXT NOT NULL,
    -- A JSON object of texts.
    filters TEXT NOT NULL,
    -- Roles that may open it, parted by spaces; none: every role.
    roles TEXT NOT NULL,
    created_by TEXT REFERENCES user (id) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    openings INTEGER NOT NULL DEFAULT 0,
    last_opened_at INTEGER
) STRICT, WITHOUT ROWID;

-- One-time codes that carry a sign-in from a window of its own into the frame whose verifier fits the challenge.
CREATE TABLE frame_code (
    code_hash BLOB NOT NULL PRIMARY KEY,
    challenge BLOB NOT NULL,
    link_id TEXT NOT NULL REFERENCES resource_link (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sessions that began in a frame: they end with their link.
CREATE TABLE frame_session (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    link_id TEXT NOT NULL REFERENCES resource_link (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX frame_session_by_link ON frame_session (link_id);

-- Pages that may show Baton in a frame, as Content-Security-Policy writes them.
CREATE TABLE frame_ancestor (
    origin TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- CRMs whose signed frames prove a person.
CREATE TABLE frame_proof (
    kind TEXT NOT NULL PRIMARY KEY,
    -- The shared secret or public key, sealed with the deployment's key.
    secret_sealed BLOB NOT NULL,
    -- For whom the CRM signs, where it says so.
    audience TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Proofs that were used: none is taken twice.
CREATE TABLE spent_proof (
    proof_hash BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
