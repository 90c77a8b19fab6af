"""Uploaded JSON, JSON Lines, Parquet and packed files load, or say where they are wrong."""

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files import unpacked as unpacking
from etlfabric_core.files.unpacked import unpacked
from tests.loading import Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("B3")

LINES = b'{"id":1,"name":"\xc3\xa9"}\n{"id":2}\n'


def zipped(name: str, content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return sink.getvalue()


def table_bytes() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"id": [1, 2], "name": ["é", None]}), sink)
    return sink.getvalue()


CASES = {
    "json": ("t.json", b'[{"id":1,"name":"\xc3\xa9"},{"id":2}]'),
    "json one after the other": ("t.json", LINES),
    "lines": ("t.jsonl", LINES),
    "ndjson": ("t.ndjson", LINES),
    "lines gzip": ("t.jsonl.gz", gzip.compress(LINES)),
    "lines zstd": ("t.jsonl.zst", pa.compress(LINES, "zstd", asbytes=True)),
    "lines zip": ("t.jsonl.zip", zipped("inner.jsonl", LINES)),
    "parquet": ("t.parquet", table_bytes()),
}


def upload(tmp_path: Path, name: str, content: bytes) -> dict[str, Path]:
    """A file as storage keeps it: under its hash, without its name."""
    path = tmp_path / "4f1c"
    path.write_bytes(content)
    return {name: path}


@pytest.mark.parametrize("case", CASES)
def test_every_format_loads(warehouse: Warehouse, tmp_path, case):
    name, content = CASES[case]
    files = upload(tmp_path, name, content)
    connector = "parquet" if name.endswith("parquet") else "json"
    source = Endpoint(connector=connector, config={"uploads": [1]})
    assert get_connector(connector).test(source, files).ok
    result = run(plan(warehouse, source, {"name": "t"}), tmp_path / "work", files)
    assert [table.loaded for table in result.tables] == [2]
    assert warehouse.execute("select id, name from t order by id") == [(1, "é"), (2, None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv.gz", gzip.compress(b"id,name\n1,x\n")),
        ("t.csv.zst", pa.compress(b"id,name\n1,x\n", "zstd", asbytes=True)),
        ("t.csv.zip", zipped("t.csv", b"id,name\n1,x\n")),
    ],
)
def test_packed_csv_loads(warehouse: Warehouse, tmp_path, name, content):
    files = upload(tmp_path, name, content)
    run(plan(warehouse, csv_source(files), {"name": "t"}), tmp_path / "work", files)
    assert warehouse.execute("select id, name from t") == [("1", "x")]


@pytest.mark.parametrize("connector", ["json", "parquet"])
def test_uploads_are_browsed(tmp_path, connector):
    name, content = CASES["parquet" if connector == "parquet" else "lines gzip"]
    files = upload(tmp_path, name, content)
    source = Endpoint(connector=connector, config={"uploads": [1]})
    browse = get_connector(connector).browse
    (table,) = browse.tables(source, files, TableQuery()).tables
    assert table.source == name
    columns = browse.columns(source, files, table.source)
    assert [(column.name, column.cursor_candidate) for column in columns] == [
        ("id", True),
        ("name", False),
    ]


@pytest.mark.parametrize(
    ("connector", "name", "content", "words"),
    [
        ("json", "t.json", b"{", "'t.json', after record 0: not JSON"),
        ("json", "t.jsonl.gz", gzip.compress(LINES)[:-5], "'t.jsonl.gz' cannot be unpacked"),
        ("json", "t.jsonl.zip", b"PK\x03\x04broken", "'t.jsonl.zip' cannot be unpacked"),
        ("parquet", "t.parquet", table_bytes()[:-9], "'t.parquet' cannot be read as Parquet"),
        ("parquet", "t.parquet", LINES, "'t.parquet' cannot be read as Parquet"),
        ("json", "t.json", b"", "'t.json' is empty"),
    ],
)
def test_a_damaged_upload_is_named(tmp_path, connector, name, content, words):
    source = Endpoint(connector=connector, config={"uploads": [1]})
    result = get_connector(connector).test(source, upload(tmp_path, name, content))
    assert not result.ok
    assert words in result.message
    assert result.hint


def test_an_archive_holds_one_file():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.csv", "x\n")
        archive.writestr("../b.csv", "x\n")
    opening = unpacked(sink, "t.zip", member=".csv")
    with pytest.raises(TerminalError, match=r"holds 2 \.csv files"), opening:
        pytest.fail("it was opened")


@pytest.mark.parametrize("pack", ["gzip", "zstd", "zip"])
def test_a_bomb_is_not_unpacked(monkeypatch, pack):
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 1 << 20)
    content = b"\0" * (64 << 20)
    packed = {
        "gzip": lambda: gzip.compress(content),
        "zstd": lambda: pa.compress(content, "zstd", asbytes=True),
        "zip": lambda: zipped("t.csv", content),
    }[pack]()
    taken: list[int] = []

    def take() -> None:
        with unpacked(io.BytesIO(packed), "t") as plain:
            taken.extend(len(piece) for piece in iter(lambda: plain.read(1 << 16), b""))

    with pytest.raises(TerminalError, match="more than 200 times its size"):
        take()
    assert sum(taken) <= max(1 << 20, 200 * len(packed))


def test_one_record_cannot_fill_the_memory(tmp_path, monkeypatch):
    from etlfabric_core.files import json_records

    monkeypatch.setattr(json_records, "MAX_RECORD_BYTES", 1 << 20)
    source = Endpoint(connector="json", config={"uploads": [1]})
    huge = b'{"x":"' + b"y" * (2 << 20) + b'"}'
    for name, content in {"t.json": b"[" + huge + b"]", "t.jsonl": huge}.items():
        result = get_connector("json").test(source, upload(tmp_path, name, content))
        assert "larger than 1 MiB" in result.message


def test_a_value_that_is_not_of_its_given_type_is_told_by_its_line(warehouse: Warehouse, tmp_path):
    files = upload(tmp_path, "t.jsonl", b'{"n":"1"}\n\n{"n":2}\n{"n":"two"}\n')
    source = Endpoint(connector="json", config={"uploads": [1]})
    resource = {"name": "t", "columns": {"n": {"type": "integer"}}}
    with pytest.raises(TerminalError, match=r"file 't.jsonl', line 4, column 'n'"):
        run(plan(warehouse, source, resource), tmp_path / "one", files)
    kept = plan(warehouse, source, {**resource, "on_bad_row": "quarantine"})
    run(kept, tmp_path / "two", files)
    assert warehouse.execute("select n from t order by n") == [(1,), (2,)]
    assert warehouse.execute("select line, row->>'n' from t__rejected") == [(4, "two")]
