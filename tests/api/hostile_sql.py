"""What an organization could try in SQL against another one, as data.

`{a}` is the slug of the attacker, `{b}` that of the victim, whose objects `VICTIM` makes. Whoever
runs tenants' SQL (a direct login, a preview, dbt) has to refuse every statement of `REFUSED` and
may answer those of `BLIND`, with nothing of the victim in the answer. `VISIBLE` is what PostgreSQL
shows to every role of a database, and we know it.
"""

from dataclasses import dataclass

CANARY = "canary of {b}"

# Run as the victim, in its dataset `raw`.
VICTIM = (
    "CREATE TABLE {b}_raw.people (id bigserial PRIMARY KEY, name text DEFAULT 'canary of {b}',"
    " CONSTRAINT known CHECK (name <> 'no canary of {b}'))",
    "INSERT INTO {b}_raw.people (name) SELECT 'canary of {b}' FROM generate_series(1, 100)",
    "CREATE VIEW {b}_raw.report AS SELECT 'canary of {b}' AS name, count(*) FROM {b}_raw.people",
    "CREATE MATERIALIZED VIEW {b}_raw.copy AS SELECT 'canary of {b}' AS name",
    "CREATE INDEX part ON {b}_raw.people (id) WHERE name <> 'canary of {b}'",
    "CREATE FUNCTION {b}_raw.secret() RETURNS text LANGUAGE sql SECURITY DEFINER"
    " AS 'SELECT ''canary of {b}''::text'",
    "CREATE TYPE {b}_raw.mood AS ENUM ('fine')",
    "CREATE TABLE {b}_raw_staging.people (name text)",
    "ANALYZE {b}_raw.people",
)

# Names lead to objects only through a schema that one may use; numbers do not.
_OID = (
    "(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE nspname = '{{b}}_raw' AND relname = '{}')"
)
PEOPLE, REPORT, NUMBERS, INDEX = map(_OID.format, ("people", "report", "people_id_seq", "part"))
FUNCTION = (
    "(SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace"
    " WHERE nspname = '{b}_raw' AND proname = 'secret')"
)
SESSION = "(SELECT pid FROM pg_stat_activity WHERE usename = 'org_{b}' LIMIT 1)"


NO_PRIVILEGE = "42501"
NOT_BUILT = (NO_PRIVILEGE, "0A000")  # or this server was built without what it needs


@dataclass(frozen=True)
class Hostile:
    """A statement, how a direct login may answer it, and what the attacker makes first."""

    name: str
    statement: str
    answers: tuple[str, ...] = (NO_PRIVILEGE,)
    setup: tuple[str, ...] = ()


NEIGHBOUR = (
    Hostile("read a table", "SELECT * FROM {b}_raw.people"),
    Hostile("read a table by TABLE", "TABLE {b}_raw.people"),
    Hostile("count a table", "SELECT count(*) FROM {b}_raw.people"),
    Hostile("read a view", "SELECT * FROM {b}_raw.report"),
    Hostile("read a materialized view", "SELECT * FROM {b}_raw.copy"),
    Hostile("refresh a materialized view", "REFRESH MATERIALIZED VIEW {b}_raw.copy"),
    Hostile("copy a table out", "COPY {b}_raw.people TO STDOUT"),
    Hostile("insert", "INSERT INTO {b}_raw.people (name) VALUES ('a')"),
    Hostile("update", "UPDATE {b}_raw.people SET name = 'a'"),
    Hostile("delete", "DELETE FROM {b}_raw.people"),
    Hostile("truncate", "TRUNCATE {b}_raw.people"),
    Hostile(
        "merge",
        "MERGE INTO {b}_raw.people p USING (SELECT 1 AS id) s ON p.id = s.id"
        " WHEN MATCHED THEN DELETE",
    ),
    Hostile("drop a table", "DROP TABLE {b}_raw.people"),
    Hostile("drop a view", "DROP VIEW {b}_raw.report"),
    Hostile("drop a schema", "DROP SCHEMA {b}_raw CASCADE"),
    Hostile("rename a schema", "ALTER SCHEMA {b}_raw RENAME TO gone"),
    Hostile("take a schema", "ALTER SCHEMA {b}_raw OWNER TO org_{a}"),
    Hostile("take a table", "ALTER TABLE {b}_raw.people OWNER TO org_{a}"),
    Hostile("alter a table", "ALTER TABLE {b}_raw.people ADD COLUMN x int"),
    Hostile("lock a table", "LOCK TABLE {b}_raw.people", setup=("BEGIN",)),
    Hostile("vacuum a table", "VACUUM {b}_raw.people"),
    Hostile("analyze a table", "ANALYZE {b}_raw.people"),
    Hostile("reindex a schema", "REINDEX SCHEMA {b}_raw"),
    Hostile("make a table", "CREATE TABLE {b}_raw.x (id int)"),
    Hostile("make a table in staging", "CREATE TABLE {b}_raw_staging.x (id int)"),
    Hostile("read staging", "SELECT * FROM {b}_raw_staging.people"),
    Hostile("make a view", "CREATE VIEW {b}_raw.x AS SELECT 1"),
    Hostile("make a type", "CREATE TYPE {b}_raw.x AS ENUM ('a')"),
    Hostile(
        "make a function", "CREATE FUNCTION {b}_raw.x() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    ),
    Hostile("make an index", "CREATE INDEX ON {b}_raw.people (name)"),
    Hostile("make statistics", "CREATE STATISTICS {a}_raw.s ON id, name FROM {b}_raw.people"),
    Hostile("make a rule", "CREATE RULE r AS ON INSERT TO {b}_raw.people DO INSTEAD NOTHING"),
    Hostile("make a policy", "CREATE POLICY p ON {b}_raw.people USING (true)"),
    Hostile("comment", "COMMENT ON TABLE {b}_raw.people IS 'a'"),
    Hostile(
        "make a trigger",
        "CREATE TRIGGER t AFTER INSERT ON {b}_raw.people EXECUTE FUNCTION {a}_raw.spy()",
        setup=(
            "CREATE FUNCTION {a}_raw.spy() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END'",
        ),
    ),
    Hostile("call a function", "SELECT {b}_raw.secret()"),
    Hostile("use a type", "SELECT 'fine'::{b}_raw.mood"),
    Hostile("a view over a table", "CREATE VIEW {a}_raw.x AS SELECT * FROM {b}_raw.people"),
    Hostile("a table of a table", "CREATE TABLE {a}_raw.x AS SELECT * FROM {b}_raw.people"),
    Hostile("a table like a table", "CREATE TABLE {a}_raw.x (LIKE {b}_raw.people)"),
    Hostile("a child of a table", "CREATE TABLE {a}_raw.x () INHERITS ({b}_raw.people)"),
    Hostile(
        "a foreign key as an oracle",
        "CREATE TABLE {a}_raw.x (id bigint REFERENCES {b}_raw.people)",
    ),
    Hostile(
        "move a table in",
        "ALTER TABLE {a}_raw.moved SET SCHEMA {b}_raw",
        setup=("CREATE TABLE {a}_raw.moved (id int)",),
    ),
    Hostile("take numbers of a sequence", f"SELECT nextval({NUMBERS}::regclass)"),
    Hostile("set a sequence", f"SELECT setval({NUMBERS}::regclass, 1)"),
    Hostile(
        "a table as XML",
        f"SELECT table_to_xml({PEOPLE}::regclass, true, false, '')",
        NOT_BUILT,
    ),
    Hostile("a query as XML", "SELECT query_to_xml('TABLE {b}_raw.people', true, false, '')"),
    Hostile("a schema as XML", "SELECT schema_to_xml('{b}_raw', true, false, '')"),
    Hostile("words of a query", "SELECT ts_stat('SELECT name::tsvector FROM {b}_raw.people')"),
    Hostile(
        "through a function of the definer",
        "SELECT {a}_raw.definer()",
        setup=(
            "CREATE FUNCTION {a}_raw.definer() RETURNS text LANGUAGE plpgsql SECURITY DEFINER"
            " AS 'BEGIN RETURN (SELECT max(name) FROM {b}_raw.people); END'",
        ),
    ),
    Hostile(
        "with the neighbour's search path",
        "SELECT * FROM people",
        ("42P01",),  # the schema is not looked into
        setup=("SET search_path = {b}_raw",),
    ),
)

RIGHTS = (
    Hostile("be the neighbour", "SET ROLE org_{b}"),
    Hostile("be the neighbour by a setting", "SELECT set_config('role', 'org_{b}', false)"),
    Hostile("sign in as the neighbour", "SET SESSION AUTHORIZATION org_{b}"),
    Hostile("sign in by a setting", "SELECT set_config('session_authorization', 'org_{b}', false)"),
    Hostile("be the warehouse", "SET ROLE etlfabric_warehouse"),
    Hostile("be the superuser", "SET ROLE postgres"),
    Hostile("be all tenants", "SET ROLE etlfabric_tenant"),
    Hostile("be a reader of everything", "SET ROLE pg_read_all_data"),
    Hostile("join the neighbour", "GRANT org_{b} TO org_{a}"),
    Hostile("join the warehouse", "GRANT etlfabric_warehouse TO org_{a}"),
    Hostile("join the file readers", "GRANT pg_read_server_files TO org_{a}"),
    Hostile("pass the membership on", "GRANT etlfabric_tenant TO org_{a} WITH ADMIN OPTION"),
    Hostile("make a role", "CREATE ROLE intruder"),
    Hostile("drop a role", "DROP ROLE org_{b}"),
    Hostile("rename a role", "ALTER ROLE org_{b} RENAME TO gone"),
    Hostile("set a password", "ALTER ROLE org_{b} PASSWORD 'known'"),
    Hostile("set a search path", "ALTER ROLE org_{b} SET search_path = {a}_raw"),
    Hostile("become superuser", "ALTER ROLE org_{a} SUPERUSER"),
    Hostile("bypass row security", "ALTER ROLE org_{a} BYPASSRLS"),
    Hostile("make roles", "ALTER ROLE org_{a} CREATEROLE"),
    Hostile("lift the connection limit", "ALTER ROLE org_{a} CONNECTION LIMIT -1"),
    Hostile("inherit", "ALTER ROLE org_{a} INHERIT"),
    Hostile("grant a schema", "GRANT ALL ON SCHEMA {b}_raw TO org_{a}"),
    Hostile("grant a table", "GRANT SELECT ON {b}_raw.people TO org_{a}"),
    Hostile("grant all tables", "GRANT SELECT ON ALL TABLES IN SCHEMA {b}_raw TO org_{a}"),
    Hostile(
        "grant what is to come",
        "ALTER DEFAULT PRIVILEGES FOR ROLE org_{b} GRANT SELECT ON TABLES TO org_{a}",
    ),
    Hostile("take all", "REASSIGN OWNED BY org_{b} TO org_{a}"),
    Hostile("drop all", "DROP OWNED BY org_{b}"),
    Hostile("give a schema away", "ALTER SCHEMA {a}_raw OWNER TO org_{b}"),
    Hostile(
        "a function in the warehouse's name",
        "ALTER FUNCTION {a}_raw.gift() OWNER TO etlfabric_warehouse",
        setup=("CREATE FUNCTION {a}_raw.gift() RETURNS int LANGUAGE sql AS 'SELECT 1'",),
    ),
    Hostile("make a schema", "CREATE SCHEMA {b}_next"),
    Hostile("make a schema for the warehouse", "CREATE SCHEMA etlfabric_warehouse"),
    Hostile("make a schema for another", "CREATE SCHEMA x AUTHORIZATION org_{b}"),
    Hostile("make a table in public", "CREATE TABLE public.x (id int)"),
    Hostile("make a table in the catalog", "CREATE TABLE pg_catalog.x (id int)"),
    Hostile(
        "replace a function of the catalog",
        "CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql AS 'SELECT 1'",
    ),
    Hostile(
        "make a function in the catalog",
        "CREATE FUNCTION pg_catalog.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    Hostile("write to the catalog", "UPDATE pg_catalog.pg_class SET relowner = 0"),
    Hostile("cast between types of all", "CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT"),
    Hostile(
        "a cast of all texts",
        "CREATE CAST (text AS integer) WITH FUNCTION {a}_raw.cast(text) AS IMPLICIT",
        setup=("CREATE FUNCTION {a}_raw.cast(text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",),
    ),
    Hostile("a base type", "CREATE TYPE {a}_raw.x (INPUT = textin, OUTPUT = textout)"),
    Hostile(
        "an operator class",
        "CREATE OPERATOR CLASS {a}_raw.x DEFAULT FOR TYPE text USING btree AS STORAGE text",
    ),
    Hostile("an access method", "CREATE ACCESS METHOD x TYPE TABLE HANDLER heap_tableam_handler"),
    Hostile(
        "an event trigger",
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION {a}_raw.event()",
        setup=(
            "CREATE FUNCTION {a}_raw.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        ),
    ),
)

DATABASES = (
    Hostile("make a database", "CREATE DATABASE x"),
    Hostile("drop a database", "DROP DATABASE etlfabric"),
    Hostile("rename the warehouse", "ALTER DATABASE airflow RENAME TO gone"),
    Hostile("take the warehouse", "ALTER DATABASE warehouse OWNER TO org_{a}"),
    Hostile("a setting of the warehouse", "ALTER DATABASE warehouse SET search_path = {a}_raw"),
    Hostile("reach into the metadata", "SELECT * FROM etlfabric.public.organization", ("0A000",)),
    Hostile("reach into Airflow", "SELECT * FROM airflow.public.connection", ("0A000",)),
    Hostile("dblink", "CREATE EXTENSION dblink", NOT_BUILT),
    Hostile("postgres_fdw", "CREATE EXTENSION postgres_fdw", NOT_BUILT),
    Hostile("file_fdw", "CREATE EXTENSION file_fdw", NOT_BUILT),
    Hostile("a trusted extension", "CREATE EXTENSION pgcrypto", NOT_BUILT),
    Hostile("call dblink", "SELECT dblink('dbname=etlfabric', 'SELECT 1')", ("42883",)),
    Hostile("a foreign data wrapper", "CREATE FOREIGN DATA WRAPPER x"),
    Hostile("a foreign server", "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw", ("42704",)),
    Hostile("a publication", "CREATE PUBLICATION p FOR TABLE {a}_raw.people"),
    Hostile("a publication of all", "CREATE PUBLICATION p FOR ALL TABLES"),
    Hostile(
        "a subscription",
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
    ),
    Hostile("a replication slot", "SELECT pg_create_physical_replication_slot('x')"),
)

FILES = (
    Hostile("read a file", "SELECT pg_read_file('PG_VERSION')"),
    Hostile("read any file", "SELECT pg_read_file('/etc/passwd')"),
    Hostile("read a binary file", "SELECT pg_read_binary_file('/etc/passwd')"),
    Hostile("list a directory", "SELECT pg_ls_dir('.')"),
    Hostile("list the log", "SELECT pg_ls_logdir()"),
    Hostile("list the journal", "SELECT pg_ls_waldir()"),
    Hostile("list temporary files", "SELECT pg_ls_tmpdir()"),
    Hostile("look at a file", "SELECT pg_stat_file('PG_VERSION')"),
    Hostile("the log's name", "SELECT pg_current_logfile()"),
    Hostile("import a file", "SELECT lo_import('/etc/passwd')"),
    Hostile("export a file", "SELECT lo_export(1, '/tmp/x')"),
    Hostile("copy from a file", "COPY {a}_raw.people FROM '/etc/passwd'"),
    Hostile("copy to a file", "COPY (SELECT 1) TO '/tmp/x'"),
    Hostile("copy to a program", "COPY (SELECT 1) TO PROGRAM 'true'"),
    Hostile("copy from a program", "COPY {a}_raw.people FROM PROGRAM 'id'"),
    Hostile("load a library", "LOAD '/tmp/x.so'"),
    Hostile(
        "a function in C",
        "CREATE FUNCTION {a}_raw.x() RETURNS int LANGUAGE c AS '/lib/libc.so.6', 'system'",
    ),
    Hostile(
        "a function of the server",
        "CREATE FUNCTION {a}_raw.x() RETURNS int LANGUAGE internal AS 'pg_read_file'",
    ),
    Hostile("a language", "CREATE EXTENSION plpython3u", NOT_BUILT),
    Hostile("an untrusted language", "CREATE LANGUAGE plpythonu HANDLER plpgsql_call_handler"),
    Hostile("a tablespace", "CREATE TABLESPACE x LOCATION '/tmp'"),
    Hostile("who may sign in", "SELECT * FROM pg_hba_file_rules"),
    Hostile("settings in files", "SELECT * FROM pg_file_settings"),
    Hostile("where the data lies", "SHOW data_directory"),
    Hostile(
        "a dictionary's file",
        "CREATE TEXT SEARCH DICTIONARY {a}_raw.d (TEMPLATE = simple, STOPWORDS = '../../passwd')",
        ("22023",),
    ),
)

SERVER = (
    Hostile("a setting of the server", "ALTER SYSTEM SET log_statement = 'all'"),
    Hostile("reload", "SELECT pg_reload_conf()"),
    Hostile("rotate the log", "SELECT pg_rotate_logfile()"),
    Hostile("checkpoint", "CHECKPOINT"),
    Hostile("switch the journal", "SELECT pg_switch_wal()"),
    Hostile("reset statistics", "SELECT pg_stat_reset()"),
    Hostile("no triggers", "SET session_replication_role = replica"),
    Hostile("log everything", "SET log_statement = 'all'"),
    Hostile("lift the limit of temporary files", "SET temp_file_limit = -1"),
    Hostile("libraries at the start", "SET session_preload_libraries = 'x'"),
    Hostile("libraries from anywhere", "SET dynamic_library_path = '/tmp'"),
    Hostile("prepare a transaction", "PREPARE TRANSACTION 'x'", ("55000",), ("BEGIN",)),
    Hostile("passwords", "SELECT * FROM pg_authid"),
    Hostile("passwords by the view", "SELECT * FROM pg_shadow"),
    Hostile("foreign passwords", "SELECT * FROM pg_user_mapping"),
    Hostile("subscriptions", "SELECT subconninfo FROM pg_subscription"),
    Hostile("values in statistics", "SELECT * FROM pg_statistic"),
    Hostile("values in other statistics", "SELECT * FROM pg_statistic_ext_data"),
    Hostile("memory", "SELECT * FROM pg_backend_memory_contexts"),
    Hostile("end a session", f"SELECT pg_terminate_backend({SESSION})"),
    Hostile("cancel a query", f"SELECT pg_cancel_backend({SESSION})"),
    Hostile("log a session's memory", f"SELECT pg_log_backend_memory_contexts({SESSION})"),
    Hostile("who waits for whom", f"SELECT pg_blocking_pids({SESSION})"),
    Hostile("locks", "SELECT * FROM pg_locks"),
    Hostile("locks by the function", "SELECT * FROM pg_lock_status()"),
    Hostile("statements of others", "SELECT * FROM pg_stat_statements", ("42P01",)),
    Hostile("notify by the function", "SELECT pg_notify('c', 'x')"),
    Hostile("large objects", "SELECT * FROM pg_largeobject"),
    Hostile("make a large object", "SELECT lo_create(0)"),
    Hostile("fill a large object", "SELECT lo_from_bytea(0, 'x')"),
    Hostile("read a large object", "SELECT lo_get(1)"),
)

WRITTEN = (
    Hostile("a view's text", f"SELECT pg_get_viewdef({REPORT})"),
    Hostile("a view's text, pretty", f"SELECT pg_get_viewdef({REPORT}, true)"),
    Hostile("texts of views", "SELECT definition FROM pg_views WHERE schemaname = '{b}_raw'"),
    Hostile("texts of copies", "SELECT definition FROM pg_matviews WHERE schemaname = '{b}_raw'"),
    Hostile("rules", "SELECT definition FROM pg_rules"),
    Hostile("a view's tree", f"SELECT ev_action FROM pg_rewrite WHERE ev_class = {REPORT}"),
    Hostile("a function's text", f"SELECT pg_get_functiondef({FUNCTION})"),
    Hostile("texts of functions", "SELECT prosrc FROM pg_proc"),
    Hostile("functions whole", "SELECT p FROM pg_proc p"),
    Hostile("defaults", f"SELECT adbin FROM pg_attrdef WHERE adrelid = {PEOPLE}"),
    Hostile("checks", f"SELECT conbin FROM pg_constraint WHERE conrelid = {PEOPLE}"),
    Hostile(
        "a check's text",
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {PEOPLE}",
    ),
    Hostile("an index's text", f"SELECT pg_get_indexdef({INDEX})"),
    Hostile("texts of indexes", "SELECT indexdef FROM pg_indexes WHERE schemaname = '{b}_raw'"),
    Hostile("an index's condition", f"SELECT indpred FROM pg_index WHERE indexrelid = {INDEX}"),
)

REFUSED = (*NEIGHBOUR, *RIGHTS, *DATABASES, *FILES, *SERVER, *WRITTEN)

BLIND = (
    Hostile("open the warehouse", "GRANT CREATE ON DATABASE warehouse TO org_{a}"),
    Hostile("tables", "SELECT * FROM information_schema.tables WHERE table_schema = '{b}_raw'"),
    Hostile("columns", "SELECT * FROM information_schema.columns WHERE table_schema = '{b}_raw'"),
    Hostile("statistics", "SELECT * FROM pg_stats WHERE schemaname = '{b}_raw'"),
    Hostile(
        "statistics through a cheap function",
        "SELECT * FROM pg_stats WHERE {a}_raw.leak(most_common_vals::text)",
        setup=(
            "CREATE OR REPLACE FUNCTION {a}_raw.leak(value text) RETURNS bool LANGUAGE plpgsql"
            " COST 0.0000001 AS 'BEGIN IF value LIKE ''%canary%'' THEN RAISE ''%'', value; END IF;"
            " RETURN true; END'",
        ),
    ),
    Hostile("queries of others", "SELECT query FROM pg_stat_activity"),
    Hostile("numbers of sequences", "SELECT last_value FROM pg_sequences"),
    Hostile("the database as XML", "SELECT database_to_xml(true, false, '')"),
    Hostile("cursors of others", "SELECT * FROM pg_cursors"),
    Hostile("prepared statements of others", "SELECT * FROM pg_prepared_statements"),
    Hostile("prepared transactions", "SELECT * FROM pg_prepared_xacts"),
    Hostile("copies under way", "SELECT * FROM pg_stat_progress_copy"),
    Hostile("settings", "SELECT * FROM pg_settings"),
    Hostile(
        "an entity in XML",
        "SELECT xmlparse(document '<!DOCTYPE x [<!ENTITY e SYSTEM"
        ' "file:///etc/passwd">]><x>&e;</x>\')::text',
    ),
)

# A query, and what it tells about the victim. Nothing in PostgreSQL takes it away: every role reads
# the catalog of its database.
VISIBLE = {
    "names of schemas": "SELECT count(*) FROM pg_namespace WHERE nspname = '{b}_raw'",
    "names of tables": f"SELECT count(*) FROM pg_class WHERE oid = {PEOPLE}",
    "names of columns": f"SELECT count(*) FROM pg_attribute WHERE attrelid = {PEOPLE}",
    "estimated rows": f"SELECT reltuples FROM pg_class WHERE oid = {PEOPLE}",
    "sizes": f"SELECT pg_relation_size({PEOPLE})",
    "counts of writes": f"SELECT count(*) FROM pg_stat_all_tables WHERE relid = {PEOPLE}",
    "that a session is open": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'org_{b}'",
    "comments": f"SELECT count(obj_description({PEOPLE}, 'pg_class'))",
}
