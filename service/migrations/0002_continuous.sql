-- What happened to problems that are planned continuously, numbered from 1 without gaps. Each digest covers the row before, so that no
-- row can be changed, dropped or added unnoticed.
CREATE TABLE events (
    number  INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    problem TEXT NOT NULL,
    kind    TEXT NOT NULL,
    -- In words.
    message TEXT NOT NULL,
    -- Everything about it, as canonical JSON.
    details TEXT NOT NULL,
    -- SHA-256, in hexadecimal.
    digest  TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_problem ON events (problem, number);

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_never_dropped BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- What the control loop of a problem remembers from one cycle to the next, as JSON.
CREATE TABLE states (
    problem  TEXT PRIMARY KEY,
    saved_ms INTEGER NOT NULL,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Outcomes that were reported and that no cycle has taken into account yet.
CREATE TABLE outcomes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    problem TEXT NOT NULL,
    -- As JSON.
    outcome TEXT NOT NULL
) STRICT;
