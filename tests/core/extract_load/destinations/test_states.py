"""The state of a pipeline at DuckDB and MariaDB: seen, changed, and followed by the next load."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import Conflict, TransientError
from etlfabric_core.extract_load import state
from etlfabric_core.extract_load.destinations.sql import states
from etlfabric_core.extract_load.destinations.writer import FencedError
from etlfabric_core.extract_load.plan import StateChange
from tests.destinations import DATASET, DuckdbTarget, Target, load, load_plan
from tests.loading import csv_source

pytestmark = pytest.mark.feature("C4", "X4")

TYPES = {"id": {"type": "integer"}, "at": {"type": "timestamp"}}
MERGED = {"write_disposition": "merge", "primary_key": ["id"]}
PIPELINE = "flights"


@dataclass
class Pipeline:
    """Two tables of one file, `a` and `b`, and the epochs of those who write them."""

    target: Target
    folder: Path
    cursor: str = "id"
    epoch: int = 0

    def load(self, rows: int) -> dict[str, int]:
        path = self.folder / "t.csv"
        lines = [f"{n},2024-01-{n:02}T12:00:00.123456Z" for n in range(1, rows + 1)]
        path.write_text("\n".join(["id,at", *lines]) + "\n")
        shared = {"source": "t.csv", "cursor": {"column": self.cursor}, "columns": TYPES}
        tables = [{"name": name, **shared, **MERGED} for name in ("a", "b")]
        self.epoch += 1
        plan = load_plan(self.target, csv_source({"t.csv": path}), *tables, pipeline=PIPELINE)
        done = load(self.folder / "work", plan, {"t.csv": path}, self.epoch)
        return {table.table: table.loaded for table in done.tables}

    def history(self) -> list[state.Version]:
        return state.history(self.target.endpoint(), PIPELINE, DATASET)

    def texts(self) -> dict[str, str | None]:
        return {place.resource: place.text for place in self.history()[0].positions}

    def change(self, **asked: Any) -> state.Changed:
        self.epoch += 1
        return state.change(
            self.target.endpoint(),
            PIPELINE,
            DATASET,
            epoch=self.epoch,
            asked=StateChange(**asked),
        )


@pytest.mark.parametrize("cursor", ["id", "at"])
def test_it_is_set_reset_and_restored(target: Target, tmp_path: Path, cursor: str) -> None:
    pipeline = Pipeline(target, tmp_path, cursor)
    with pytest.raises(Conflict, match="no state yet"):
        pipeline.change(action="reset", resource="a")
    assert pipeline.history() == []
    pipeline.load(4)
    early = pipeline.history()[0]
    pipeline.load(6)
    assert [len(version.positions) for version in pipeline.history()] == [2, 2]
    assert pipeline.history()[1] == early
    before = pipeline.texts()

    value = {"id": "2", "at": "2024-01-02T12:00:00.123456+00:00"}[cursor]
    done = pipeline.change(action="set", resource="a", column=cursor, value=value)
    assert pipeline.history()[0].load_id == done.load_id
    assert {**pipeline.texts(), "a": None} == {**before, "a": None}
    assert pipeline.load(6) == {"a": 5, "b": 1}, "from the value on, and at the boundary"
    assert pipeline.texts() == before

    pipeline.change(action="reset", resource="b")
    assert pipeline.load(6) == {"a": 1, "b": 6}
    pipeline.change(action="restore", load_id=early.load_id)
    assert pipeline.history()[0].positions == early.positions
    assert pipeline.load(6) == {"a": 3, "b": 3}
    with pytest.raises(Conflict, match="no such version"):
        pipeline.change(action="restore", load_id="1.5")
    with pytest.raises(Conflict, match="stand like that already"):
        pipeline.change(action="restore", load_id=pipeline.history()[0].load_id)
    times = [version.created_at for version in pipeline.history()]
    assert times == sorted(times, reverse=True)
    assert all(time.endswith("+00:00") for time in times)


def test_only_complete_loads_and_newest_writers_count(target: Target, tmp_path: Path) -> None:
    pipeline = Pipeline(target, tmp_path)
    pipeline.load(3)
    before = pipeline.history()
    done = pipeline.change(action="reset", resource="a")
    # As if it had been interrupted before the load was written down.
    target.execute(f"delete from _dlt_loads where load_id = '{done.load_id}'")
    assert pipeline.history() == before
    assert pipeline.load(3) == {"a": 1, "b": 1}
    before, pipeline.epoch = pipeline.history(), 0
    with pytest.raises(FencedError):
        pipeline.change(action="reset", resource="a")
    assert pipeline.history() == before
    assert state.history(target.endpoint(), "another", DATASET) == []
    assert state.history(target.endpoint(), PIPELINE, "elsewhere") == []


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """A process that looks into the database until the end."""
    looks = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print('open')"
    child = subprocess.Popen(
        [sys.executable, "-uc", f"{looks}; sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        yield
        child.communicate()


def test_a_change_gives_way_to_a_load_of_another_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "PATIENCE_S", 0.1)
    target = DuckdbTarget(tmp_path / "databases" / "1.duckdb")
    pipeline = Pipeline(target, tmp_path)
    assert pipeline.history() == []
    assert not target.path.exists(), "looking makes no file"
    pipeline.load(3)
    with held_by_another(target.path):
        assert len(pipeline.history()) == 1, "others may look at the same time"
        with pytest.raises(TransientError, match="a load is writing"):
            pipeline.change(action="reset", resource="a")
    assert len(pipeline.history()) == 1
    pipeline.change(action="reset", resource="a")
    assert len(pipeline.history()) == 2
