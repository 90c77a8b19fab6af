"""As many rows in the table as at the source, counted on both sides in one snapshot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import TableLoad
from etlfabric_core.extract_load.sources import mysql, postgres_copy
from etlfabric_core.graph.resources import ResourceConfig
from tests.core.extract_load.one_table import (
    MADE,
    MORE,
    OneTable,
    database_file,
    postgres_source,
)
from tests.loading import Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("X3")

REPLACE = {"name": "t", "write_disposition": "replace", "verify_count": True}
MERGE = {**REPLACE, "write_disposition": "merge", "primary_key": ["id"]}


class Loads:
    """One pipeline over one source."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path, source: OneTable) -> None:
        self.warehouse, self.tmp_path, self.source, self.epoch = warehouse, tmp_path, source, 0

    def load(self, resource: dict[str, Any], **config: Any) -> TableLoad:
        self.epoch += 1
        made = plan(
            self.warehouse,
            self.source.endpoint,
            resource,
            source_schema=self.source.schema,
            **config,
        )
        return run(made, self.tmp_path / "work", self.source.files, self.epoch).tables[0]


@pytest.fixture(params=["postgres", "mysql", "sqlite", "duckdb"])
def source(request: Any, warehouse: Warehouse, tmp_path: Path) -> OneTable:
    if request.param == "postgres":
        made = postgres_source(warehouse)
    elif request.param == "mysql":
        server = request.getfixturevalue("mariadb")
        made = OneTable(server.endpoint(), server.execute, {})
    else:
        made = database_file(request.param, tmp_path / "shop.db")
    for statement in MADE:
        made.execute(statement)
    return made


def test_both_sides_are_counted(warehouse, tmp_path, source):
    source.execute(MORE)
    filters = [{"column": "v", "op": "ne", "value": "b"}]
    loads = Loads(warehouse, tmp_path, source)
    for resource, rows in (({**REPLACE, "filters": filters}, 2), (REPLACE, 3)):
        table = loads.load(resource)
        assert (table.source_rows, table.target_rows, table.loaded) == (rows, rows, rows)
    loads.load({**MERGE, "name": "m", "source": "t"})
    source.execute("delete from t where id = 2")
    with pytest.raises(TerminalError, match=r"'m': the source has 2 rows, 0 were .* table has 3;"):
        loads.load({**MERGE, "name": "m", "source": "t"})
    table = loads.load({**MERGE, "name": "m", "source": "t", "deletes": "soft"})
    assert (table.source_rows, table.target_rows, table.deleted) == (2, 2, 1)


@pytest.mark.feature("X13")
def test_keys_alone_are_read_behind_a_cursor(warehouse, tmp_path, source):
    source.execute(MORE)
    loads = Loads(warehouse, tmp_path, source)
    filters = [{"column": "v", "op": "ne", "value": "zzz"}]
    by_id = {**MERGE, "verify_count": False, "cursor": {"column": "id"}, "filters": filters}
    for deletes in ("soft", "hard"):
        loads.load({**by_id, "name": deletes, "source": "t", "deletes": deletes})
    source.execute("delete from t where id = 2")
    for deletes, kept in (("soft", "_deleted_at is null"), ("hard", "true")):
        table = loads.load({**by_id, "name": deletes, "source": "t", "deletes": deletes})
        assert table.deleted == 1
        query = f"select id from demo_raw.{deletes} where {kept} order by id"
        assert warehouse.execute(query) == [(1,), (3,)]


@pytest.mark.parametrize("source", ["postgres", "mysql"], indirect=True)
def test_rows_that_come_while_it_is_read_do_not_count(warehouse, tmp_path, source, monkeypatch):
    reads = [(postgres_copy, "binary_files"), (postgres_copy, "batches"), (mysql, "_blocks")]
    came = iter(range(10, 20))

    def busy(read: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*args: Any) -> Any:
            source.execute(f"insert into t values ({next(came)}, 'late')")
            return read(*args)

        return reading

    for module, name in reads:
        monkeypatch.setattr(module, name, busy(getattr(module, name)))
    loads = Loads(warehouse, tmp_path, source)
    assert loads.load(REPLACE).source_rows == 1
    assert loads.load({**MERGE, "name": "m", "source": "t"}).source_rows == 2
    assert warehouse.count("m") == 2


def test_rejected_rows_are_taken_off(warehouse, tmp_path):
    source = postgres_source(warehouse)
    for statement in (*MADE, MORE, "insert into t values (4, '7')"):
        source.execute(statement)
    typed = {"columns": {"v": {"type": "integer"}}, "on_bad_row": "quarantine"}
    table = Loads(warehouse, tmp_path, source).load({**REPLACE, **typed})
    assert (table.source_rows, table.rejected, table.target_rows) == (4, 3, 1)


def test_rows_that_another_wrote_fail_the_run(warehouse, tmp_path):
    source = postgres_source(warehouse)
    for statement in MADE:
        source.execute(statement)
    loads = Loads(warehouse, tmp_path, source)
    resource = {**MERGE, "merge_strategy": "upsert"}
    loads.load(resource)
    warehouse.execute("insert into demo_raw.t select 9, v, _dlt_load_id from demo_raw.t")
    with pytest.raises(TerminalError, match=r"has 1 rows, 0 were rejected, and the table has 2"):
        loads.load(resource)


def test_only_rows_that_are_valid_now_count(warehouse, tmp_path):
    source = postgres_source(warehouse)
    for statement in (*MADE, MORE):
        source.execute(statement)
    loads = Loads(warehouse, tmp_path, source)
    resource = {**MERGE, "merge_strategy": "scd2"}
    loads.load(resource)
    source.execute("update t set v = 'z' where id = 1; delete from t where id = 2")
    table = loads.load(resource)
    assert (table.source_rows, table.target_rows, warehouse.count("t")) == (2, 2, 4)


def test_a_source_that_cannot_count_says_so(warehouse, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id\n1\n")
    made = plan(warehouse, csv_source({"t.csv": path}), {**REPLACE, "source": "t.csv"})
    with pytest.raises(TerminalError, match="verify_count: this source cannot count"):
        run(made, tmp_path / "work", {"t.csv": path})
    assert warehouse.execute("select to_regclass('t')") == [(None,)]


@pytest.mark.parametrize(
    "resource",
    [
        {"write_disposition": "append"},
        {"write_disposition": "insert", "primary_key": ["id"]},
        {**MERGE, "cursor": {"column": "id"}},
    ],
)
def test_a_load_that_reads_a_part_cannot_be_counted(resource):
    with pytest.raises(ValueError, match="a load that reads all rows"):
        ResourceConfig.model_validate({"name": "t", "verify_count": True, **resource})
