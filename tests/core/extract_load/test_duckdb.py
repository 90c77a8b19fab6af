"""DuckDB files arrive value for value; a hostile one reaches nothing outside itself."""

import hashlib
from datetime import UTC, datetime

import duckdb
import pytest

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint, FileRef, Window
from tests.loading import plan, run

FIDELITY = (
    "create table fidelity (id int primary key, tiny tinyint, ubig ubigint, huge hugeint, "
    "big bignum, exact decimal(38,10), single float, wide double, flag boolean, day date, "
    "moment timestamp, zoned timestamptz, clock time, span interval, raw blob, bits bit, uid uuid, "
    "doc json, kind enum('', 'x'), list int[], pair struct(a int, b varchar), note varchar, "
    '"My ""Col" int)',
    "insert into fidelity values (1, -128, 18446744073709551615, "
    "170141183460469231731687303715884105727, "
    "123456789012345678901234567890123456789012345::bignum, "
    "9999999999999999999999999999.9999999999, 0.1, 'inf', true, '0044-03-15 (BC)', "
    "'9999-12-31 23:59:59.999999', '2024-01-01 05:00:00+05', '24:00:00', "
    "interval '1 year -2 months 3 days -4 hours', '\\x00\\xFF'::blob, '0101', "
    "'123e4567-e89b-12d3-a456-426655440000', '{\"k\": [1.10, null]}', '', [1, null], "
    "{'a': 1, 'b': '\"'}, 'emoji 🎉, \"q\"\nline', 7)",
    "insert into fidelity (id, day, moment, wide, note) "
    "values (2, '20000-01-01', '-infinity', 'nan', '')",
    "insert into fidelity (id) values (3)",
)
EXPECTED = {
    "tiny": ("smallint", "-128"),
    "ubig": ("numeric(20,0)", "18446744073709551615"),
    "huge": ("numeric(39,0)", "170141183460469231731687303715884105727"),
    "big": ("numeric", "123456789012345678901234567890123456789012345"),
    "exact": ("numeric(38,10)", "9999999999999999999999999999.9999999999"),
    "single": ("real", "0.1"),
    "wide": ("double precision", "Infinity"),
    "flag": ("boolean", "true"),
    "day": ("date", "0044-03-15 BC"),
    "moment": ("timestamp without time zone", "9999-12-31 23:59:59.999999"),
    "zoned": ("timestamp with time zone", "2024-01-01 00:00:00+00"),
    "clock": ("time without time zone", "24:00:00"),
    "span": ("interval", "10 mons 3 days -04:00:00"),
    "raw": ("bytea", "\\x00ff"),
    "bits": ("bit varying", "0101"),
    "uid": ("uuid", "123e4567-e89b-12d3-a456-426655440000"),
    "doc": ("json", '{"k": [1.10, null]}'),
    "kind": ("text", ""),
    "list": ("json", "[1,null]"),
    "pair": ("json", '{"a":1,"b":"\\""}'),
    "note": ("text", 'emoji 🎉, "q"\nline'),
    "my_col": ("integer", "7"),
}


@pytest.fixture
def shop(tmp_path):
    """A function that writes a database file and gives its endpoint and files."""
    path = tmp_path / "shop.duckdb"

    def write(*statements):
        with duckdb.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        ref = FileRef(name=path.name, sha256="0" * 64, size=path.stat().st_size, url="/shop")
        endpoint = Endpoint(connector="duckdb", config={"uploads": [1]}, files=(ref,))
        return endpoint, {path.name: path}

    return write


@pytest.mark.feature("C3")
def test_no_value_changes_on_the_way(warehouse, shop, tmp_path):
    source, files = shop(*FIDELITY)
    before = hashlib.sha256(files["shop.duckdb"].read_bytes()).hexdigest()
    run(plan(warehouse, source, mode="full_database", batch_size=2), tmp_path / "w", files)
    types = dict(
        warehouse.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where "
            "attrelid = 'demo_raw.fidelity'::regclass and attnum > 0"
        )
    )
    assert {name: types[name] for name in EXPECTED} == {n: t for n, (t, _) in EXPECTED.items()}
    names = ", ".join(f'"{name}"::text' for name in EXPECTED)
    most, some, nothing = warehouse.execute(f"select {names} from fidelity order by id")
    assert dict(zip(EXPECTED, most, strict=True)) == {n: v for n, (_, v) in EXPECTED.items()}
    assert nothing == (None,) * len(EXPECTED)
    far = dict(zip(EXPECTED, some, strict=True))
    assert (far["day"], far["moment"], far["wide"], far["note"]) == (
        "20000-01-01",
        "-infinity",
        "NaN",
        "",
    )
    assert hashlib.sha256(files["shop.duckdb"].read_bytes()).hexdigest() == before


def test_a_time_finer_than_a_microsecond_is_refused(warehouse, shop, tmp_path):
    source, files = shop(
        "create table t as select '2024-01-01 00:00:00.123456789'::timestamp_ns as fine, 1 as id",
        "create table good as select '2024-01-01 00:00:00.123456000'::timestamp_ns as fine",
    )
    run(plan(warehouse, source, {"name": "good"}), tmp_path / "w", files)
    assert warehouse.execute("select fine::text from good") == [("2024-01-01 00:00:00.123456",)]
    with pytest.raises(TerminalError, match="column 'fine': a time finer than a microsecond"):
        run(plan(warehouse, source, {"name": "t"}), tmp_path / "w", files, 2)


@pytest.mark.feature("C4")
@pytest.mark.parametrize("type_", ["timestamp", "timestamptz", "date"])
def test_cursors_and_windows(warehouse, shop, tmp_path, type_):
    days = f"create table t as select ('2024-01-0' || n)::{type_} as day, n from range(1, 10) r(n)"
    source, files = shop("set TimeZone = 'UTC'", days)
    resource = {"name": "t", "cursor": {"column": "day"}}
    window = Window(start=datetime(2024, 1, 3, tzinfo=UTC), end=datetime(2024, 1, 5, tzinfo=UTC))
    bounded = plan(warehouse, source, resource, window=window)
    run(bounded, tmp_path / "w", files)
    assert warehouse.execute("select n from t order by n") == [(3,), (4,)]
    warehouse.execute("delete from t")
    live = plan(warehouse, source, resource)
    assert run(live, tmp_path / "w", files, 2).tables[0].loaded == 9
    assert run(live, tmp_path / "w", files, 3).tables[0].loaded == 0


def test_schemas_views_and_tables_without_rows(warehouse, shop, tmp_path):
    source, files = shop(
        "create schema far",
        "create table far.t as select 7 as x",
        "create view seen as select x + 1 as y from far.t",
        "create table empty (x int)",
    )
    resources = [{"name": "t", "source": "far.t"}, {"name": "seen"}, {"name": "empty"}]
    run(plan(warehouse, source, *resources), tmp_path / "w", files)
    assert warehouse.execute("select (select x from t), (select y from seen)") == [(7, 8)]
    assert warehouse.count("empty") == 0
    with pytest.raises(TerminalError, match="no table 'nope'"):
        run(plan(warehouse, source, {"name": "nope"}), tmp_path / "w", files, 2)


HOSTILE_VIEWS = {
    "a file": "select * from read_text('{path}')",
    "a file by name": "select * from '{path}'",
    "a folder": "select * from glob('{folder}/*')",
    "memory": "select list(a.range) as x from range(100000000) a",
}


@pytest.mark.parametrize("kind", HOSTILE_VIEWS)
def test_a_hostile_view_reaches_nothing(warehouse, shop, tmp_path, kind):
    secret = tmp_path / "secret.csv"
    secret.write_text("canary\n4711\n")
    query = HOSTILE_VIEWS[kind].format(path=secret, folder=tmp_path)
    source, files = shop(f"create view v as {query}")
    with pytest.raises(TerminalError) as caught:
        run(plan(warehouse, source, {"name": "v"}), tmp_path / "w", files)
    assert "4711" not in f"{caught.value.message}{caught.value.hint}"


def test_a_view_sees_no_variable_of_ours(warehouse, shop, tmp_path):
    """DuckDB would take an unknown table for a variable of the program that asks."""
    source, files = shop(
        "create table schema (x int)", "create view v as select * from schema", "drop table schema"
    )
    with pytest.raises(TerminalError):
        run(plan(warehouse, source, {"name": "v"}), tmp_path / "w", files)


@pytest.mark.feature("B2", "B7")
def test_the_connector_browses_and_refuses_what_is_none(shop):
    source, files = shop("create table orders (id int primary key, seen timestamp, n text)")
    connector = get_connector("duckdb")
    assert connector.test(source, files).message == "1 tables"
    (orders,) = connector.browse.tables(source, files, TableQuery()).tables
    columns = connector.browse.columns(source, files, orders.source)
    assert [column.name for column in columns if column.primary_key] == ["id"]
    assert [column.name for column in columns if column.cursor_candidate] == ["id"]
    path = files["shop.duckdb"]
    whole = path.read_bytes()
    for content, words in [
        (b"", "is empty"),
        (b"x" * 100, "is not a DuckDB database"),
        (whole[:4096] + b"\xff" * 4096 + whole[8192:], "cannot be read"),
        (whole[:100], "cannot be read"),
    ]:
        path.write_bytes(content)
        result = connector.test(source, files)
        assert not result.ok
        assert words in result.message
    assert "missing" in connector.test(source, {}).message
