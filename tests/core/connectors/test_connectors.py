"""Connectors test and discover against the real thing, and name the field that is wrong."""

import sqlite3
from pathlib import Path

import pytest

from etlfabric_core.connectors import CONNECTORS, get_connector
from etlfabric_core.connectors.record import Direction, TableQuery, parse
from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.sources import READERS
from tests.loading import FLIGHTS_DIR, Warehouse, csv_source, new_warehouse


@pytest.fixture(scope="module")
def warehouse(postgres):
    with new_warehouse(postgres) as made:
        yield made


def test_the_registry_is_complete_and_names_what_it_knows():
    assert set(CONNECTORS) == set(READERS)
    for connector in CONNECTORS.values():
        fields = connector.config.model_json_schema()["properties"]
        assert set(connector.endpoint_fields) <= set(fields)
        assert Direction.SOURCE in connector.directions
    with pytest.raises(InvalidConfig) as caught:
        get_connector("oracle")
    assert caught.value.hint == f"one of: {', '.join(CONNECTORS)}"


def test_a_wrong_config_names_every_field():
    with pytest.raises(InvalidConfig) as caught:
        parse(get_connector("postgres").config, {"host": "a b", "port": "x", "color": "red"})
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"host", "port", "color", "database", "user"}


@pytest.mark.parametrize("host", ["/var/run", "a,b", "h host=evil", "h'", ""])
def test_a_host_is_a_host_and_nothing_else(host):
    values = {"host": host, "database": "d", "user": "u"}
    with pytest.raises(InvalidConfig, match="host"):
        parse(get_connector("postgres").config, values)


def test_a_secret_does_not_show():
    secrets = parse(get_connector("postgres").secrets, {"password": "canary-4711"})
    assert "canary" not in repr(secrets)
    assert "canary" not in repr(Endpoint(connector="x", config={}, secrets={"password": "canary"}))


def test_postgres_answers(warehouse: Warehouse):
    result = get_connector("postgres").test(warehouse.endpoint(), {})
    assert result.ok
    assert result.server_version
    assert result.server_version in result.message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "canary-4711"}, "password"),
        ({"user": "nobody_here"}, "password"),  # PostgreSQL does not say which of both is wrong
        ({"database": "nowhere"}, "database"),
        ({"port": 1}, "port"),
        ({"addresses": ("127.0.0.9",), "host": "db.example.com"}, "port"),
        ({"addresses": ()}, "host"),
        ({"sslmode": "require"}, "sslmode"),
        ({"database": ""}, "connection field 'database'"),
    ],
)
def test_postgres_says_which_field_is_wrong(warehouse: Warehouse, changes, field):
    result = get_connector("postgres").test(warehouse.endpoint(**changes), {})
    assert not result.ok
    assert result.message.startswith(field)
    assert result.hint
    assert "canary" not in f"{result.message}{result.hint}"


def test_postgres_discovers_tables_keys_and_cursors(warehouse: Warehouse):
    warehouse.execute(
        "create table demo_raw.orders (id int primary key, at timestamptz not null, note text, "
        "seen timestamptz); create table demo_raw.hidden (x int); "
        f"grant select on demo_raw.orders to {warehouse.role}"
    )
    browse = get_connector("postgres").browse
    inside = warehouse.endpoint(schema="demo_raw")
    assert browse.schemas(inside, {}) == ("demo_raw",)
    (orders,) = browse.tables(inside, {}, TableQuery()).tables
    assert (orders.source, orders.row_estimate) == ("orders", None)
    columns = browse.columns(inside, {}, "orders")
    assert [column.name for column in columns if column.primary_key] == ["id"]
    assert [column.name for column in columns if column.cursor_candidate] == ["id", "at"]
    reasons = {column.name: column.why_not for column in columns}
    assert "can be empty" in str(reasons["seen"])
    assert "does not grow" in str(reasons["note"])
    (elsewhere,) = browse.tables(warehouse.endpoint(), {}, TableQuery()).tables
    assert elsewhere.source == "demo_raw.orders"
    assert browse.columns(warehouse.endpoint(), {}, elsewhere.source) == columns
    with pytest.raises(TerminalError, match="no table 'hidden'"):
        browse.columns(inside, {}, "hidden")


def test_csv_discovers_files_and_cursors():
    files = {path.name: path for path in FLIGHTS_DIR.iterdir() if path.is_file()}
    source = csv_source(files, null_values=["NA"])
    assert get_connector("csv").test(source, files).ok
    browse = get_connector("csv").browse
    found = {entry.source: entry for entry in browse.tables(source, files, TableQuery()).tables}
    columns = browse.columns(source, files, "flights")
    assert len(columns) == 19
    assert [column.name for column in columns if column.cursor_candidate] == ["time_hour"]
    assert found["flights.csv.zip"].kind == "file"
    assert found["flights.csv.zip"].row_estimate == pytest.approx(336_776, rel=0.1)
    assert found["airlines.csv"].row_estimate == 16


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n1\n", "line 2: 1 fields where 2 columns are expected"),
        (b"a,a\n", "occurs twice"),
        (b"a,b\n\xff,1\n", "is not utf-8 text"),
        (b"PK\x03\x04 not a zip", "cannot be unpacked"),
    ],
)
def test_csv_says_what_is_wrong(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    files = {"t.csv": path}
    result = get_connector("csv").test(csv_source(files), files)
    assert words in result.message
    assert not result.ok


def test_sqlite_discovers_and_refuses_what_is_none(tmp_path: Path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("create table orders (id integer primary key, at datetime not null, n text)")
    connection.close()
    endpoint = Endpoint(connector="sqlite", config={"uploads": [1]})
    sqlite = get_connector("sqlite")
    assert sqlite.test(endpoint, {"shop.db": path}).message == "1 tables"
    (orders,) = sqlite.browse.tables(endpoint, {"shop.db": path}, TableQuery()).tables
    columns = sqlite.browse.columns(endpoint, {"shop.db": path}, orders.source)
    assert [column.name for column in columns if column.cursor_candidate] == ["id", "at"]
    with pytest.raises(TerminalError, match="no table 'nothing'"):
        sqlite.browse.columns(endpoint, {"shop.db": path}, "nothing")
    path.write_bytes(b"")
    assert "is empty" in sqlite.test(endpoint, {"shop.db": path}).message
    path.write_bytes(b"x" * 100)
    assert "not a SQLite database" in sqlite.test(endpoint, {"shop.db": path}).message
    assert "missing" in sqlite.test(endpoint, {}).message
