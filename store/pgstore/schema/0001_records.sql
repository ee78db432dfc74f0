-- The deduplication table, version 1. Run it with your own migration tool, or let pgstore.Migrate run it.
-- Another name for the schema: replace the word in front of every dot, or let pgstore.Migrations do it.
--
-- Strings are bytea: a key, a principal and a service are bytes from outside, in no particular encoding, and no collation may
-- find two of them equal. The view at the end is for people.
-- Times are milliseconds since 1970 on the clock of this server; NULL means "not set".

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'onceward') THEN
		CREATE SCHEMA onceward;
	END IF;
END
$$;

CREATE TABLE onceward.versions (
	version    integer PRIMARY KEY,
	compatible integer NOT NULL CHECK (compatible <= version), -- the oldest version whose builds can work with this one
	applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE onceward.versions IS 'which migrations have been applied';

-- Columns stand by their width: no byte is lost to alignment. Most rows are written once, as done, and never changed.
CREATE TABLE onceward.records (
	first_seen          bigint NOT NULL,
	version             bigint NOT NULL,
	hint                bigint,            -- hash of a JSON body that ignores the order of members
	stamp               bigint,            -- when the key was minted, if the key says so
	lease               bigint,            -- open: until when nobody may suspect the owner to be dead
	done_at             bigint,
	purge_at            bigint,            -- fixed when it was done
	claims              integer NOT NULL,  -- how many tokens have held it
	state               smallint NOT NULL, -- 1 claimed, 2 started, 3 done. Started with a lapsed lease is unknown
	policy              smallint NOT NULL, -- what the lapse of a start means: 0 held as unknown, 1 runs again
	ended               smallint NOT NULL, -- 0 open, 1 reply, 2 reply not kept, 3 not executed, 4 cancelled
	fingerprint_version smallint,
	doubted             boolean NOT NULL,  -- its start was taken over
	safe_new_key        boolean NOT NULL,
	id                  bytea PRIMARY KEY, -- SHA-256 of service, principal and key
	token               bytea NOT NULL,    -- the owner's; when done, of whoever completed or decided
	fingerprint         bytea,
	service             bytea NOT NULL,
	principal           bytea NOT NULL,
	key                 bytea NOT NULL,
	reply               bytea
)
-- A reply of a few kilobytes stays in its row, as it is. Longer ones are compressed, and go out of line.
WITH (toast_tuple_target = 4080);
COMMENT ON TABLE onceward.records IS 'the deduplication table: one row per operation';

-- What a row must be, for whoever changes one: a hand, most of all. It is a trigger for UPDATE, and no CHECK: PostgreSQL reads a table's CHECKs from
-- their text again in each statement, and these took half of an insert's time (65 of 130 microseconds, measured). Rows are made by package pgstore's
-- statements only, in whose tests every row has to pass.
CREATE FUNCTION onceward.whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF ( -- plpgsql would take the THEN of a CASE outside of parentheses for its own
		octet_length(new.id) = 32 AND octet_length(new.token) = 16
		AND octet_length(new.service) BETWEEN 1 AND 1024 AND octet_length(new.principal) BETWEEN 1 AND 1024 AND octet_length(new.key) BETWEEN 1 AND 255
		AND CASE WHEN new.fingerprint_version IS NULL THEN new.fingerprint IS NULL
			ELSE new.fingerprint_version > 0 AND coalesce(octet_length(new.fingerprint), 0) = 32 END
		AND new.policy IN (0, 1)
		-- What the states mean. A doubted record has passed its start and never goes back; a new key is safe only where nothing was executed.
		AND CASE new.state
			WHEN 1 THEN NOT new.doubted AND new.lease IS NOT NULL AND new.ended = 0
				AND num_nonnulls(new.done_at, new.purge_at, new.reply) = 0 AND NOT new.safe_new_key
			WHEN 2 THEN new.lease IS NOT NULL AND new.ended = 0
				AND num_nonnulls(new.done_at, new.purge_at, new.reply) = 0 AND NOT new.safe_new_key
			WHEN 3 THEN new.lease IS NULL AND num_nulls(new.done_at, new.purge_at) = 0 AND new.ended IN (1, 2, 3, 4)
				AND (new.reply IS NOT NULL) = (new.ended = 1) AND (new.ended IN (3, 4) OR NOT new.safe_new_key)
			ELSE false END)
	THEN
		RETURN new;
	END IF;
	RAISE 'a record of state % cannot be like this', new.state
		USING ERRCODE = 'check_violation', HINT = 'resolve records by the administration of oncehttp, or store.Desk; the trigger of this table says what each state means';
END
$$;
CREATE TRIGGER whole BEFORE UPDATE ON onceward.records FOR EACH ROW EXECUTE FUNCTION onceward.whole();

-- What has an owner: a listing of unknown and open records visits no others, and a row that is written as done costs it nothing.
CREATE INDEX records_open ON onceward.records (lease, id) WHERE lease IS NOT NULL;

-- What is over: a purge and a listing of done records go through it in order. It grows at its right end and adds 65 bytes of WAL to
-- an operation (measured). BRIN adds none, but finds nothing any more once purged pages are filled again: its summaries only widen.
CREATE INDEX records_over ON onceward.records (purge_at) WHERE purge_at IS NOT NULL;

-- Waits for the lock of a record, no longer than the bound, and gives the session's own bound back: SET LOCAL … TO DEFAULT would not bring back what
-- the session, or a pool, had set. It is for those who did not get the lock at once, and answers true: it has waited.
CREATE FUNCTION onceward.await_lock(number bigint, bound text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	own text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', bound, true);
	PERFORM pg_advisory_xact_lock(number);
	PERFORM set_config('lock_timeout', own, true);
	PERFORM set_config('record_lock.waited', 'yes', true); -- for a later statement of the transaction, where this answer cannot be read
	RETURN true;
END
$$;

CREATE TABLE onceward.watermarks (
	service   bytea PRIMARY KEY,
	watermark bigint NOT NULL
);
COMMENT ON TABLE onceward.watermarks IS 'stamped keys up to here are inadmissible for ever; it never goes back';

CREATE TABLE onceward.marks (
	until bigint NOT NULL,
	id    bytea NOT NULL,
	token bytea NOT NULL,
	PRIMARY KEY (id, token)
);
CREATE INDEX marks_over ON onceward.marks (until);
COMMENT ON TABLE onceward.marks IS 'released tokens: a late copy of their claims must not come back to life';

CREATE TABLE onceward.trail (
	n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at        bigint NOT NULL,
	version   bigint NOT NULL,   -- of the record after the action; 0: absent
	stamp     bigint,
	action    smallint NOT NULL, -- 1 happened, 2 did not happen, 3 cancelled, 4 released, 5 contradiction
	id        bytea NOT NULL,
	service   bytea NOT NULL,
	principal bytea NOT NULL,
	key       bytea NOT NULL,
	actor     bytea NOT NULL,
	reason    bytea NOT NULL
);
CREATE INDEX trail_of ON onceward.trail (id, n);
COMMENT ON TABLE onceward.trail IS 'who decided what, and late owners that contradict a decision; append only';

CREATE VIEW onceward.operations AS
SELECT
	encode(service, 'escape') AS service,
	encode(principal, 'escape') AS principal,
	encode(key, 'escape') AS key,
	CASE
		WHEN state = 1 THEN 'claimed'
		WHEN state = 2 AND lease <= extract(epoch FROM clock_timestamp()) * 1000 THEN 'unknown'
		WHEN state = 2 THEN 'started'
		ELSE (ARRAY['done', 'done, reply not kept', 'not executed', 'cancelled'])[ended]
	END AS state,
	to_timestamp(first_seen / 1000.0) AS first_seen,
	to_timestamp(lease / 1000.0) AS lease,
	to_timestamp(done_at / 1000.0) AS done_at,
	to_timestamp(purge_at / 1000.0) AS purge_at,
	doubted,
	claims,
	octet_length(reply) AS reply_bytes,
	id
FROM onceward.records;
COMMENT ON VIEW onceward.operations IS 'the records for people; programs use package pgstore';

INSERT INTO onceward.versions (version, compatible) VALUES (1, 1);
