"""What only Delta tables promise: one commit, one writer after the other, one type per column."""

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etlfabric_core import clock
from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.extract_load.destinations.s3 import HOLDS
from etlfabric_core.extract_load.destinations.s3.delta import DeltaTables
from etlfabric_core.extract_load.destinations.s3.files import Arrival
from etlfabric_core.extract_load.destinations.s3.mirror import Mirror
from etlfabric_core.extract_load.destinations.writer import FencedError, Writer
from tests.destinations import DATASET, load
from tests.lakes import LakeTarget
from tests.s3_server import S3Server

from .test_s3_destination import FIRST, SECOND, Bucket

deltalake = pytest.importorskip("deltalake", reason="needs etlfabric[delta]")

LOG = "t/_delta_log/"
MERGED: dict[str, Any] = {"write_disposition": "merge", "primary_key": ["id"]}


@pytest.fixture
def lake(s3: S3Server) -> LakeTarget:
    return LakeTarget.new(s3, "delta")


class Forgetful(BaseHTTPRequestHandler):
    """A storage of one dataset that takes every write, whatever its conditions."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        found = self.kept.get(self.path, b"<ListBucketResult/>" if "?" in self.path else None)
        self._answer(404 if found is None else 200, found or b"")

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print enough."""


def tables(lake: LakeTarget, folder: Path, pipeline: str = "flights", epoch: int = 1) -> Any:
    mirror = Mirror.of(lake.endpoint(), Writer(pipeline, DATASET, epoch))
    return DeltaTables(mirror, folder / f"logs {pipeline} {epoch}", HOLDS, set())


def file(made: DeltaTables, folder: Path, load: str, ids: list[int], **more: Any) -> Path:
    """A file of a load that counts, in the bucket."""
    writer = made.mirror.writer
    path = folder / "t" / f"{writer.pipeline}.{load}.abc.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64()), **more}), path)
    made.mirror.upload(folder, f"t/{path.name}")
    made.complete.add(load)
    return path


def log_put(lake: LakeTarget, version: int, *actions: Any) -> None:
    lake.put(f"{LOG}{version:020}.json", "\n".join(map(json.dumps, actions)))


@pytest.mark.feature("B5", "C5")
def test_a_reader_sees_a_table_before_a_replace_or_after_it(
    lake: LakeTarget, tmp_path: Path
) -> None:
    bucket = Bucket(lake, tmp_path, write_disposition="replace")
    for text in (FIRST, SECOND, "id,v\n", FIRST):
        bucket.load(text)
    with lake.copied() as folder:
        seen = [
            deltalake.DeltaTable(str(folder / "t"), version=version)
            .to_pyarrow_table(columns=["id", "v"])
            .sort_by("id")
            .column("v")
            .to_pylist()
            for version in range(4)
        ]
    assert seen == [["a", "b"], ["B", "c"], [], ["a", "b"]]


@pytest.mark.feature("B5", "C5")
def test_rows_are_merged_by_their_key(lake: LakeTarget, tmp_path: Path) -> None:
    """Files without a key that comes stay as they are."""
    bucket = Bucket(lake, tmp_path, **MERGED, merge_strategy="upsert")
    bucket.load(FIRST)
    bucket.load("id,v\n8,x\n9,y\n")
    untouched = {*lake.keys("t/")}
    done = bucket.load(SECOND)
    assert (done.tables[0].extracted, done.tables[0].loaded) == (2, 2)
    assert bucket.rows() == [(1, "a"), (2, "B"), (3, "c"), (8, "x"), (9, "y")]
    with lake.copied() as folder:
        assert len({f"t/{Path(one).name}" for one in lake.files(folder / "t")} & untouched) == 1
    assert bucket.load(SECOND).tables[0].loaded == 2
    assert bucket.rows() == [(1, "a"), (2, "B"), (3, "c"), (8, "x"), (9, "y")]


@pytest.mark.feature("B5", "C5")
@pytest.mark.parametrize(
    ("ids", "said"), [([None, 5], "1 rows have no value"), ([5, 5, 6], "2 rows share 1 keys")]
)
def test_a_merge_is_held_to_its_key(
    lake: LakeTarget, tmp_path: Path, ids: list[int], said: str
) -> None:
    made = tables(lake, tmp_path)
    made.show("t", Arrival([file(made, tmp_path, "1.5", [1])]))
    with pytest.raises(TerminalError, match=said):
        made.show("t", Arrival([file(made, tmp_path, "2.5", ids)], keys=["id"]))
    assert lake.execute("select id from t") == [(1,)]


@pytest.mark.feature("B5", "C5")
def test_a_killed_merge_keeps_what_it_wrote_anew(lake: LakeTarget, tmp_path: Path) -> None:
    """Its rows took the place of others, so they stay until the merge is done again."""
    bucket = Bucket(lake, tmp_path, **MERGED)
    bucket.load(FIRST)
    done = bucket.load(SECOND)
    (mark,) = [key for key in lake.keys("_dlt_loads/") if done.load_ids[0] in key]
    lake.remove(mark)
    bucket.spec |= {"write_disposition": "append", "primary_key": []}
    bucket.load("id,v\n7,g\n")
    assert bucket.rows() == [(1, "a"), (2, "B"), (3, "c"), (7, "g")]
    bucket.load("id,v\n")
    assert bucket.rows() == [(1, "a"), (2, "B"), (3, "c"), (7, "g")]
    bucket.spec |= MERGED
    bucket.load(SECOND)
    assert bucket.rows() == [(1, "a"), (2, "B"), (3, "c"), (7, "g")]


@pytest.mark.feature("B5", "C5")
def test_a_killed_replace_is_never_seen_empty(lake: LakeTarget, tmp_path: Path) -> None:
    """Though the table was once appended to, whose unfinished loads are taken out."""
    bucket = Bucket(lake, tmp_path)
    bucket.load(FIRST)
    bucket.spec["write_disposition"] = "replace"
    done = bucket.load(SECOND)
    (mark,) = [key for key in lake.keys("_dlt_loads/") if done.load_ids[0] in key]
    lake.remove(mark)
    assert bucket.load(SECOND).orphans_removed == 0
    with lake.copied() as folder:
        versions = [deltalake.DeltaTable(str(folder / "t"), version=n) for n in range(3)]
        assert [one.to_pyarrow_table().num_rows for one in versions] == [2, 2, 2]
    assert bucket.rows() == [(2, "B"), (3, "c")]


@pytest.mark.feature("B5")
def test_files_of_others_are_not_written_anew(lake: LakeTarget, tmp_path: Path) -> None:
    Bucket(lake, tmp_path).load(FIRST, pipeline="others")
    with pytest.raises(TerminalError, match="files of another writer"):
        Bucket(lake, tmp_path, **MERGED).load(SECOND)
    assert lake.execute("select id, v from t order by id") == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5")
def test_a_contract_holds_a_table_as_it_is(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path, contract={"columns": "freeze"})
    bucket.load(FIRST)
    with pytest.raises(TerminalError, match="more"):
        bucket.load("id,v,more\n4,d,x\n")
    assert bucket.rows() == [(1, "a"), (2, "b")]


@pytest.mark.feature("B5", "C5")
def test_an_older_try_cannot_commit_after_a_newer_one(lake: LakeTarget, tmp_path: Path) -> None:
    """The older one looked whether it is still the writer, and then stood still for a while."""
    older, newer = tables(lake, tmp_path, epoch=1), tables(lake, tmp_path, epoch=2)
    late = file(older, tmp_path, "1.5", [1, 2])
    newer.show("t", Arrival([file(newer, tmp_path, "2.5", [1, 2])]))
    with pytest.raises(FencedError):
        older.show("t", Arrival([late]))
    assert lake.execute("select id from t order by id") == [(1,), (2,)]


@pytest.mark.feature("B5", "C5")
def test_what_an_older_try_commits_before_a_newer_one_leaves_with_its_commit(
    lake: LakeTarget, tmp_path: Path
) -> None:
    older, newer = tables(lake, tmp_path, epoch=1), tables(lake, tmp_path, epoch=2)
    assert newer.take_out("t") == 0
    older.show("t", Arrival([file(older, tmp_path, "1.5", [1, 2])]))
    newer.show("t", Arrival([file(newer, tmp_path, "2.5", [1, 2])]))
    assert lake.execute("select id from t order by id") == [(1,), (2,)]


@pytest.mark.feature("B5", "C5")
def test_two_writers_of_one_version_come_one_after_the_other(
    lake: LakeTarget, tmp_path: Path
) -> None:
    ours, others = tables(lake, tmp_path), tables(lake, tmp_path, "others")
    ours.show("t", Arrival([file(ours, tmp_path, "1.5", [1])]))
    log = ours.log("t")
    there = log.snapshot()
    others.show("t", Arrival([file(others, tmp_path, "2.5", [2])]))
    actions = [{"commitInfo": {"timestamp": 0}}]
    assert log.commit(there.version + 1, actions, {*there.files}) is False
    ours.show("t", Arrival([file(ours, tmp_path, "3.5", [3])]))
    ours.show("t", Arrival([tmp_path / "t" / "flights.3.5.abc.parquet"]))
    assert ours.log("t").snapshot().version == 2, "what is there is not committed again"
    assert lake.execute("select id from t order by id") == [(1,), (2,), (3,)]


@pytest.mark.feature("B5")
def test_columns_are_added_and_keep_their_types(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path)
    bucket.load(FIRST)
    bucket.spec["columns"]["time"] = {"type": "timestamp"}
    bucket.load("id,v,time\n3,c,2024-01-02 03:04:05\n")
    assert lake.execute("select id, v, time from t order by id") == [
        (1, "a", None),
        (2, "b", None),
        (3, "c", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ]
    before = lake.keys("t/")
    bucket.spec["columns"]["id"] = {"type": "text"}
    with pytest.raises(TerminalError, match="'id': it is bigint at the destination and would be"):
        bucket.load("id,v,time\nx,d,\n")
    assert lake.keys("t/") == before


@pytest.mark.feature("B5")
def test_times_without_a_zone_are_a_feature_that_a_table_gets_when_it_needs_it(
    lake: LakeTarget, tmp_path: Path
) -> None:
    made = tables(lake, tmp_path)
    made.show("t", Arrival([file(made, tmp_path, "1.5", [1])]))
    assert made.log("t").snapshot().features == frozenset()
    local = pa.array([10**6], pa.timestamp("us"))
    made.show("t", Arrival([file(made, tmp_path, "2.5", [2], moment=local)]))
    assert "timestampNtz" in made.log("t").snapshot().features
    assert made.types("t") == {"id": "bigint", "moment": "timestamp"}
    (row,) = lake.execute("select moment from t where id = 2")
    assert row == (datetime(1970, 1, 1, 0, 0, 1),)  # noqa: DTZ001 - that is the point


@pytest.mark.feature("B5")
def test_what_changed_since_the_last_load_is_told(lake: LakeTarget, tmp_path: Path) -> None:
    bucket = Bucket(lake, tmp_path)
    bucket.load(FIRST, schema_changes="refuse")
    bucket.load(SECOND, schema_changes="refuse")
    with pytest.raises(TerminalError, match="more"):
        bucket.load("id,v,more\n4,d,x\n", schema_changes="refuse")


@pytest.mark.feature("B5")
def test_checkpoints_shorten_the_log_and_old_files_leave(
    lake: LakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file goes a week after the last version that names it, and no sooner."""
    began = clock.now() - timedelta(days=20)
    made = tables(lake, tmp_path)
    for version in range(21):
        at = began + timedelta(days=version)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        load = f"{at.timestamp():.3f}"
        made.show("t", Arrival([file(made, tmp_path, load, [version])], replaces=True))
    assert lake.execute("select id from t") == [(20,)]
    kept = [key for key in lake.keys("t/") if "/_delta_log/" not in key]
    assert 7 <= len(kept) <= 9, "of a week"
    for version in range(20):
        lake.remove(f"{LOG}{version:020}.json")
    again = tables(lake, tmp_path, epoch=2)
    again.complete.update(made.complete)
    assert again.log("t").snapshot().epoch == 1
    again.show("t", Arrival([file(again, tmp_path, "99.5", [99])]))
    assert lake.execute("select id from t order by id") == [(20,), (99,)]


@pytest.mark.feature("B5")
def test_tables_that_deltalake_wrote_are_gone_on_with(lake: LakeTarget, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    row = pa.table({"id": pa.array([1], pa.int64()), "v": ["a"]})
    deltalake.write_deltalake(str(theirs), row)
    for path in filter(Path.is_file, theirs.rglob("*")):
        lake.put(f"t/{path.relative_to(theirs)}", path.read_bytes())
    Bucket(lake, tmp_path).load(SECOND)
    assert lake.execute("select id, v from t order by id") == [(1, "a"), (2, "B"), (3, "c")]
    with lake.copied() as folder:
        deltalake.write_deltalake(str(folder / "t"), row, mode="append", schema_mode="merge")
        assert deltalake.DeltaTable(str(folder / "t")).to_pyarrow_table().num_rows == 4


def features(name: str) -> Any:
    named = {"readerFeatures": [name], "writerFeatures": [name]}
    return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **named}}


HOSTILE: list[tuple[Any, str]] = [
    ("etl-secret{", "its Delta log cannot be read"),
    (features("deletionVectors"), "feature deletionVectors"),
    (features("x"), "cannot be read"),
    ({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}, "version 5"),
]


@pytest.mark.feature("B5", "A5")
@pytest.mark.parametrize(("action", "said"), HOSTILE)
def test_a_log_that_is_not_understood_is_left_alone(
    lake: LakeTarget, tmp_path: Path, action: Any, said: str
) -> None:
    bucket = Bucket(lake, tmp_path)
    bucket.load(FIRST)
    if isinstance(action, str):
        lake.put(f"{LOG}{1:020}.json", action)
    else:
        log_put(lake, 1, {"commitInfo": {"timestamp": 0}}, action)
    before = lake.keys("t/")
    with pytest.raises(TerminalError, match=said) as told:
        bucket.load(SECOND)
    assert "etl-secret" not in f"{told.value} {told.value.hint}"
    assert lake.keys("t/") == before


@pytest.mark.feature("B5", "A5")
def test_places_that_a_log_names_are_not_gone_to(lake: LakeTarget, tmp_path: Path) -> None:
    """A path that leads elsewhere is the name of a file that is not there, and nothing else."""
    made = tables(lake, tmp_path)
    made.show("t", Arrival([file(made, tmp_path, "1.5", [1])]))
    lake.server.put_object(lake.bucket, "secret.parquet", lake.read("t/flights.1.5.abc.parquet"))
    for version, path in enumerate(("../../secret.parquet", "http://127.0.0.1:9/x.parquet"), 1):
        add = {"path": path, "partitionValues": {}, "size": 1, "dataChange": True}
        stats = {"modificationTime": 1, "stats": '{"numRecords": 1}'}
        log_put(lake, version, {"commitInfo": {"timestamp": 0}}, {"add": {**add, **stats}})
        with pytest.raises(TerminalError, match="files that are not there"):
            made.rows("t")
    made.show("t", Arrival([file(made, tmp_path, "2.5", [2])], replaces=True))
    assert made.rows("t") == 1
    assert "secret.parquet" in [
        entry["Key"] for entry in lake.server.client.list_objects_v2(Bucket=lake.bucket)["Contents"]
    ]


@pytest.mark.feature("B5", "C5")
def test_a_storage_that_writes_over_what_is_there_is_refused(
    lake: LakeTarget, tmp_path: Path
) -> None:
    """Two tries could commit the same version there, and one would be lost."""
    bucket = Bucket(lake, tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = {"endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        plan = bucket.plan(FIRST).model_copy(update={"destination": lake.endpoint(**url)})
        with pytest.raises(TerminalError, match="If-None-Match"):
            load(tmp_path / "work", plan, {"t.csv": bucket.path})
        server.shutdown()
    assert [key for key in Forgetful.kept if not key.endswith("_etlfabric_load/flights.json")] == []


@pytest.mark.feature("B5")
def test_files_that_no_log_names_are_not_left_out(lake: LakeTarget, tmp_path: Path) -> None:
    lake.put("t/part-0.parquet", b"somebody's")
    with pytest.raises(TerminalError, match="plain Parquet files"):
        Bucket(lake, tmp_path).load(FIRST)
    assert lake.keys("t/") == ["t/part-0.parquet"]


@pytest.mark.feature("B5")
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    lake: LakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etlfabric_core.connectors.s3 import S3

    monkeypatch.setitem(sys.modules, "deltalake", None)
    hint = "the operator can install it: pip install 'etlfabric[delta]'"
    with pytest.raises(InvalidConfig) as told:
        Bucket(lake, tmp_path).load(FIRST)
    assert told.value.hint == S3.test(lake.endpoint(), {}).hint == hint
    assert S3.test(lake.endpoint(table_format="parquet"), {}).ok
