"""Values of PostgreSQL arrive in files of a bucket as they are, or the load says why not."""

from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from tests.core.extract_load.destinations.test_fidelity import (
    REFUSED,
    VALUES,
    make_edges,
    make_one,
    there,
)
from tests.destinations import load, load_plan
from tests.lakes import LakeTarget
from tests.loading import Warehouse


@pytest.mark.feature("B5", "C3")
def test_values_arrive_as_they_are(lake: LakeTarget, warehouse: Warehouse, tmp_path: Path) -> None:
    make_edges(warehouse)
    rows = there(lake, warehouse, tmp_path)
    for (type_, given, wanted), found in zip(VALUES, rows[0][1:], strict=False):
        assert (type(found), found) == (type(wanted), wanted), (type_, given[:40])
    assert set(rows[1][1 : len(VALUES) + 1]) == {None}


@pytest.mark.feature("B5", "C3")
@pytest.mark.parametrize("lake", ["delta"], indirect=True)
def test_values_stay_as_they_are_when_their_file_is_written_anew(
    lake: LakeTarget, warehouse: Warehouse, tmp_path: Path
) -> None:
    make_edges(warehouse)
    merge = {"write_disposition": "merge", "primary_key": ["id"]}
    there(lake, warehouse, tmp_path, **merge)
    names = {*lake.keys("edges/")}
    warehouse.execute("delete from edges where id = 1")
    plan = load_plan(lake, warehouse.endpoint(schema=warehouse.dataset), {"name": "edges", **merge})
    load(tmp_path, plan, epoch=2)
    rows = lake.execute("select * from edges order by id")
    assert [row[0] for row in rows] == [1, 2]
    assert {*lake.keys("edges/")} > names, "files are kept for a week"
    for (type_, given, wanted), found in zip(VALUES, rows[0][1:], strict=False):
        assert (type(found), found) == (type(wanted), wanted), (type_, given[:40])


@pytest.mark.feature("B5", "C3")
def test_what_cannot_be_held_is_refused(
    lake: LakeTarget, warehouse: Warehouse, tmp_path: Path
) -> None:
    refused = [(type_, value) for type_, value, is_held in REFUSED if not is_held]
    for type_, value in refused:
        make_one(warehouse, type_, value)
        with pytest.raises(TerminalError, match="column 'v': a value"):
            there(lake, warehouse, tmp_path)
    assert lake.keys("edges/") == []


@pytest.mark.feature("B5", "X3")
def test_rows_are_counted_on_both_sides(
    lake: LakeTarget, warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.execute("create table edges as select generate_series(1, 5) as id")
    warehouse.execute(f"grant select on edges to {warehouse.role}")
    edges = {"name": "edges", "write_disposition": "replace", "verify_count": True}
    plan = load_plan(lake, warehouse.endpoint(schema=warehouse.dataset), edges)
    for epoch in (1, 2):
        done = load(tmp_path, plan, epoch=epoch).tables[0]
        assert (done.source_rows, done.target_rows) == (5, 5)
