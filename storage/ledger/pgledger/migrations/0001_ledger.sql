-- +goose Up
-- The schema of a ledger, version 1. It is run with search_path set to the
-- schema of the ledger alone. The last statement notes that it was.
--
-- Key data, origins and the metadata of keys are columns, so that the canonical
-- order of keys is an ORDER BY and a person with psql can read them. Text that is
-- ordered or compared is so by its bytes (COLLATE "C"), whatever the locale.
--
-- There are no foreign keys: checking them would lock rows that every delivery
-- shares. What refers to a unit is written and removed in the step of the unit.

-- What the ledger is: one row, made by whoever opens it first.
CREATE TABLE ledger (
	id       smallint PRIMARY KEY CHECK (id = 1),
	identity bytea    NOT NULL CHECK (length(identity) = 16),
	replay   boolean  NOT NULL -- made for replays, and run by an injected clock
);

-- Ids of units ascend roughly in the order of acceptance, and are not dense.
CREATE SEQUENCE unit_id;

-- A key of an origin.
CREATE TABLE unit (
	id                            bigint   PRIMARY KEY,
	key_data                      bytea    NOT NULL CHECK (length(key_data) = 16),
	place                         smallint NOT NULL, -- among the units of the key data, from 0; see below
	origin                        text     NOT NULL COLLATE "C",
	rolling_start_interval_number integer  NOT NULL,
	rolling_period                smallint NOT NULL,
	transmission_risk_level       smallint,
	report_type                   smallint,
	days_since_onset_of_symptoms  smallint,
	variant_of_concern            smallint,
	visited_countries             text     COLLATE "C", -- ascending, with commas between; null for none
	test_type                     smallint NOT NULL,
	consent_to_federate           smallint NOT NULL,
	provenance                    smallint NOT NULL,
	accepted                      timestamptz NOT NULL,
	due                           timestamptz NOT NULL,
	upload                        text     NOT NULL COLLATE "C",
	source_withdrew               boolean  NOT NULL,
	operator_withdrew             boolean  NOT NULL,
	erase                         boolean  NOT NULL,
	source                        text     COLLATE "C", -- of the only claim, which says what the unit says; null if claims are rows
	held                          boolean  NOT NULL,    -- that claim
	withdrawn                     boolean  NOT NULL,    -- likewise
	changed                       boolean  NOT NULL,    -- may have more than one event
	shared                        boolean  NOT NULL     -- may have siblings
);

-- Of two deliveries that bring new units of one key data side by side, the second
-- waits here for the first, and finds the place taken.
CREATE UNIQUE INDEX unit_key ON unit (key_data, place);
CREATE INDEX unit_end ON unit ((rolling_start_interval_number + rolling_period));
CREATE INDEX unit_erase ON unit (id) WHERE erase;
CREATE INDEX unit_upload ON unit (upload);

-- Who claimed a unit, in the order of acceptance, if it was not one source alone
-- that said what the unit says. The key is there where it is not the unit's.
CREATE TABLE claim (
	unit                          bigint      NOT NULL,
	place                         integer     NOT NULL, -- from 0
	source                        text        NOT NULL COLLATE "C",
	upload                        text        NOT NULL COLLATE "C",
	accepted                      timestamptz NOT NULL,
	held                          boolean     NOT NULL,
	withdrawn                     boolean     NOT NULL,
	key_data                      bytea,
	origin                        text        COLLATE "C",
	rolling_start_interval_number integer,
	rolling_period                smallint,
	transmission_risk_level       smallint,
	report_type                   smallint,
	days_since_onset_of_symptoms  smallint,
	variant_of_concern            smallint,
	visited_countries             text        COLLATE "C",
	test_type                     smallint,
	consent_to_federate           smallint,
	provenance                    smallint,
	PRIMARY KEY (unit, place)
);

CREATE INDEX claim_upload ON claim (upload);

-- The event that the next cut is to number, of each unit that waits for one,
-- ready to be copied into the log, with what the unit's place in the cut goes by:
-- a cut need not look at units, however many there are.
CREATE TABLE waiting (
	unit                          bigint      PRIMARY KEY,
	key_data                      bytea       NOT NULL,
	origin                        text        NOT NULL COLLATE "C",
	rolling_start_interval_number integer     NOT NULL,
	rolling_period                smallint    NOT NULL,
	transmission_risk_level       smallint,
	report_type                   smallint,
	days_since_onset_of_symptoms  smallint,
	variant_of_concern            smallint,
	own                           boolean     NOT NULL, -- of the unit
	wait                          smallint    NOT NULL, -- 1 new, 2 change, 3 withdrawal
	upload                        text        NOT NULL COLLATE "C",
	due                           timestamptz NOT NULL,
	held                          boolean     NOT NULL, -- by quota
	own_state                     smallint    NOT NULL,
	partners_state                smallint    NOT NULL,
	event_report_type             smallint,
	sources                       text        NOT NULL COLLATE "C"
);

-- The log. States are 1 active, 2 withdrawn.
CREATE TABLE event (
	number         bigint   PRIMARY KEY,
	unit           bigint   NOT NULL,
	own_state      smallint NOT NULL,
	partners_state smallint NOT NULL,
	report_type    smallint,
	sources        text     NOT NULL COLLATE "C"
);

CREATE INDEX event_unit ON event (unit);

-- Cuts. Locks of this table are locks of the log; see the package's documentation.
CREATE TABLE cut (
	seq    bigint      PRIMARY KEY,
	time   timestamptz NOT NULL,
	after  bigint      NOT NULL, -- the last number before it
	last   bigint      NOT NULL, -- the last number in it
	policy bigint      NOT NULL,
	nonce  bytea       NOT NULL,
	hash   bytea       NOT NULL,
	pruned boolean     NOT NULL
);

CREATE INDEX cut_last ON cut (last, seq);

-- Since which cut's time groups have been passed over.
CREATE TABLE group_wait (
	origin text        NOT NULL COLLATE "C",
	own    boolean     NOT NULL,
	wait   smallint    NOT NULL,
	since  timestamptz NOT NULL,
	PRIMARY KEY (origin, own, wait)
);

-- Versions of all registers come from one counter, so that none is given twice.
CREATE SEQUENCE register_version;

CREATE TABLE register (
	name    text   PRIMARY KEY COLLATE "C",
	version bigint NOT NULL,
	value   bytea  NOT NULL,
	nonce   bytea  NOT NULL
);

-- A counter is the sum of its slots. Connections add to different ones, so that
-- they need not wait for each other.
CREATE TABLE tally (
	name  text     NOT NULL COLLATE "C",
	slot  smallint NOT NULL,
	count bigint   NOT NULL,
	PRIMARY KEY (name, slot)
) WITH (fillfactor = 50);

-- Withdrawals that came before their keys.
CREATE TABLE kept (
	key_data bytea       NOT NULL,
	origin   text        NOT NULL COLLATE "C",
	source   text        NOT NULL COLLATE "C",
	at       timestamptz NOT NULL,
	PRIMARY KEY (key_data, origin, source)
);

CREATE INDEX kept_at ON kept (at);

-- Keys that were not taken.
CREATE TABLE set_aside (
	id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source   text        NOT NULL COLLATE "C",
	upload   text        NOT NULL COLLATE "C",
	at       timestamptz NOT NULL,
	key_data bytea       NOT NULL,
	origin   text        NOT NULL COLLATE "C", -- empty for none
	field    text        NOT NULL,
	reason   text        NOT NULL,
	detail   text        NOT NULL
);

CREATE INDEX set_aside_key ON set_aside (key_data, origin, id);
CREATE INDEX set_aside_upload ON set_aside (upload);
CREATE INDEX set_aside_at ON set_aside (at);

-- Hashes of units that were withdrawn and removed.
CREATE TABLE tombstone (
	hash  bytea       PRIMARY KEY,
	until timestamptz NOT NULL
);

CREATE INDEX tombstone_until ON tombstone (until);

-- Which migrations were run.
CREATE TABLE gaen_migration (
	version integer     PRIMARY KEY,
	run     timestamptz NOT NULL DEFAULT now()
);

INSERT INTO gaen_migration (version) VALUES (1);
