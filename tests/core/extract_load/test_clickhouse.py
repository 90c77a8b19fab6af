"""ClickHouse over HTTP: what is sent, what is refused, and rows of its own engine where it is.

`chdb` is ClickHouse as a library; behind a small HTTP server it answers as the server would.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pytest

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.extract_load.sources.clickhouse import RULES, compiled
from etlfabric_core.extract_load.sources.statements import SqlTable, sql_column
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig, RowFilter
from tests.loading import plan, run

CONNECTOR = get_connector("clickhouse")
PASSWORD = "p:'é\n"


@dataclass
class Asked:
    """One request that the server got."""

    host: str
    authorization: str
    parameters: dict[str, str]
    query: str


Answer = Callable[[Asked], tuple[int, bytes]]


@dataclass
class HttpServer:
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def endpoint(self, **changes) -> Endpoint:
        addresses = changes.pop("addresses", ("127.0.0.1",))
        config = {"host": "db.example.com", "port": self.port, "tls": False, **changes}
        return Endpoint(
            connector="clickhouse",
            config=config,
            secrets={"password": PASSWORD},
            addresses=addresses,
        )


@contextmanager
def serving(answer: Answer) -> Iterator[HttpServer]:
    made = HttpServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = Asked(
                self.headers["Host"],
                self.headers["Authorization"],
                dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)),
                query,
            )
            made.asked.append(asked)
            status, body = answer(asked)
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.feature("B2")
def test_a_request_goes_to_the_address_with_the_name_as_host():
    body = b'{"data": [{"version": "26.9"}]}'
    with serving(lambda asked: (200, body)) as server:
        assert CONNECTOR.test(server.endpoint(), {}).server_version == "26.9"
    (asked,) = server.asked
    assert asked.host == f"db.example.com:{server.port}"
    signed = base64.b64encode(f"default:{PASSWORD}".encode()).decode()
    assert asked.authorization == f"Basic {signed}"
    assert asked.parameters == {"database": "default", "default_format": "JSON"}


@pytest.mark.feature("B7")
@pytest.mark.parametrize(
    ("status", "body", "field"),
    [
        (403, b"Code: 516. DB::Exception: default: Authentication failed: canary", "password"),
        (404, b"Code: 81. DB::Exception: Database x does not exist", "database"),
        (500, b"Code: 497. DB::Exception: Not enough privileges", "user"),
        (500, b"Code: 202. DB::Exception: Too many simultaneous queries", "host"),
        (302, b"", "host"),
        (200, b"<html>canary</html>", "host"),
        (200, b"[]", "host"),
    ],
)
def test_it_says_which_field_is_wrong(status, body, field):
    with serving(lambda asked: (status, body)) as server:
        result = CONNECTOR.test(server.endpoint(), {})
    assert not result.ok
    assert result.message.startswith(f"{field}:")
    assert result.hint
    assert "canary" not in f"{result.message}{result.hint}"
    assert len(server.asked) == 1, "a redirect is not followed"


def test_where_nothing_listens():
    closed = HttpServer(port=1)
    assert CONNECTOR.test(closed.endpoint(), {}).message.startswith("port: nothing listens")
    unresolved = CONNECTOR.test(closed.endpoint(addresses=()), {})
    assert unresolved.message == "host: 'db.example.com' was not looked up"


@pytest.mark.parametrize("host", ["a/b", "a@b", "a?b", "a#b", "", "a b", "a\n"])
def test_a_host_is_a_host_and_nothing_else(host):
    result = CONNECTOR.test(HttpServer(port=1).endpoint(host=host), {})
    assert "field 'host'" in result.message


def test_values_are_parameters_and_names_are_quoted():
    name = 'x"\\y'
    table = SqlTable("t", (sql_column(name, "String", RULES),), "d")
    hostile = "' or 1=1 --\\"
    filters = (RowFilter(column=name, op="in", value=(hostile, "b")),)
    query, values = compiled(table, Selection(filters=filters, limit=3))
    assert hostile not in query
    assert '"x\\"\\\\y"' in query
    assert sorted(values.values()) == ["3", hostile, "b"] or hostile in values.values()
    assert query.count(":String}") == 2


COLUMNS = b'{"data": [{"name": "x", "type": "Int64", "is_in_primary_key": 0}]}'


@pytest.mark.parametrize("cut", [8, 200])
def test_a_stream_that_ends_early_is_not_taken_for_whole(cut):
    sink = pa.BufferOutputStream()
    table = pa.table({"c0": pa.array(range(100), pa.int64())})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole = sink.getvalue().to_pybytes()

    def answer(asked: Asked) -> tuple[int, bytes]:
        columns = asked.parameters["default_format"] == "JSON"
        return 200, COLUMNS if columns else whole[:-cut]

    config = PipelineConfig(resources=(ResourceConfig(name="t"),))
    with (
        serving(answer) as server,
        open_reader(server.endpoint(), {}, config) as reader,
        pytest.raises(TransientError, match="broke off"),
    ):
        list(reader.table(config.resources[0]).read(Selection()))


def engine_answer(asked: Asked) -> tuple[int, bytes]:
    """What ClickHouse's engine says."""
    import chdb

    values = {
        name.removeprefix("param_"): value.encode().decode("unicode_escape")
        if "\\" in value
        else value
        for name, value in asked.parameters.items()
        if name.startswith("param_")
    }
    try:
        found = chdb.query(asked.query, asked.parameters["default_format"], params=values)
        return 200, found.bytes()
    except Exception as error:
        return 500, str(error).encode()


TYPES = {
    "tiny": ("Int8", "-128", "smallint", "-128"),
    "byte": ("UInt8", "255", "smallint", "255"),
    "ubig": ("UInt64", "18446744073709551615", "numeric(20,0)", "18446744073709551615"),
    "huge": ("Int256", "-5", "numeric", "-5"),
    "exact": ("Decimal(76, 10)", "9.5", "numeric(76,10)", "9.5000000000"),
    "single": ("Float32", "0.1", "real", "0.1"),
    "wide": ("Float64", "inf", "double precision", "Infinity"),
    "flag": ("Bool", "true", "boolean", "true"),
    "day": ("Date", "'2024-01-31'", "date", "2024-01-31"),
    "far": ("Date32", "'2299-12-31'", "date", "2299-12-31"),
    "sec": (
        "DateTime('Asia/Tokyo')",
        "'2024-01-01 09:00:00'",
        "timestamp with time zone",
        "2024-01-01 00:00:00+00",
    ),
    "fine": (
        "DateTime64(6, 'UTC')",
        "'2024-01-01 00:00:00.000001'",
        "timestamp with time zone",
        "2024-01-01 00:00:00.000001+00",
    ),
    "uid": (
        "UUID",
        "'123e4567-e89b-12d3-a456-426655440000'",
        "uuid",
        "123e4567-e89b-12d3-a456-426655440000",
    ),
    "ip": ("IPv4", "'192.0.2.1'", "inet", "192.0.2.1/32"),
    "kind": ("Enum8('' = 1, 'x' = 2)", "''", "text", ""),
    "low": ("LowCardinality(Nullable(String))", "'é🎉\\n'", "text", "é🎉\n"),
    "list": ("Array(Int32)", "[1, 2]", "json", "[1,2]"),
    "pair": ("Map(String, Int32)", "map('k', 1)", "json", '{"k":1}'),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[HttpServer]:
    if find_spec("chdb") is None:
        pytest.skip("chdb, ClickHouse's engine as a library, is not installed")
    import chdb

    with chdb.connect(":memory:"), serving(engine_answer) as server:
        columns = ", ".join(
            f"`{n}` {t if '(Nullable' in t or t.startswith(('Array', 'Map')) else f'Nullable({t})'}"
            for n, (t, *_) in TYPES.items()
        )
        values = ", ".join(value for _, value, *_ in TYPES.values())
        empty = ", ".join(
            "[]" if n == "list" else "map()" if n == "pair" else "null" for n in TYPES
        )
        for statement in (
            "create database if not exists d",
            f"create table d.t (id UInt32, {columns}) engine = MergeTree order by id",
            f"insert into d.t values (1, {values}), (2, {empty})",
            "create view d.v as select id + 1 as next from d.t",
            "create table d.many engine = MergeTree order by n as "
            "select number as n, toString(number) as s, toDate('2024-01-01') + number as day "
            "from numbers(100)",
        ):
            chdb.query(statement)
        yield server


@pytest.mark.feature("B2", "C3")
def test_values_of_the_engine_arrive_unchanged(engine, warehouse, tmp_path):
    source = engine.endpoint(database="d")
    run(plan(warehouse, source, mode="full_database"), tmp_path, {})
    types = dict(
        warehouse.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where "
            "attrelid = 'demo_raw.t'::regclass and attnum > 0"
        )
    )
    assert {name: types[name] for name in TYPES} == {n: t for n, (_, _, t, _) in TYPES.items()}
    names = ", ".join(f'"{name}"::text' for name in TYPES)
    full, empty = warehouse.execute(f"select {names} from t order by id")
    assert dict(zip(TYPES, full, strict=True)) == {n: v for n, (*_, v) in TYPES.items()}
    assert set(empty) == {None, "[]", "{}"}
    assert warehouse.count("many") == 100


@pytest.mark.feature("C9")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("n", "lt", 3)], [0, 1, 2]),
        ([("n", "in", [5, 7])], [5, 7]),
        ([("n", "lt", 3), ("n", "ne", 1)], [0, 2]),
        ([("n", "lte", 1), ("n", "not_in", [])], [0, 1]),
        ([("s", "eq", "42")], [42]),
        ([("s", "eq", "' or 1=1 --")], []),
        ([("day", "gte", "2024-04-09")], [99]),
        ([("n", "gt", 97.5)], [98, 99]),
    ],
)
def test_filters_cursors_and_batches_of_the_engine(engine, filters, expected):
    config = PipelineConfig(resources=(ResourceConfig(name="many"),), batch_size=30)
    with open_reader(engine.endpoint(database="d"), {}, config) as reader:
        table = reader.table(config.resources[0])
        assert [batch.num_rows for batch in table.read(Selection())] == [30, 30, 30, 10]
        chosen = tuple(RowFilter(column=c, op=o, value=v) for c, o, v in filters)
        found = [
            n for batch in table.read(Selection(filters=chosen)) for n in batch["n"].to_pylist()
        ]
        assert sorted(found) == expected
        since = table.read(Selection(cursor="n", at_least=98))
        assert sorted(n for batch in since for n in batch["n"].to_pylist()) == [98, 99]


@pytest.mark.feature("B10")
def test_the_engine_is_browsed(engine):
    endpoint = engine.endpoint(database="d")
    assert CONNECTOR.test(endpoint, {}).ok
    found = CONNECTOR.browse.tables(endpoint, {}, TableQuery(schema="d")).tables
    assert [(table.source, str(table.kind)) for table in found] == [
        ("many", "table"),
        ("t", "table"),
        ("v", "view"),
    ]
    columns = {column.name: column for column in CONNECTOR.browse.columns(endpoint, {}, "t")}
    assert (columns["id"].nullable, columns["low"].nullable) == (False, True)
    with pytest.raises(TerminalError, match="no table 'nope'"):
        CONNECTOR.browse.columns(endpoint, {}, "nope")
