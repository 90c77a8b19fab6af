"""Loads into a real S3 server, as plain Parquet files and as Delta tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.connectors.s3 import S3
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.writer import FencedError
from etlfabric_core.extract_load.plan import LoadResult, Window
from etlfabric_core.extract_load.preview import preview
from tests.destinations import DATASET, load, load_plan
from tests.faults.load_process import LoadProcess
from tests.lakes import LakeTarget
from tests.loading import csv_source
from tests.s3_server import S3Server

FIRST = "id,v\n1,a\n2,b\n"
SECOND = "id,v\n2,B\n3,c\n"
ROWS = "select id, v from t order by id, v"
WINDOW = Window.model_validate({"start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z"})


class Bucket:
    """A new bucket, and one table in it that is loaded again and again."""

    def __init__(self, lake: LakeTarget, folder: Path, **resource: Any) -> None:
        self.lake, self.folder, self.epoch = lake, folder, 0
        typed = {"id": {"type": "integer"}}
        self.spec = {"name": "t", "source": "t.csv", "columns": typed, **resource}

    def plan(self, text: str, *more: Any, **given: Any) -> Any:
        self.path = self.folder / "t.csv"
        self.path.write_text(text)
        return load_plan(self.lake, csv_source({"t.csv": self.path}), self.spec, *more, **given)

    def load(self, text: str, *more: Any, **given: Any) -> LoadResult:
        self.epoch += 1
        plan = self.plan(text, *more, **given)
        return load(self.folder / "work", plan, {"t.csv": self.path}, self.epoch)

    def rows(self) -> list[tuple[Any, ...]]:
        return self.lake.execute(ROWS)


@pytest.mark.feature("B5", "C5")
def test_rows_are_appended_as_files(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path, cursor={"column": "id"})
    done = bucket.load(FIRST)
    assert (done.tables[0].extracted, done.tables[0].loaded) == (2, 2)
    files = [key for key in lake.keys("t/") if "/_delta_log/" not in key]
    assert files
    assert all(key.startswith(f"t/flights.{done.load_ids[0]}.") for key in files)
    assert bucket.load("id,v\n1,x\n2,b\n3,c\n").tables[0].loaded == 1, "from the cursor on"
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "C5")
def test_a_table_is_replaced(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path, write_disposition="replace")
    bucket.load(FIRST)
    bucket.load(SECOND)
    assert bucket.rows() == [(2, "B"), (3, "c")]
    assert bucket.load("id,v\n").tables[0].loaded == 0
    with lake.copied() as folder:
        files = lake.files(folder / "t")
    assert not files or bucket.rows() == []


@pytest.mark.feature("B10")
@pytest.mark.parametrize("prefix", ["lake", "lake/", ""])
def test_loaded_files_are_read_back(s3: S3Server, tmp_path: Path, prefix: str) -> None:
    bucket = Bucket(LakeTarget.new(s3, "parquet"), tmp_path)
    endpoint = bucket.lake.endpoint(prefix=prefix)
    plan = bucket.plan(FIRST).model_copy(update={"destination": endpoint})
    load(tmp_path / "work", plan, {"t.csv": bucket.path}, 1)
    loading = S3.loading_of(endpoint.config)
    assert loading is not None
    found = preview(endpoint, {}, loading.source(endpoint, DATASET, "t"), limit=1)
    assert ([column.name for column in found.columns][:2], len(found.rows)) == (["id", "v"], 1)
    assert not found.complete


@pytest.mark.feature("B10")
def test_files_of_a_delta_table_are_not_told_by_their_names(s3: S3Server) -> None:
    endpoint = LakeTarget.new(s3, "delta").endpoint()
    loading = S3.loading_of(endpoint.config)
    assert loading is not None
    with pytest.raises(TerminalError, match="stands in its Delta log"):
        loading.source(endpoint, DATASET, "t")


@pytest.mark.feature("B5", "C5")
def test_a_table_that_is_no_part_of_a_load_stays(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path, write_disposition="replace")
    bucket.load(FIRST, {**bucket.spec, "name": "u"})
    bucket.load(SECOND)
    assert bucket.rows() == [(2, "B"), (3, "c")]
    assert lake.execute(ROWS.replace("from t", "from u")) == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "C5")
def test_a_load_that_was_killed_leaves_nothing(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path, cursor={"column": "id"})
    bucket.load(FIRST)
    plan = bucket.plan("id,v\n2,b\n3,c\n")
    process = LoadProcess.start(plan, tmp_path / "work", {"t.csv": bucket.path}, 2)
    process.wait_for("load")
    process.kill_after(0)
    bucket.epoch = 2
    bucket.load("id,v\n2,b\n3,c\n4,d\n")
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.feature("B5", "C5")
def test_rows_and_state_of_an_unfinished_load_are_removed(lake: LakeTarget, tmp_path: Path) -> None:
    """As if it had been killed just before the mark that makes it count."""
    bucket = Bucket(lake, tmp_path, cursor={"column": "id"})
    bucket.load(FIRST)
    done = bucket.load("id,v\n3,c\n4,d\n")
    (mark,) = [key for key in lake.keys("_dlt_loads/") if done.load_ids[0] in key]
    lake.remove(mark)
    again = bucket.load("id,v\n3,c\n4,d\n")
    assert (again.orphans_removed, again.tables[0].loaded) == (2, 2)
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.feature("B5", "C5")
def test_what_others_wrote_is_no_orphan(lake: LakeTarget, tmp_path: Path) -> None:
    """Two connections to one bucket may meet in a table."""
    ours = Bucket(lake, tmp_path, cursor={"column": "id"})
    ours.load(FIRST)
    ours.load("id,v\n7,x\n", pipeline="others")
    assert ours.load("id,v\n3,c\n").orphans_removed == 0
    assert ours.rows() == [(1, "a"), (2, "b"), (3, "c"), (7, "x")]


@pytest.mark.feature("B5", "C5")
def test_an_older_writer_is_fenced(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path)
    bucket.epoch = 5
    bucket.load(FIRST)
    (notes,) = lake.keys("_etlfabric_load/")
    assert json.loads(lake.read(notes)) == {"epoch": 6, "tables": ["t"]}
    bucket.epoch = 1
    with pytest.raises(FencedError):
        bucket.load(SECOND)
    assert bucket.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "A5")
def test_only_checked_addresses_are_reached(lake: LakeTarget, tmp_path: Path) -> None:
    """A name that no resolver knows works: whoever looked it up once more would fail."""
    bucket = Bucket(lake, tmp_path)
    port = lake.server.port
    endpoint = lake.endpoint(endpoint_url=f"http://storage.invalid:{port}")
    for text in (FIRST, SECOND):
        plan = bucket.plan(text).model_copy(update={"destination": endpoint})
        bucket.epoch += 1
        load(tmp_path / "work", plan, {"t.csv": bucket.path}, bucket.epoch)
    assert bucket.rows() == [(1, "a"), (2, "B"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "A5")
def test_nothing_is_written_beside_the_prefix(lake: LakeTarget, tmp_path: Path) -> None:
    for text in (FIRST, SECOND):
        Bucket(lake, tmp_path, write_disposition="replace").load(text)
    answer = lake.server.client.list_objects_v2(Bucket=lake.bucket)
    assert all(entry["Key"].startswith("lake/demo_raw/") for entry in answer["Contents"])


@pytest.mark.feature("B5")
@pytest.mark.parametrize("lake", ["parquet"], indirect=True)
def test_plain_files_are_not_merged_into(lake: LakeTarget, tmp_path: Path) -> None:
    """The format of the connection was changed after the pipeline was saved."""
    bucket = Bucket(lake, tmp_path, write_disposition="merge", primary_key=["id"])
    with pytest.raises(TerminalError, match="cannot merge"):
        bucket.load(FIRST)
    assert lake.keys("t/") == []


@pytest.mark.feature("B5")
def test_a_dataset_keeps_its_format(lake: LakeTarget, tmp_path: Path) -> None:
    Bucket(lake, tmp_path).load(FIRST)
    other = "parquet" if lake.table_format == "delta" else "delta"
    changed = Bucket(LakeTarget(lake.server, lake.bucket, other), tmp_path)
    changed.epoch = 1
    with pytest.raises(TerminalError, match="table 't' is") as told:
        changed.load(SECOND)
    assert f"set table_format of the connection to {lake.table_format}" in str(told.value.hint)
    assert lake.execute(ROWS) == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "X5")
@pytest.mark.parametrize("how", ["append", "replace"])
def test_a_backfill_is_refused_where_it_would_take_rows_out(
    lake: LakeTarget, tmp_path: Path, how: str
) -> None:
    columns = {"at": {"type": "timestamp"}}
    bucket = Bucket(lake, tmp_path, columns=columns, write_disposition=how, cursor={"column": "at"})
    bucket.load("id,v,at\n1,a,2024-01-01T10:00:00Z\n")
    before = lake.keys("t/")
    with pytest.raises(TerminalError, match="'t': a backfill replaces rows"):
        bucket.load("id,v,at\n2,b,2024-01-01T11:00:00Z\n", window=WINDOW)
    assert lake.keys("t/") == before
    assert bucket.rows() == [("1", "a")]


@pytest.mark.feature("B5", "X5")
def test_a_backfill_leaves_a_table_without_a_cursor_alone(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path)
    bucket.load(FIRST)
    done = bucket.load(SECOND, window=WINDOW)
    assert (done.skipped, done.tables) == (("t",), ())
    assert bucket.rows() == [(1, "a"), (2, "b")]
