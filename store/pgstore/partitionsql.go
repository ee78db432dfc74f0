package pgstore

// partitionSQL makes the plain table a partition of a new one. Its rows stay where they are; its new key is built by reading them.
const partitionSQL = `
SET LOCAL lock_timeout = '{patience}';
LOCK TABLE {schema}.records IN ACCESS EXCLUSIVE MODE;
ALTER TABLE {schema}.records RENAME TO records_plain;
ALTER TABLE {schema}.records_plain ADD COLUMN bucket bigint NOT NULL DEFAULT 0;
ALTER TABLE {schema}.records_plain ALTER COLUMN bucket DROP DEFAULT;
ALTER TABLE {schema}.records_plain DROP CONSTRAINT records_pkey;
ALTER TABLE {schema}.records_plain ADD CONSTRAINT records_plain_pkey PRIMARY KEY (bucket, id);
ALTER INDEX {schema}.records_open RENAME TO records_plain_open;
ALTER INDEX {schema}.records_over RENAME TO records_plain_over;

-- (bucket, id) and not (id, bucket): within a partition it is then filled at its right end, like the stamps.
CREATE TABLE {schema}.records (LIKE {schema}.records_plain INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS,
	CONSTRAINT records_pkey PRIMARY KEY (bucket, id)) PARTITION BY RANGE (bucket);
COMMENT ON TABLE {schema}.records IS 'the deduplication table: one row per operation, by its bucket';
COMMENT ON COLUMN {schema}.records.bucket IS 'the stamp; 0: none, or moved out of an old partition, or older than the partitions';
CREATE INDEX records_open ON {schema}.records (lease, id) WHERE lease IS NOT NULL;
CREATE INDEX records_over ON {schema}.records (purge_at) WHERE purge_at IS NOT NULL;
DROP TRIGGER whole ON {schema}.records_plain;
CREATE TRIGGER whole BEFORE UPDATE ON {schema}.records FOR EACH ROW EXECUTE FUNCTION {schema}.whole(); -- each partition has it when it is attached
ALTER TABLE {schema}.records ATTACH PARTITION {schema}.records_plain FOR VALUES FROM (0) TO (1);
COMMENT ON TABLE {schema}.records_plain IS 'bucket 0 of records: unstamped keys, and live records out of old partitions';

CREATE TABLE {schema}.partitioning (
	one         boolean PRIMARY KEY DEFAULT true CHECK (one),
	width       bigint NOT NULL CHECK (width > 0), -- milliseconds, like the others
	keep_window bigint NOT NULL,
	keep_skew   bigint NOT NULL
);
COMMENT ON TABLE {schema}.partitioning IS 'how wide partitions are, and for how long after their last stamp they are kept';
INSERT INTO {schema}.partitioning (width, keep_window, keep_skew) VALUES (1, 0, 0);
GRANT SELECT ON {schema}.partitioning TO PUBLIC;

-- Who was allowed something on the table is on the new one. The view is the same, over the new one.
DO $$
DECLARE
	a record;
BEGIN
	FOR a IN SELECT acl.grantee, acl.privilege_type, acl.is_grantable, c.relowner
		FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) acl WHERE c.oid = '{schema}.records_plain'::regclass
	LOOP
		IF a.grantee <> a.relowner THEN
			EXECUTE format('GRANT %s ON {schema}.records TO %s%s', a.privilege_type,
				CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
				CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
		END IF;
	END LOOP;
	FOR a IN SELECT format('ALTER TABLE {schema}.%I OWNER TO %I', t, pg_catalog.pg_get_userbyid(c.relowner)) AS statement
		FROM pg_catalog.pg_class c, unnest(ARRAY['records', 'partitioning']) t WHERE c.oid = '{schema}.records_plain'::regclass
	LOOP
		EXECUTE a.statement;
	END LOOP;
	EXECUTE 'CREATE OR REPLACE VIEW {schema}.operations AS ' || replace(pg_catalog.pg_get_viewdef('{schema}.operations'::regclass), 'records_plain', 'records');
END
$$;
`
