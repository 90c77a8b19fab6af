"""The eight row filters and the limit, in the SQL of every source that has a server here."""

import json
import sqlite3
from collections.abc import Callable

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint, FileRef
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig, RowFilter

COLUMNS = (
    "id int primary key, n int, amount decimal(12,2), note varchar(20), day date, moment datetime"
)
ROWS = """
  (1, 1, 9.99, 'a', '2024-01-01', '2024-01-01 10:00:00'),
  (2, 2, 10.00, 'it''s', '2024-01-02', '2024-01-02 10:00:00'),
  (3, 10, 100.5, '', '2024-01-10', '2024-01-10 10:00:00'),
  (4, null, null, null, null, null)
"""
SETUP = (f"create table t ({COLUMNS})", f"insert into t values {ROWS}")


@pytest.fixture(params=["mysql", "sqlite", "duckdb"])
def source(request, tmp_path) -> tuple[Endpoint, dict]:
    if request.param == "mysql":
        mariadb = request.getfixturevalue("mariadb")
        mariadb.execute(*SETUP)
        return mariadb.endpoint(), {}
    path = tmp_path / "shop.db"
    if request.param == "sqlite":
        connection = sqlite3.connect(path)
    else:
        import duckdb

        connection = duckdb.connect(path)
    for statement in SETUP:
        connection.execute(statement)
    if request.param == "sqlite":
        connection.commit()
    connection.close()
    ref = FileRef(name=path.name, sha256="0" * 64, size=path.stat().st_size, url="/shop.db")
    endpoint = Endpoint(connector=request.param, config={"uploads": [1]}, files=(ref,))
    return endpoint, {path.name: path}


@pytest.fixture
def ids(source) -> Callable[[Selection], list[int]]:
    """The ids of the rows that a selection gives."""
    endpoint, files = source
    config = PipelineConfig(resources=(ResourceConfig(name="t"),))

    def read(selection: Selection) -> list[int]:
        with open_reader(endpoint, files, config) as reader:
            batches = list(reader.table(config.resources[0]).read(selection))
        return sorted(id for batch in batches for id in batch["id"].to_pylist())

    return read


def filtered(*filters) -> Selection:
    return Selection(filters=tuple(RowFilter(column=c, op=o, value=v) for c, o, v in filters))


@pytest.mark.feature("C9")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("n", "eq", 2)], [2]),
        ([("n", "eq", "10")], [3]),
        ([("n", "ne", 2)], [1, 3]),
        ([("n", "gt", 1)], [2, 3]),
        ([("n", "gt", 1.5)], [2, 3]),
        ([("n", "gte", 2)], [2, 3]),
        ([("n", "lt", 10)], [1, 2]),
        ([("n", "lte", 10)], [1, 2, 3]),
        ([("n", "in", [1, 10, 11])], [1, 3]),
        ([("n", "in", [])], []),
        ([("n", "not_in", [1])], [2, 3]),
        ([("n", "not_in", [])], [1, 2, 3]),
        ([("amount", "eq", 9.99)], [1]),
        ([("amount", "eq", "9.99")], [1]),
        ([("amount", "gt", 10)], [3]),
        ([("note", "eq", "it's")], [2]),
        ([("note", "ne", "' or 1=1 --")], [1, 2, 3]),
        ([("note", "eq", "")], [3]),
        ([("note", "eq", "%s")], []),
        ([("day", "gte", "2024-01-02")], [2, 3]),
        ([("day", "in", ["2024-01-01"])], [1]),
        ([("moment", "lt", "2024-01-02 10:00:00")], [1]),
        ([("n", "gt", 1), ("note", "ne", "")], [2]),
    ],
    ids=json.dumps,
)
def test_filters_in_the_columns_own_type(ids, filters, expected):
    assert ids(filtered(*filters)) == expected


def test_limit_and_filters_with_a_cursor(ids):
    assert len(ids(Selection(limit=2))) == 2
    assert ids(Selection(limit=0)) == []
    assert ids(Selection(cursor="n", at_least=2)) == [2, 3, 4]
    newer = Selection(cursor="n", at_least=2, filters=filtered(("n", "lt", 10)).filters)
    assert ids(newer) == [2]


@pytest.mark.parametrize(
    ("row_filter", "words"),
    [
        (("nope", "eq", 1), "filters: no column 'nope'"),
        (("n", "eq", "many"), "column 'n' cannot be compared"),
        (("n", "eq", "1e999999999"), "column 'n' cannot be compared"),
        (("amount", "gt", "nan"), "column 'amount' cannot be compared"),
    ],
)
def test_a_filter_that_makes_no_sense(ids, row_filter, words):
    with pytest.raises(TerminalError, match=words):
        ids(filtered(row_filter))
