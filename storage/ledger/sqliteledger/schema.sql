-- The schema of a ledger, version 1. PRAGMA user_version has the version and
-- application_id says that the file is a ledger at all.
--
-- Times are microseconds since 1970, UTC. Key data, origins and the metadata of
-- keys are columns, so that the canonical order of keys is an ORDER BY and a
-- person with a shell can read the file.

-- What the ledger is: one row.
CREATE TABLE ledger (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	identity BLOB    NOT NULL CHECK (length(identity) = 16),
	replay   INTEGER NOT NULL, -- made for replays, and run by an injected clock
	version  INTEGER NOT NULL, -- the last one given to any register
	removals INTEGER NOT NULL, -- steps that removed something
	scrubbed INTEGER NOT NULL  -- after how many of them pages were last scrubbed
) STRICT;

-- Names of uploads and sets of countries, stored once: a dozen keys share the
-- one, millions may share the other. Both go with the last row that names them.
CREATE TABLE upload (
	id   INTEGER PRIMARY KEY,
	name TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE countries (
	id    INTEGER PRIMARY KEY,
	codes TEXT    NOT NULL UNIQUE -- ascending, with commas between
) STRICT;

-- A key of an origin.
CREATE TABLE unit (
	id                            INTEGER PRIMARY KEY, -- ascending in the order of acceptance
	key_data                      BLOB    NOT NULL CHECK (length(key_data) = 16),
	origin                        TEXT    NOT NULL,
	rolling_start_interval_number INTEGER NOT NULL,
	rolling_period                INTEGER NOT NULL,
	transmission_risk_level       INTEGER,
	report_type                   INTEGER,
	days_since_onset_of_symptoms  INTEGER,
	variant_of_concern            INTEGER,
	visited_countries             INTEGER REFERENCES countries, -- null for none
	test_type                     INTEGER NOT NULL,
	consent_to_federate           INTEGER NOT NULL,
	provenance                    INTEGER NOT NULL,
	accepted                      INTEGER NOT NULL,
	due                           INTEGER NOT NULL,
	upload                        INTEGER NOT NULL REFERENCES upload,
	source_withdrew               INTEGER NOT NULL,
	operator_withdrew             INTEGER NOT NULL,
	erase                         INTEGER NOT NULL,
	changed                       INTEGER NOT NULL, -- may have more than one event
	shared                        INTEGER NOT NULL  -- may have siblings
) STRICT;

CREATE UNIQUE INDEX unit_key ON unit (key_data, origin);
CREATE INDEX unit_end ON unit (rolling_start_interval_number + rolling_period);
CREATE INDEX unit_erase ON unit (id) WHERE erase;
CREATE INDEX unit_upload ON unit (upload);
CREATE INDEX unit_countries ON unit (visited_countries) WHERE visited_countries IS NOT NULL;

-- Who claimed a unit, in the order of acceptance.
CREATE TABLE claim (
	unit      INTEGER NOT NULL REFERENCES unit,
	place     INTEGER NOT NULL, -- from 0
	source    TEXT    NOT NULL,
	upload    INTEGER REFERENCES upload, -- null for that of the unit
	accepted  INTEGER,                   -- likewise
	held      INTEGER NOT NULL,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (unit, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX claim_upload ON claim (upload) WHERE upload IS NOT NULL;

-- The key as a claim states it, where that is not what the unit says.
CREATE TABLE statement (
	unit                          INTEGER NOT NULL,
	place                         INTEGER NOT NULL,
	key_data                      BLOB    NOT NULL,
	origin                        TEXT    NOT NULL,
	rolling_start_interval_number INTEGER NOT NULL,
	rolling_period                INTEGER NOT NULL,
	transmission_risk_level       INTEGER,
	report_type                   INTEGER,
	days_since_onset_of_symptoms  INTEGER,
	variant_of_concern            INTEGER,
	visited_countries             INTEGER REFERENCES countries,
	test_type                     INTEGER NOT NULL,
	consent_to_federate           INTEGER NOT NULL,
	provenance                    INTEGER NOT NULL,
	PRIMARY KEY (unit, place),
	FOREIGN KEY (unit, place) REFERENCES claim
) STRICT, WITHOUT ROWID;

CREATE INDEX statement_countries ON statement (visited_countries) WHERE visited_countries IS NOT NULL;

-- The event that the next cut is to number, of each unit that waits for one,
-- ready to be copied into the log.
CREATE TABLE waiting (
	unit           INTEGER PRIMARY KEY REFERENCES unit,
	origin         TEXT    NOT NULL,
	own            INTEGER NOT NULL, -- of the unit
	wait           INTEGER NOT NULL, -- 1 new, 2 change, 3 withdrawal
	upload         INTEGER NOT NULL REFERENCES upload,
	due            INTEGER NOT NULL,
	held           INTEGER NOT NULL, -- by quota
	own_state      INTEGER NOT NULL,
	partners_state INTEGER NOT NULL,
	report_type    INTEGER,
	sources        TEXT    NOT NULL
) STRICT;

-- The log. States are 1 active, 2 withdrawn.
CREATE TABLE event (
	number         INTEGER PRIMARY KEY,
	unit           INTEGER NOT NULL REFERENCES unit,
	own_state      INTEGER NOT NULL,
	partners_state INTEGER NOT NULL,
	report_type    INTEGER,
	sources        TEXT    NOT NULL
) STRICT;

CREATE INDEX event_unit ON event (unit);

CREATE TABLE cut (
	seq    INTEGER PRIMARY KEY,
	time   INTEGER NOT NULL,
	after  INTEGER NOT NULL, -- the last number before it
	last   INTEGER NOT NULL, -- the last number in it
	policy INTEGER NOT NULL,
	nonce  BLOB    NOT NULL,
	hash   BLOB    NOT NULL,
	pruned INTEGER NOT NULL
) STRICT;

CREATE INDEX cut_last ON cut (last);

-- Since which cut's time groups have been passed over.
CREATE TABLE group_wait (
	origin TEXT    NOT NULL,
	own    INTEGER NOT NULL,
	wait   INTEGER NOT NULL,
	since  INTEGER NOT NULL,
	PRIMARY KEY (origin, own, wait)
) STRICT, WITHOUT ROWID;

CREATE TABLE register (
	name    TEXT    PRIMARY KEY,
	version INTEGER NOT NULL,
	value   BLOB    NOT NULL,
	nonce   BLOB    NOT NULL
) STRICT;

CREATE TABLE tally (
	name  TEXT    PRIMARY KEY,
	count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Withdrawals that came before their keys.
CREATE TABLE kept (
	key_data BLOB    NOT NULL,
	origin   TEXT    NOT NULL,
	source   TEXT    NOT NULL,
	at       INTEGER NOT NULL,
	PRIMARY KEY (key_data, origin, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_at ON kept (at);

-- Keys that were not taken.
CREATE TABLE set_aside (
	id       INTEGER PRIMARY KEY,
	source   TEXT    NOT NULL,
	upload   TEXT    NOT NULL,
	at       INTEGER NOT NULL,
	key_data BLOB    NOT NULL,
	origin   TEXT    NOT NULL,
	field    TEXT    NOT NULL,
	reason   TEXT    NOT NULL,
	detail   TEXT    NOT NULL
) STRICT;

CREATE INDEX set_aside_key ON set_aside (key_data, origin);
CREATE INDEX set_aside_upload ON set_aside (upload);
CREATE INDEX set_aside_at ON set_aside (at);

-- Hashes of units that were withdrawn and removed.
CREATE TABLE tombstone (
	hash  BLOB    PRIMARY KEY,
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tombstone_until ON tombstone (until);
