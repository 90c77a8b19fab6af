"""Loads into a real S3 server: Parquet files that any reader takes for one table."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.writer import FencedError
from etlfabric_core.extract_load.plan import Endpoint, LoadResult, Window
from tests.destinations import DATASET, load, load_plan
from tests.faults.load_process import LoadProcess
from tests.loading import csv_source
from tests.s3_server import S3Server, s3_server

FIRST = "id,v\n1,a\n2,b\n"
SECOND = "id,v\n2,B\n3,c\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


class Bucket:
    """A new bucket, and one table in it that is loaded again and again."""

    def __init__(self, server: S3Server, folder: Path, **resource: Any) -> None:
        self.server, self.folder, self.epoch = server, folder, 0
        self.name = f"b{uuid4().hex[:12]}"
        server.client.create_bucket(Bucket=self.name)
        typed = {"id": {"type": "integer"}}
        self.spec = {"name": "t", "source": "t.csv", "columns": typed, **resource}

    def endpoint(self) -> Endpoint:
        return self.server.endpoint(self.name, prefix="lake/")

    def plan(self, text: str, **given: Any) -> Any:
        self.path = self.folder / "t.csv"
        self.path.write_text(text)
        return load_plan(self, csv_source({"t.csv": self.path}), self.spec, **given)  # type: ignore[arg-type]

    def load(self, text: str, **given: Any) -> LoadResult:
        self.epoch += 1
        plan = self.plan(text, **given)
        return load(self.folder / "work", plan, {"t.csv": self.path}, self.epoch)

    def names(self, folder: str = "t/") -> list[str]:
        prefix = f"lake/{DATASET}/{folder}"
        answer = self.server.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", ())]

    def rows(self) -> list[tuple[Any, ...]]:
        tables = [
            pq.read_table(io.BytesIO(self.read(key)), columns=["id", "v"]) for key in self.names()
        ]
        found = pa.concat_tables(tables).to_pylist()
        return sorted((row["id"], row["v"]) for row in found)

    def read(self, key: str) -> bytes:
        answer = self.server.client.get_object(Bucket=self.name, Key=key)
        return bytes(answer["Body"].read())


@pytest.mark.feature("B5", "C5")
def test_rows_are_appended_as_files(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(server, tmp_path, cursor={"column": "id"})
    done = bucket.load(FIRST)
    assert (done.tables[0].extracted, done.tables[0].loaded) == (2, 2)
    assert all(key.startswith(f"lake/{DATASET}/t/{done.load_ids[0]}.") for key in bucket.names())
    assert bucket.load("id,v\n1,x\n2,b\n3,c\n").tables[0].loaded == 1, "from the cursor on"
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "C5")
def test_a_table_is_replaced(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(server, tmp_path, write_disposition="replace")
    bucket.load(FIRST)
    bucket.load(SECOND)
    assert bucket.rows() == [(2, "B"), (3, "c")]
    assert bucket.load("id,v\n").tables[0].loaded == 0
    assert bucket.rows() == []


@pytest.mark.feature("B5", "C5")
def test_a_load_that_was_killed_leaves_nothing(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(server, tmp_path, cursor={"column": "id"})
    bucket.load(FIRST)
    plan = bucket.plan("id,v\n2,b\n3,c\n")
    process = LoadProcess.start(plan, tmp_path / "work", {"t.csv": bucket.path}, 2)
    process.wait_for("load")
    process.kill_after(0)
    bucket.epoch = 2
    bucket.load("id,v\n2,b\n3,c\n4,d\n")
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.feature("B5", "C5")
def test_files_and_state_of_an_unfinished_load_are_removed(
    server: S3Server, tmp_path: Path
) -> None:
    """As if it had been killed just before the mark that makes it count."""
    bucket = Bucket(server, tmp_path, cursor={"column": "id"})
    bucket.load(FIRST)
    done = bucket.load("id,v\n3,c\n")
    (mark,) = [key for key in bucket.names("_dlt_loads/") if done.load_ids[0] in key]
    server.client.delete_object(Bucket=bucket.name, Key=mark)
    again = bucket.load("id,v\n3,c\n")
    assert (again.orphans_removed, again.tables[0].loaded) == (1, 1)
    assert bucket.rows() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.feature("B5", "C5")
def test_an_older_writer_is_fenced(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(server, tmp_path)
    bucket.epoch = 5
    bucket.load(FIRST)
    (notes,) = bucket.names("_etlfabric_load/")
    assert json.loads(bucket.read(notes)) == {"epoch": 6, "tables": ["t"]}
    bucket.epoch = 1
    with pytest.raises(FencedError):
        bucket.load(SECOND)
    assert bucket.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5")
def test_a_backfill_is_refused(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(server, tmp_path)
    window = Window.model_validate({"start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z"})
    with pytest.raises(TerminalError, match="a backfill replaces rows"):
        bucket.load(FIRST, window=window)
    assert bucket.names() == []
