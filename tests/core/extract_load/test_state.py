"""The state of a pipeline as it was and as it is made: what the next load takes follows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dlt.common.json import json
from dlt.common.versioned_state import decompress_state

from etlfabric_core.errors import Conflict, InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load import state
from etlfabric_core.extract_load.plan import LoadResult, StateChange, Window
from tests.loading import Warehouse, csv_source, plan, run

ROWS = [f"{n},2024-01-{n:02}T12:00:00Z,2024-01-{n:02},2024-02-{n:02}" for n in range(1, 11)]
MERGED = {"write_disposition": "merge", "primary_key": ["id"]}
TYPES = {"id": {"type": "integer"}, "at": {"type": "timestamp"}, "day": {"type": "date"}}
CURSORS = {"id": "integer", "at": "timestamp", "day": "date", "name": "text"}


@dataclass
class Pipeline:
    """Two tables of one file, `a` and `b`, and the epochs of those who write them."""

    warehouse: Warehouse
    folder: Path
    cursor: str = "at"
    epoch: int = 0
    how: dict[str, Any] = field(default_factory=lambda: MERGED)

    def load(self, rows: Iterable[str], window: Window | None = None) -> LoadResult:
        path = self.folder / "t.csv"
        path.write_text("\n".join(["id,at,day,name", *rows]) + "\n")
        files = {"t.csv": path}
        shared = {"source": "t.csv", "cursor": {"column": self.cursor}, "columns": TYPES}
        tables = [{"name": name, **shared, **self.how} for name in ("a", "b")]
        self.epoch += 1
        asked = plan(self.warehouse, csv_source(files), *tables, window=window)
        return run(asked, self.folder / "work", files, self.epoch)

    def loaded(self, rows: Iterable[str]) -> dict[str, int]:
        return {table.table: table.loaded for table in self.load(rows).tables}

    def history(self) -> list[state.Version]:
        return state.history(self.warehouse.endpoint(), "flights", self.warehouse.dataset)

    def change(self, **asked: Any) -> state.Changed:
        self.epoch += 1
        return state.change(
            self.warehouse.endpoint(),
            "flights",
            self.warehouse.dataset,
            epoch=self.epoch,
            asked=StateChange(**asked),
        )

    def values(self) -> dict[str, str | None]:
        return {place.resource: place.text for place in self.history()[0].positions}

    def kept(self, resource: str) -> bytes:
        """What dlt itself keeps for a resource, byte for byte."""
        found = self.warehouse.execute(
            "select state from _dlt_pipeline_state s join _dlt_loads l on load_id = _dlt_load_id "
            "order by load_id desc limit 1"
        )
        (source,) = decompress_state(found[0][0])["sources"].values()
        return json.typed_dumpb(source["resources"].get(resource), sort_keys=True)


@pytest.fixture
def pipeline(warehouse: Warehouse, tmp_path: Path) -> Pipeline:
    return Pipeline(warehouse, tmp_path)


@pytest.mark.feature("C4", "X4")
@pytest.mark.parametrize("cursor", CURSORS)
def test_cursors_keep_their_type_through_every_change(pipeline, cursor):
    pipeline.cursor = cursor
    pipeline.load(ROWS[:4])
    pipeline.load(ROWS[:8])
    newest, first = pipeline.history()
    assert {place.type for place in newest.positions} == {CURSORS[cursor]}
    assert newest.load_id > first.load_id
    (fourth,) = (place.text for place in first.positions if place.resource == "a")
    pipeline.change(action="set", resource="a", column=cursor, value=fourth)
    assert pipeline.values()["a"] == fourth
    assert pipeline.history()[0].positions[0].type == CURSORS[cursor]
    assert pipeline.loaded(ROWS) == {"a": 7, "b": 3}  # the rows at the place itself come again
    assert pipeline.warehouse.count("a") == pipeline.warehouse.count("b") == 10


@pytest.mark.feature("X4")
def test_a_reset_begins_anew_and_leaves_the_other_table_alone(pipeline):
    pipeline.load(ROWS[:6])
    before = pipeline.kept("b")
    done = pipeline.change(action="reset", resource="a")
    assert {p.resource for p in done.before} == {"a", "b"}
    assert {p.resource for p in done.after} == {"b"}
    assert pipeline.kept("b") == before
    assert pipeline.loaded(ROWS[:6]) == {"a": 6, "b": 1}
    assert pipeline.warehouse.count("a") == 6


@pytest.mark.feature("X4")
@pytest.mark.parametrize("table", [None, "a"], ids=["all", "one"])
def test_after_a_restore_the_next_load_takes_exactly_what_came_since(pipeline, table):
    pipeline.how = {"write_disposition": "append"}
    pipeline.load(ROWS[:4])
    snapshot, other = pipeline.history()[0], pipeline.kept("b")
    pipeline.load(ROWS[:7])
    moved = pipeline.kept("b")
    pipeline.change(action="restore", resource=table, load_id=snapshot.load_id)
    assert pipeline.kept("b") == (moved if table else other)
    assert pipeline.loaded(ROWS[:7]) == {"a": 3, "b": 0 if table else 3}
    ids = [row[0] for row in pipeline.warehouse.execute("select id from a order by id")]
    assert ids == [1, 2, 3, 4, 5, 5, 6, 6, 7, 7]  # an append: what is there already stays


def test_what_was_reset_can_be_set_and_restored(pipeline):
    pipeline.load(ROWS[:6])
    snapshot, kept = pipeline.history()[0], pipeline.kept("a")
    pipeline.change(action="reset", resource="a")
    pipeline.change(action="set", resource="a", column="at", value="2024-01-05 12:00+00:00")
    assert pipeline.values()["a"] == "2024-01-05T12:00:00+00:00"
    pipeline.change(action="restore", resource="a", load_id=snapshot.load_id)
    assert pipeline.kept("a") == kept
    assert len(pipeline.history()) == 4


@pytest.mark.feature("X5")
def test_a_backfill_leaves_the_live_state_as_it_is(pipeline):
    pipeline.load(ROWS[:6])
    before = (pipeline.history(), pipeline.kept("a"))
    window = Window(start=datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 1, 9, tzinfo=UTC))
    assert [table.loaded for table in pipeline.load(ROWS, window).tables] == [7, 7]
    assert (pipeline.history(), pipeline.kept("a")) == before


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"action": "restore", "load_id": "1.5"}, Conflict, "no such version"),
        ({"action": "reset", "resource": "none"}, Conflict, "like that already"),
        ({"action": "set", "resource": "a", "column": "id", "value": "1"}, Conflict, "not loaded"),
        (
            {"action": "set", "resource": "a", "column": "at", "value": "soon"},
            InvalidConfig,
            "not a timestamp",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(pipeline, asked, error, words):
    pipeline.load(ROWS[:2])
    before = pipeline.history()
    with pytest.raises(error, match=words):
        pipeline.change(**asked)
    assert pipeline.history() == before


def test_before_the_first_load_there_is_nothing_to_change(pipeline):
    assert pipeline.history() == []
    with pytest.raises(Conflict, match="no state yet"):
        pipeline.change(action="reset", resource="a")
    assert pipeline.warehouse.execute("select to_regclass('_etlfabric_lease')") == [(None,)]


def test_a_change_cannot_overtake_a_newer_load(pipeline):
    pipeline.load(ROWS[:2])
    pipeline.load(ROWS[:3])
    before = pipeline.history()
    pipeline.epoch = 0
    with pytest.raises(TransientError, match="took over"):
        pipeline.change(action="reset", resource="a")
    assert pipeline.history() == before


def test_a_change_is_the_newest_even_when_the_loader_s_clock_was_ahead(pipeline):
    pipeline.load(ROWS[:2])
    ahead = "9000000000.5"
    pipeline.warehouse.execute("update _dlt_pipeline_state set _dlt_load_id = %s", [ahead])
    pipeline.warehouse.execute("update _dlt_loads set load_id = %s", [ahead])
    assert pipeline.change(action="reset", resource="a").load_id > ahead
    assert set(pipeline.values()) == {"b"}


@pytest.mark.parametrize("initial", [None, "2023-01-01T00:00:00Z"])
def test_a_table_that_was_dropped_is_loaded_from_the_beginning_once_its_cursor_is_reset(
    warehouse, tmp_path, initial
):
    cursor = {"column": "at", "initial_value": initial}
    pipeline = Pipeline(warehouse, tmp_path, how=MERGED | {"cursor": cursor})
    rows = ["1,2024-01-01T00:00:00Z,2024-01-01,x", "2,2024-01-02T00:00:00Z,2024-01-02,y"]
    assert pipeline.loaded(rows) == {"a": 2, "b": 2}
    warehouse.execute("drop table a")
    with pytest.raises(TerminalError, match="'a' is not there any more"):
        pipeline.load(rows)
    assert warehouse.execute("select to_regclass('a') is null") == [(True,)]
    pipeline.change(action="reset", resource="a", column="at")
    pipeline.load(rows)
    assert warehouse.count("a") == warehouse.count("b") == 2


def test_a_column_that_was_dropped_is_made_again(warehouse, tmp_path):
    pipeline = Pipeline(warehouse, tmp_path)
    pipeline.load(["1,2024-01-01T00:00:00Z,2024-01-01,x"])
    warehouse.execute("alter table a drop column name")
    pipeline.load(["2,2024-01-02T00:00:00Z,2024-01-02,y"])
    assert warehouse.execute("select id, name from a order by id") == [(1, None), (2, "y")]
