-- Plans, byte for byte, by digest. `seq` orders them as they were stored.
CREATE TABLE plans (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    digest        TEXT NOT NULL UNIQUE,
    created_at_ms INTEGER NOT NULL,
    problem       TEXT NOT NULL,
    -- The plan at a glance, as JSON.
    headline      TEXT NOT NULL,
    plan_json     BLOB NOT NULL
) STRICT;

CREATE INDEX plans_by_problem ON plans (problem, seq);

-- Which request made which plan, so that a retry finds it.
CREATE TABLE requests (
    request_id    TEXT PRIMARY KEY,
    -- SHA-256 of the request, in hexadecimal.
    fingerprint   TEXT NOT NULL,
    digest        TEXT NOT NULL REFERENCES plans (digest),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
