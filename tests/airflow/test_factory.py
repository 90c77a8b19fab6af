"""The factory and its guard: an organization's trouble stays its own, and what worked keeps on."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from etlfabric_airflow import factory
from etlfabric_airflow.store import Store
from etlfabric_airflow.timeouts import OutOfTime, time_limit
from sample_project import Manifest, dag_spec, daily, dbt_spec

from etlfabric_core.specs.document import DagSpec, NodeSpec


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two organizations, both well."""
    store = Store(tmp_path / "bundle")
    store.publish("acme.daily", 1, dag_spec("acme", revision=1))
    store.publish("globex.daily", 2, dag_spec("globex", revision=1))
    return store


def parse(store: Store, entry: str = "acme.daily") -> DagBag:
    """As the dag-processor does it: one file at a time."""
    return DagBag(dag_folder=str(store.entry_file(entry)), collect_dags=True)


def revisions(bag: DagBag) -> dict[str, int]:
    assert bag.import_errors == {}
    return {dag_id: dag.get_task("begin").revision for dag_id, dag in bag.dags.items()}


def test_an_entry_file_yields_the_newest_revision(store: Store) -> None:
    assert revisions(parse(store)) == {"acme.daily": 1}
    store.publish("acme.daily", 3, dag_spec("acme", revision=2))
    assert revisions(parse(store)) == {"acme.daily": 2}
    assert store.receipt("acme.daily") == {"seen": 3, "good": 3}


# --- poisons -----------------------------------------------------------------------------------

POISONED_SPECS: dict[str, dict[str, Any]] = {
    "cycle": {
        "nodes": (
            NodeSpec(slug="a", kind="pipeline", upstream=("b",)),
            NodeSpec(slug="b", kind="pipeline", upstream=("a",)),
        )
    },
    "unknown kind": {"nodes": (NodeSpec(slug="a", kind="teleport"),)},
    "unknown upstream": {"nodes": (NodeSpec(slug="a", kind="pipeline", upstream=("zz",)),)},
    "over-long task id": {"nodes": (NodeSpec(slug="a" * 300, kind="pipeline"),)},
    "two tasks of one name": {"nodes": (NodeSpec(slug="begin", kind="pipeline"),)},
    "bad cron": {"schedules": (daily(cron="61 25 * * *"),)},
    "bad time zone": {"schedules": (daily(timezone="Mars/Base"),)},
    "another organization's id": {"dag_id": "globex.daily"},
    "negative timeout": {"nodes": (NodeSpec(slug="a", kind="pipeline", timeout_s=-(10**18)),)},
    "text that breaks out": {"nodes": (NodeSpec(slug="{{ conn.x }}/../..", kind="pipeline"),)},
}


@pytest.mark.parametrize("poison", POISONED_SPECS)
def test_a_poisoned_spec_leaves_its_own_last_good_dag_and_the_neighbour(
    store: Store, poison: str
) -> None:
    parse(store)
    store.publish("acme.daily", 3, dag_spec("acme", revision=2, **POISONED_SPECS[poison]))
    assert revisions(parse(store)) == {"acme.daily": 1}
    assert revisions(parse(store, "globex.daily")) == {"globex.daily": 1}
    reason = json.loads(store.error_file("acme.daily", 3).read_text())["reason"]
    assert reason
    assert store.receipt("acme.daily") == {"seen": 3, "good": 1}


def raises_system_exit(_dag: DAG) -> None:
    raise SystemExit(3)


def hangs(_dag: DAG) -> None:
    while True:
        time.sleep(0.01)


def recurses(dag: DAG) -> None:
    recurses(dag)


def cannot_be_serialized(dag: DAG) -> None:
    endless: list[Any] = []
    endless.append(endless)
    dag.get_task("begin").revision = endless


def takes_a_neighbours_id(dag: DAG) -> None:
    dag.dag_id = "globex.daily"


@pytest.mark.parametrize(
    "spoil", [raises_system_exit, hangs, recurses, cannot_be_serialized, takes_a_neighbours_id]
)
def test_a_build_that_goes_wrong_in_any_way_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[DAG], None]
) -> None:
    real = factory.build_dags

    def build(spec: DagSpec, *rest: Any) -> list[DAG]:
        dags = real(spec, *rest)
        if spec.revision == 2:
            spoil(dags[0])
        return dags

    monkeypatch.setattr(factory, "build_dags", build)
    monkeypatch.setattr("etlfabric_airflow.guard.BUILD_SECONDS", 1.0)
    store.publish("acme.daily", 3, dag_spec("acme", revision=2))
    began = time.monotonic()
    assert revisions(parse(store)) == {"acme.daily": 1}
    assert time.monotonic() - began < 5
    assert store.error_file("acme.daily", 3).exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"version": 2}', b"\xff\xfe", b'[["a"]]' * 10_000]
)
def test_a_damaged_document_leaves_the_last_good_dag(store: Store, content: bytes) -> None:
    store.publish("acme.daily", 3, dag_spec("acme", revision=2))
    store.spec_file("acme.daily", 3).write_bytes(content)
    assert revisions(parse(store)) == {"acme.daily": 1}
    assert revisions(parse(store, "globex.daily")) == {"globex.daily": 1}


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"nodes": {"model.x.y": {}}}', b"\x00" * 99])
def test_a_damaged_manifest_leaves_the_last_good_dag(
    store: Store, manifest: Manifest, damage: bytes
) -> None:
    sha256 = "a" * 64
    target = store.manifest_file(sha256)
    target.parent.mkdir(parents=True)
    target.write_bytes(manifest.content)
    good = dag_spec("acme", revision=2, dbt=dbt_spec(manifest, sha256))
    store.publish("acme.daily", 3, good)
    assert revisions(parse(store)) == {"acme.daily": 2}
    broken = store.manifest_file("b" * 64)
    broken.write_bytes(damage)
    store.publish("acme.daily", 4, dag_spec("acme", revision=3, dbt=dbt_spec(manifest, "b" * 64)))
    assert revisions(parse(store)) == {"acme.daily": 2}


def test_a_mended_spec_takes_over_and_the_reason_goes(store: Store) -> None:
    store.publish("acme.daily", 3, dag_spec("acme", revision=2, **POISONED_SPECS["cycle"]))
    parse(store)
    store.publish("acme.daily", 4, dag_spec("acme", revision=3))
    assert revisions(parse(store)) == {"acme.daily": 3}
    store.publish("acme.daily", 5, dag_spec("acme", revision=4, **POISONED_SPECS["cycle"]))
    assert revisions(parse(store)) == {"acme.daily": 3}
    store.spec_file("acme.daily", 5).write_text(dag_spec("acme", revision=4).model_dump_json())
    assert revisions(parse(store)) == {"acme.daily": 4}
    assert not store.error_file("acme.daily", 5).exists()


def test_after_many_bad_revisions_the_last_good_one_is_still_found(store: Store) -> None:
    parse(store)
    for seq in range(3, 9):
        bad = dag_spec("acme", revision=seq, **POISONED_SPECS["cycle"])
        store.publish("acme.daily", seq, bad)
    assert revisions(parse(store)) == {"acme.daily": 1}


def test_a_workflow_without_any_good_spec_is_an_import_error_of_its_file_alone(
    store: Store,
) -> None:
    store.publish("new.daily", 3, dag_spec("new", **POISONED_SPECS["cycle"]))
    assert len(parse(store, "new.daily").import_errors) == 1
    assert revisions(parse(store, "acme.daily")) == {"acme.daily": 1}


def test_the_time_limit_gives_an_outer_timer_back() -> None:
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(OutOfTime), time_limit(0.1):
            time.sleep(5)
        assert rang == []
        time.sleep(0.5)
        assert rang == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- versions ----------------------------------------------------------------------------------


def parse_version(store: Store, seq: int, dag_id: str = "acme.daily") -> DagBag:
    """As a worker does it."""
    file = store.open_version(seq) / f"{'.'.join(dag_id.split('.')[:2])}.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        return DagBag(dag_folder=str(file))


def test_a_run_keeps_the_revision_that_it_began_with(store: Store) -> None:
    store.publish("acme.daily", 5, dag_spec("acme", revision=2))
    assert revisions(parse_version(store, 3)) == {"acme.daily": 1}
    assert revisions(parse_version(store, 5)) == {"acme.daily": 2}
    assert revisions(parse_version(store, 99)) == {"acme.daily": 2}


def test_a_run_outlives_the_deletion_of_its_workflow(store: Store) -> None:
    store.withdraw("acme.daily")
    assert not store.entry_file("acme.daily").exists()
    assert revisions(parse_version(store, 2)) == {"acme.daily": 1}


def test_a_worker_builds_what_the_dag_processor_registered(store: Store) -> None:
    store.publish("acme.daily", 3, dag_spec("acme", revision=2, **POISONED_SPECS["cycle"]))
    parse(store)
    assert revisions(parse_version(store, 3)) == {"acme.daily": 1}


def test_on_a_worker_only_the_dag_about_to_run_is_built(store: Store) -> None:
    part = daily(slug="part", select=("load_orders",))
    store.publish("acme.daily", 3, dag_spec("acme", schedules=(daily(), part)))
    assert list(parse_version(store, 3, "acme.daily.part").dags) == ["acme.daily.part"]
    assert sorted(parse(store).dags) == ["acme.daily", "acme.daily.part"]


def test_airflows_cleanup_can_remove_a_version_without_touching_the_specs(store: Store) -> None:
    folder = store.open_version(1).parent
    shutil.rmtree(folder)
    assert revisions(parse(store)) == {"acme.daily": 1}
    assert revisions(parse_version(store, 1)) == {"acme.daily": 1}


# --- what a parse may do -------------------------------------------------------------------------

_AUDITED = """
import sys
file = sys.argv[1]
from airflow.dag_processing.dagbag import DagBag
import etlfabric_airflow.dbt_group
FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system",
             "os.posix_spawn", "os.exec", "os.fork", "os.forkpty")
seen = []
sys.addaudithook(lambda event, args: seen.append((event, str(args)[:200]))
                 if event in FORBIDDEN else None)
bag = DagBag(dag_folder=file)
assert not bag.import_errors, bag.import_errors
assert len(bag.dags["acme.daily"].tasks) == 10
print("SEEN", seen)
"""


def test_a_parse_opens_no_connection_and_runs_no_process(store: Store, manifest: Manifest) -> None:
    sha256 = "a" * 64
    target = store.manifest_file(sha256)
    target.parent.mkdir(parents=True)
    target.write_bytes(manifest.content)
    store.publish("acme.daily", 3, dag_spec("acme", dbt=dbt_spec(manifest, sha256)))
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED, str(store.entry_file("acme.daily"))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("SEEN")] == ["SEEN []"]
