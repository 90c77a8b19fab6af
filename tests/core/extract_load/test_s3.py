"""Files of a bucket arrive as they are written, read from a real S3 server, or are named."""

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from uuid import uuid4

import pyarrow as pa
import pytest
from pyarrow import parquet

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import TableQuery, parse
from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from tests.api_server import Said, api_server
from tests.loading import Warehouse, plan, run
from tests.s3_server import READER_KEY, READER_SECRET, S3Server, s3_server

pytestmark = pytest.mark.feature("B3")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> str:
    name = f"b{uuid4().hex[:12]}"
    server.client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def files(server: S3Server, bucket: str):
    def put(**contents: bytes | str) -> None:
        for name, content in contents.items():
            stem, _, ending = name.partition("__")
            server.put_object(bucket, f"{stem}.{ending.replace('_', '.')}", content)

    return put


def rows(server: S3Server, bucket: str, source: str, *, connection=None, **resource):
    """The rows of one table, as they leave the reader."""
    config = ResourceConfig(name="t", source=source, **resource)
    whole = PipelineConfig(resources=(config,), batch_size=resource.pop("batch_size", 1000))
    with open_reader(server.endpoint(bucket, **(connection or {})), {}, whole) as reader:
        batches = list(reader.table(config).read(Selection(filters=config.filters)))
    return [row for batch in batches for row in batch.to_pylist()]


def error(server: S3Server, bucket: str, source: str, **resource) -> TerminalError:
    with pytest.raises(TerminalError) as caught:
        rows(server, bucket, source, **resource)
    return caught.value


@pytest.mark.parametrize("packed", ["", "gz", "zst"])
def test_every_format_loads_into_the_warehouse(
    server, bucket, warehouse: Warehouse, tmp_path, packed
):
    pack = {"": bytes, "gz": gzip.compress, "zst": lambda text: pa.compress(text, "zstd", True)}
    ending = f".{packed}" if packed else ""
    for name, text in {
        "csv/1.csv": 'id,name\n1,"é\n2"\n',
        "csv/2.csv": "name,id\nNA,2",
        "lines/1.jsonl": '{"id":1,"big":9007199254740993,"tags":["a",{"b":1.10}]}\n\n',
        "lines/2.jsonl": '{"id":2,"big":1.5}',
        "doc.json": '\ufeff{"data":[{"id":1,"on":true},{"id":2,"on":null}]}',
    }.items():
        server.put_object(bucket, name + ending, pack[packed](text.encode()))
    resources = [
        {"name": "texts", "source": f"csv/*.csv{ending}"},
        {"name": "lines", "source": f"lines/*.jsonl{ending}"},
        {"name": "doc", "source": f"doc.json{ending}", "options": {"records": "data"}},
    ]
    result = run(plan(warehouse, server.endpoint(bucket), *resources), tmp_path / "work", {})
    assert {table.table: table.loaded for table in result.tables} == {
        "texts": 2,
        "lines": 2,
        "doc": 2,
    }
    assert warehouse.execute("select id, name from texts order by id") == [
        ("1", "é\n2"),
        ("2", "NA"),
    ]
    assert warehouse.execute(
        "select id, big::text, tags::text, pg_typeof(tags)::text from lines order by id"
    ) == [
        (1, "9007199254740993", '["a", {"b": 1.10}]', "jsonb"),
        (2, "1.5", None, "jsonb"),
    ]
    assert warehouse.execute('select id, "on" from doc order by id') == [(1, True), (2, None)]


def test_parquet_keeps_every_value(server, bucket, warehouse: Warehouse, tmp_path):
    zoned = datetime(2024, 5, 31, 10, tzinfo=UTC)
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "large": pa.array([2**64 - 1, None], pa.uint64()),
            "exact": pa.array([Decimal("1.100000001"), None], pa.decimal128(38, 9)),
            "naive": pa.array([-62135596799000000, None], pa.timestamp("us")),
            "zoned": pa.array([zoned, None], pa.timestamp("ms", tz="Europe/Berlin")),
            "day": [date(9999, 12, 31), None],
            "list": [[1, 2], None],
            "nested": [{"n": Decimal("1.10"), "t": date(2024, 1, 1)}, None],
            "bytes": [b"\x00\xff", None],
            "word": pa.array(["x", "y"]).dictionary_encode(),
            "real": [float("inf"), None],
        }
    )
    for name in ("p/1.parquet", "p/2.parquet"):
        sink = BytesIO()
        parquet.write_table(table, sink, version="2.6")
        server.put_object(bucket, name, sink.getvalue())
    source = {"name": "p", "source": "p/*.parquet"}
    run(plan(warehouse, server.endpoint(bucket), source), tmp_path / "work", {})
    assert warehouse.execute(
        'select distinct small, large::text, exact::text, naive::text, zoned, "day"::text, '
        "list::text, nested::text, bytes, word, real from p where small is not null"
    ) == [
        (
            1,
            "18446744073709551615",
            "1.100000001",
            "0001-01-01 00:00:01",
            zoned,
            "9999-12-31",
            "[1, 2]",
            '{"n": 1.10, "t": "2024-01-01"}',
            b"\x00\xff",
            "x",
            float("inf"),
        )
    ]
    assert warehouse.count("p") == 4


def test_nanoseconds_are_never_cut_off(server, bucket):
    sink = BytesIO()
    parquet.write_table(pa.table({"t": pa.array([1001], pa.timestamp("ns"))}), sink, version="2.6")
    server.put_object(bucket, "t.parquet", sink.getvalue())
    caught = error(server, bucket, "t.parquet")
    assert "'t.parquet', column 't'" in caught.message
    assert "without a change" in caught.message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "'a.csv' has no rows"),
        ("a.csv.gz", gzip.compress(b"x\n1\n" * 500)[:-6], "'a.csv.gz' cannot be unpacked"),
        ("a.csv.zst", pa.compress(b"x\n1\n" * 500, "zstd", True)[:-4], "'a.csv.zst' cannot be"),
        ("a.jsonl", '{"x":1}\n{"x":', "'a.jsonl', line 2: not JSON"),
        ("a.jsonl", '{"x":1}\n[1]', "line 2: an array where an object is expected"),
        ("a.jsonl", '{"x":1}\n{"x":"1"}', "line 2, field 'x': text, and file 'a.jsonl', line 1"),
        ("a.jsonl", '{"x":1,"x":2}', "line 1: not JSON"),
        ("a.jsonl", '{"x":NaN}', "line 1: not JSON"),
        ("a.jsonl", b'{"x":"\xe9"}', "line 1: not UTF-8"),
        ("a.json", '[{"x":1},{"x":2', "after record 1: not JSON"),
        ("a.json", '[{"x":1,"x":2}]', "record 1: not JSON"),
        ("a.parquet", b"PAR1 nonsense PAR1", "'a.parquet' cannot be read as Parquet"),
        ("a.parquet", b"", "'a.parquet' cannot be read as Parquet"),
        ("a.txt", "x", "'a.txt': its name tells no format"),
    ],
)
def test_a_broken_file_is_named_and_the_place_in_it(server, bucket, name, content, words):
    server.put_object(bucket, name, content)
    assert words in error(server, bucket, name).message


def test_nothing_is_loaded_when_one_file_of_many_is_cut_short(
    server, bucket, warehouse: Warehouse, tmp_path
):
    server.put_object(bucket, "a/1.csv", "x\n1\n")
    server.put_object(bucket, "a/2.csv.gz", gzip.compress(b"x\n" + b"12345\n" * 9000)[:-6])
    load = plan(warehouse, server.endpoint(bucket), {"name": "t", "source": "a/*"})
    with pytest.raises(TerminalError, match=r"a/2\.csv\.gz"):
        run(load, tmp_path / "work", {})
    tables = "select count(*) from information_schema.tables where table_name = 't'"
    assert warehouse.execute(tables) == [(0,)]


def test_a_column_of_its_own_in_one_file_is_refused(server, bucket, files):
    files(a1__csv="x,y\n1,2\n", a2__csv="x,z\n1,2\n")
    caught = error(server, bucket, "a*.csv")
    assert caught.message == "file 'a2.csv' lacks y, has z besides, unlike 'a1.csv'"


def test_a_header_alone_is_a_table_without_rows(server, bucket, files):
    files(a1__csv="x,y\n", a2__csv="x,y")
    assert rows(server, bucket, "a*.csv") == []


def test_the_dialect_is_an_option_of_the_resource(server, bucket, files):
    files(a__txt="é;NA\n".encode("latin-1"))
    options = {
        "format": "csv",
        "delimiter": ";",
        "encoding": "latin-1",
        "header": False,
        "null_values": ["NA"],
    }
    assert rows(server, bucket, "a.txt", options=options) == [{"column_1": "é", "column_2": None}]


def test_mixed_values_travel_where_a_type_is_given(server, bucket, files):
    files(a__jsonl='{"x":1,"y":{"z":1}}\n{"x":"one","y":[1.50]}')
    fields = {"x": "text", "y": "json"}
    assert rows(server, bucket, "a.jsonl", options={"fields": fields}) == [
        {"x": "1", "y": '{"z":1}'},
        {"x": "one", "y": "[1.50]"},
    ]
    caught = error(server, bucket, "a.jsonl", options={"fields": {"x": "integer"}})
    assert "line 2, field 'x': text that is not integer" in caught.message


def test_filters_choose_rows(server, bucket, files):
    files(a__jsonl="".join(f'{{"n":{number}}}\n' for number in range(5)))
    filters = [{"column": "n", "op": "gte", "value": 3}]
    assert [row["n"] for row in rows(server, bucket, "a.jsonl", filters=filters)] == [3, 4]


def test_a_star_stays_in_its_folder_and_two_go_through(server, bucket):
    for name in ("a/1.csv", "a/b/2.csv", "a/b/c/3.csv", "a/3.csv.gz", "other/1.csv"):
        text = f"n\n{name}\n".encode()
        server.put_object(bucket, name, gzip.compress(text) if name.endswith("gz") else text)
    found = {
        pattern: [row["n"] for row in rows(server, bucket, pattern)]
        for pattern in ("a/*.csv", "a/**/*.csv", "a/?.csv.gz", "**/1.csv")
    }
    assert found == {
        "a/*.csv": ["a/1.csv"],
        "a/**/*.csv": ["a/1.csv", "a/b/2.csv", "a/b/c/3.csv"],
        "a/?.csv.gz": ["a/3.csv.gz"],
        "**/1.csv": ["a/1.csv", "other/1.csv"],
    }
    assert rows(server, bucket, "1.csv", connection={"prefix": "a/"}) == [{"n": "a/1.csv"}]
    assert "matches 'none*'" in error(server, bucket, "none*").message


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_file_that_changes_while_it_is_read_stops_the_load(server, bucket, change):
    line = b'{"n":1234567890}\n'
    server.put_object(bucket, "a.jsonl", line * (12_000_000 // len(line)))
    config = ResourceConfig(name="t", source="a.jsonl")
    whole = PipelineConfig(resources=(config,), batch_size=1000)
    with open_reader(server.endpoint(bucket), {}, whole) as reader:
        batches = reader.table(config).read(Selection())
        next(batches)
        if change == "changed":
            server.put_object(bucket, "a.jsonl", line * (13_000_000 // len(line)))
        else:
            server.client.delete_object(Bucket=bucket, Key="a.jsonl")
        with pytest.raises(TransientError, match=f"'a.jsonl' was {change} while it was read"):
            list(batches)


def test_the_test_of_a_connection_says_what_to_do(server, bucket):
    test = get_connector("s3").test
    server.put_object(bucket, "a.csv", "x\n1\n")
    assert test(server.endpoint(bucket), {}).ok
    other = {"access_key_id": READER_KEY, "secret_access_key": READER_SECRET}
    refused = {
        "NoSuchBucket": server.endpoint("missing-bucket"),
        "AccessDenied": server.endpoint(bucket, secrets=other),
        "InvalidAccessKeyId": server.endpoint(
            bucket, secrets={"access_key_id": "AKIDNOBODY", "secret_access_key": "x"}
        ),
        "SignatureDoesNotMatch": server.endpoint(
            bucket, secrets={**other, "secret_access_key": "wrong"}
        ),
        "does not answer": server.endpoint(bucket, endpoint_url="http://127.0.0.1:9"),
    }
    for words, endpoint in refused.items():
        result = test(endpoint, {})
        assert not result.ok
        assert words in result.message
        assert result.hint


def test_the_bucket_is_browsed(server, bucket, files):
    files(a__csv="x\n1\n", b__jsonl='{"n":1}', c__md="no table")
    browse = get_connector("s3").browse
    endpoint = server.endpoint(bucket)
    page = browse.tables(endpoint, {}, TableQuery())
    assert [table.source for table in page.tables] == ["a.csv", "b.jsonl"]
    (column,) = browse.columns(endpoint, {}, "b.jsonl")
    assert (column.name, column.type, column.cursor_candidate) == ("n", "integer", True)


def test_only_checked_addresses_are_connected_to(server, bucket):
    result = get_connector("s3").test(server.endpoint(bucket, addresses=()), {})
    assert "was not looked up" in result.message
    named = server.endpoint(bucket, endpoint_url=f"http://s3.invalid:{server.port}")
    server.put_object(bucket, "a.csv", "x\n1\n")
    assert rows(server, bucket, "a.csv", connection={"endpoint_url": named.config["endpoint_url"]})


def test_a_server_that_redirects_leads_nowhere_else():
    with api_server() as impostor, api_server() as canary:
        answer = Said(
            "<Error><Code>PermanentRedirect</Code></Error>",
            301,
            {"Location": f"{canary.url}/x", "x-amz-bucket-region": "eu-west-1"},
        )
        impostor.routes["/demo"] = lambda asked: answer
        endpoint = Endpoint(
            connector="s3",
            config={"bucket": "demo", "endpoint_url": impostor.url},
            secrets={"access_key_id": "AKID", "secret_access_key": "canary-4711"},
            addresses=("127.0.0.1",),
        )
        result = get_connector("s3").test(endpoint, {})
        assert "PermanentRedirect" in result.message or "another place" in result.message
        assert result.hint
        assert canary.asked == []
        assert "canary-4711" not in str(impostor.asked)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://user:pw@host", "http://host/path", "ftp://host", "host"]
)
def test_an_endpoint_is_a_server_and_nothing_else(url):
    config = get_connector("s3").config
    with pytest.raises(ValueError, match="endpoint_url"):
        config.model_validate({"bucket": "abc", "endpoint_url": url})


def test_half_a_key_is_refused():
    with pytest.raises(InvalidConfig, match="belong together"):
        parse(get_connector("s3").secrets, {"access_key_id": "a"})
