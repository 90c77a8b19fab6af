"""SQLite lets any value into any column: every one arrives as it is, or is refused by name."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint, FileRef
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources.sqlite import PIECE_ROWS, open_reader
from etlfabric_core.graph.configs import PipelineConfig
from tests.core.extract_load.fidelity_values import TEXTS
from tests.loading import plan, run

# The declared type, then pairs: what is put in, and how PostgreSQL writes what arrived.
KEPT = {
    "integer": [(-(2**63), "-9223372036854775808"), (2**63 - 1, "9223372036854775807"), ("7", "7")],
    "real": [
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.30000000000000004, "0.30000000000000004"),
        (-0.0, "0"),  # SQLite itself keeps a whole number there
        (float("inf"), "Infinity"),
        (3, "3"),
    ],
    "decimal(10,2)": [
        (2**53 + 1, "9007199254740993"),
        (0.1, "0.1"),
        (9.99, "9.99"),
        ("12.50", "12.5"),
        (float("-inf"), "-Infinity"),
    ],
    "boolean": [(0, "false"), (1, "true"), (1.0, "true")],
    "text": [(text, text) for text in TEXTS] + [(7, "7"), (1.5, "1.5")],
    "datetime": [("2024-01-01 00:00:00", "2024-01-01 00:00:00"), (1700000000, "1700000000")],
    "blob": [(b"", "\\x"), (b"\x00\xff\\", "\\x00ff5c"), ("é", "\\xc3a9")],
    "": [("", ""), ("x", "x"), (7, "7"), (0.1, "0.1")],
}
REFUSED = [
    ("integer", "seven"),
    ("integer", 1.5),
    ("integer", b"7"),
    ("real", "much"),
    ("decimal(10,2)", "ten"),
    ("decimal(10,2)", b"10"),
    ("boolean", 2),
    ("boolean", -1),
    ("boolean", 0.5),
    ("boolean", "yes"),
    ("text", b"bytes"),
    ("datetime", b"2024"),
    ("", b"x"),
]


def made(path: Path, type_: str, values) -> Endpoint:
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"create table t (n integer primary key, v {type_})")
        file.executemany("insert into t (v) values (?)", [(value,) for value in values])
        file.commit()
    ref = FileRef(name=path.name, sha256="0" * 64, size=path.stat().st_size, url="/")
    return Endpoint(connector="sqlite", config={"uploads": [1]}, files=(ref,))


@pytest.mark.feature("C3")
@pytest.mark.parametrize("type_", KEPT)
def test_no_value_changes(warehouse, tmp_path, type_):
    path = tmp_path / "shop.db"
    values = [value for value, _ in KEPT[type_]]
    source = made(path, type_, [*values, None])
    run(plan(warehouse, source, {"name": "t"}), tmp_path / "w", {path.name: path})
    arrived = [text for (text,) in warehouse.execute("select v::text from t order by n")]
    assert arrived == [*(written for _, written in KEPT[type_]), None]


@pytest.mark.feature("C3")
@pytest.mark.parametrize(("type_", "value"), REFUSED)
def test_what_a_type_does_not_hold_is_refused(tmp_path, type_, value):
    path = tmp_path / "shop.db"
    source = made(path, type_, [None, value])
    with (
        pytest.raises(TerminalError, match="table 't', column 'v': a value is not"),
        open_reader(source, {path.name: path}, pipeline(1000)) as reader,
    ):
        list(reader.table(pipeline(1000).resources[0]).read(Selection()))


def pipeline(batch_size: int) -> PipelineConfig:
    return PipelineConfig.model_validate({"resources": [{"name": "t"}], "batch_size": batch_size})


@pytest.mark.parametrize("batch_size", [1, PIECE_ROWS, PIECE_ROWS + 1, 3 * PIECE_ROWS])
@pytest.mark.parametrize("rows", [0, 5, 2 * PIECE_ROWS])
def test_batches_of_any_size_hold_every_row_once(tmp_path, rows, batch_size):
    if rows // batch_size > 100:
        rows = 100
    path = tmp_path / "shop.db"
    source = made(path, "text", map(str, range(rows)))
    config = pipeline(batch_size)
    with open_reader(source, {path.name: path}, config) as reader:
        batches = list(reader.table(config.resources[0]).read(Selection()))
    assert all(0 < batch.num_rows <= batch_size for batch in batches)
    read = [value for batch in batches for value in batch.column("v").to_pylist()]
    assert read == [str(number) for number in range(rows)]


def test_a_file_that_is_damaged_in_the_middle_is_refused(tmp_path):
    path = tmp_path / "shop.db"
    source = made(path, "text", ["x" * 1000] * 5000)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 40_000)
    with (
        pytest.raises(TerminalError, match="table 't': the source refused to read it"),
        open_reader(source, {path.name: path}, pipeline(1000)) as reader,
    ):
        list(reader.table(pipeline(1000).resources[0]).read(Selection()))
