"""What the operators do when they run: context, errors, reports, leases, scratch space."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, DownstreamTasksSkipped
from etlfabric_airflow import lease, progress, tasks, workspace
from etlfabric_airflow.dags import build_dags
from etlfabric_airflow.service import Service
from etlfabric_airflow.tasks import BeginTask, NodeTask
from metadata_stand_in import TOKEN, MetadataStandIn
from sample_project import Manifest, dag_spec, daily, dbt_spec

from etlfabric_core import clock
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, LoadResult
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.specs.context import RunContext, RunRef, TaskReport
from etlfabric_core.transform.plan import DbtNodeResult, TransformResult
from etlfabric_core.transform.runner import TransformFailed

SECRET = "planted-password-4711"
RUN = RunRef(
    dag_id="acme.daily",
    run_id="manual__2024-01-01T00:00:00+00:00",
    run_type="manual",
    node="load_orders",
    revision=7,
    try_number=1,
)


def context(run_type: str = "manual", conf: dict[str, Any] | None = None, **run: Any) -> Any:
    """The part of Airflow's context that tasks look at."""
    fields = {
        "run_type": run_type,
        "conf": conf,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": clock.now(),
    }
    instance = SimpleNamespace(dag_id=RUN.dag_id, run_id=RUN.run_id, try_number=1)
    return {"ti": instance, "dag_run": SimpleNamespace(**{**fields, **run})}


# --- begin -------------------------------------------------------------------------------------


@pytest.fixture
def begin(manifest: Manifest, tmp_path: Path) -> BeginTask:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest.content)
    [dag] = build_dags(dag_spec(dbt=dbt_spec(manifest, "m" * 64)), lambda _: path)
    task: BeginTask = dag.get_task("begin")
    return task


@pytest.mark.feature("F6", "G3")
def test_a_partial_run_skips_everything_else_in_one_step(begin: BeginTask) -> None:
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        begin.execute(context(conf={"select": ["load_orders", "stg_orders"]}))
    assert skipped.value.tasks == [
        "load_customers",
        "transform.calendar_model_build",
        "transform.history_snapshot_build",
        "transform.sales_model_build",
        "transform.stg_customers_model_build",
    ]


def test_a_whole_run_skips_nothing(begin: BeginTask) -> None:
    begin.execute(context())
    begin.execute(context(conf={}))


@pytest.mark.parametrize("select", [["load_orders", "nope"], "load_orders", {"load_orders": 1}])
def test_a_selection_that_makes_no_sense_fails_at_once(begin: BeginTask, select: Any) -> None:
    with pytest.raises(AirflowFailException):
        begin.execute(context(conf={"select": select}))


@pytest.mark.feature("H4")
def test_a_missed_slot_is_skipped_where_the_schedule_says_so() -> None:
    [dag] = build_dags(dag_spec(schedules=(daily("skip"),)), Path)
    task = dag.get_task("begin")
    late = clock.now() - timedelta(hours=1)
    everything = ["load_customers", "load_orders"]
    assert task.left_out(context("scheduled", run_after=late)) == everything
    assert task.left_out(context("scheduled")) == []
    assert task.left_out(context("manual", run_after=late)) == []


# --- a task that works ---------------------------------------------------------------------------


def plan() -> LoadPlan:
    side = Endpoint(connector="postgres", config={}, secrets={"password": SECRET})
    config = PipelineConfig.model_validate(
        {"resources": [{"name": "orders", "source": "orders", "write_disposition": "replace"}]}
    )
    return LoadPlan(pipeline="p", source=side, destination=side, dataset="acme_raw", config=config)


class Work(NodeTask):
    """A node task whose work is a function of the test's."""

    def __init__(self, work: Callable[[Path], TaskReport | None], **options: Any) -> None:
        super().__init__(task_id="load_orders", node="load_orders", revision=7, **options)
        self.work = work

    def run_plan(self, service: Service, run: RunRef, plan: Any, work_dir: Path) -> TaskReport:
        report = self.work(work_dir)
        result = LoadResult(load_ids=("1",), tables=(), seconds=0.1)
        return report or TaskReport(run=run, outcome="success", load=result)


@pytest.fixture
def running(service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch) -> MetadataStandIn:
    """The stand-in answers a run context; nothing is killed when the test's parent ends."""
    answer = RunContext(plan=plan()).model_dump_json().encode()
    service.answers["run-context"] = lambda *_: (200, answer)
    monkeypatch.setattr(tasks, "REPORT_PAUSES", (0.05, 0.05))
    monkeypatch.setattr(tasks, "die_with_parent", lambda: None)
    return service


def test_it_asks_for_its_context_by_revision_and_reports(running: MetadataStandIn) -> None:
    Work(work=lambda _: None).execute(context())
    [asked] = running.bodies("run-context")
    assert asked["run"] == json.loads(RUN.model_dump_json())
    [report] = running.bodies("reports")
    assert (report["outcome"], report["load"]["load_ids"]) == ("success", ["1"])


def fails_with(error: BaseException) -> Callable[[Path], None]:
    def work(_: Path) -> None:
        raise error

    return work


def test_a_terminal_error_fails_at_once_with_message_and_hint(running: MetadataStandIn) -> None:
    task = Work(work=fails_with(TerminalError("no table orders", hint="Create it.")))
    with pytest.raises(AirflowFailException, match=r"no table orders\nCreate it\."):
        task.execute(context())
    [report] = running.bodies("reports")
    assert report["error"]["message"] == "no table orders"


def test_a_failed_dbt_invocation_reports_how_each_node_ended(running: MetadataStandIn) -> None:
    failed = DbtNodeResult(unique_id="test.shop.x", status="fail", failures=3, seconds=0.1)
    result = TransformResult(nodes=(failed,), seconds=0.2)
    with pytest.raises(AirflowFailException, match="x found 3 rows"):
        Work(
            work=fails_with(TransformFailed("x found 3 rows", result=result, problems=()))
        ).execute(context())
    [report] = running.bodies("reports")
    assert report["transform"]["nodes"][0]["failures"] == 3


@pytest.mark.feature("I6")
@pytest.mark.parametrize("error", [TransientError("away"), OSError("disk"), KeyError("bug")])
def test_other_errors_are_retried(running: MetadataStandIn, error: Exception) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        Work(work=fails_with(error)).execute(context())
    assert not isinstance(raised.value, AirflowFailException)
    assert running.bodies("reports")[0]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((404, b'{"message": "no such run"}'), AirflowFailException),
        ((401, b""), AirflowFailException),
        ((503, b""), AirflowException),
        ((500, b"oops"), AirflowException),
    ],
)
def test_an_answer_of_the_service_is_terminal_or_retried(
    running: MetadataStandIn, answer: tuple[int, bytes], kind: type[Exception]
) -> None:
    running.answers["run-context"] = lambda *_: answer
    with pytest.raises(AirflowException) as raised:
        Work(work=lambda _: None).execute(context())
    assert isinstance(raised.value, AirflowFailException) is (kind is AirflowFailException)


def test_a_service_that_is_away_is_retried(
    running: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETLFABRIC_API_URL", "http://127.0.0.1:9")
    with pytest.raises(AirflowException) as raised:
        Work(work=lambda _: None).execute(context())
    assert not isinstance(raised.value, AirflowFailException)


def test_a_report_that_does_not_arrive_does_not_load_twice(running: MetadataStandIn) -> None:
    running.answers["reports"] = lambda *_: (503, b"")
    Work(work=lambda _: None).execute(context())
    assert len(running.bodies("reports")) == 3


def test_secrets_are_masked_before_anything_can_log_them(running: MetadataStandIn) -> None:
    from airflow.sdk.log import redact

    logged: list[str] = []
    Work(work=lambda _: logged.append(str(redact(f"password is {SECRET}")))).execute(context())
    assert logged == ["password is ***"]


def test_an_unexpected_error_is_reported_without_secrets(running: MetadataStandIn) -> None:
    with pytest.raises(ValueError, match="postgres"):
        Work(work=fails_with(ValueError(f"postgres://u:{SECRET}@h/d"))).execute(context())
    assert SECRET not in json.dumps(running.bodies("reports"))


# --- scratch space -------------------------------------------------------------------------------


def test_the_work_dir_is_private_and_gone_afterwards(running: MetadataStandIn) -> None:
    seen: list[tuple[Path, int]] = []
    Work(work=lambda path: seen.append((path, path.stat().st_mode & 0o777))).execute(context())
    [(path, mode)] = seen
    assert mode == 0o700
    assert path.relative_to(workspace.root()).parts[0] == "acme.daily"
    assert not path.exists()
    assert list(workspace.root().iterdir()) == []


def test_what_an_older_try_left_is_removed(service: MetadataStandIn) -> None:
    with workspace.work_dir(RUN, "t") as path:
        (path / "left").write_text("over")
        (path.parent / "0").mkdir()
        with workspace.work_dir(RUN.model_copy(update={"try_number": 2}), "t") as second:
            assert [child.name for child in second.parent.iterdir()] == ["2"]


@pytest.mark.parametrize("run_id", ["..", ".", "a/../../b", "../../etc", "manual__2024:+~"])
def test_a_run_id_cannot_climb_out(service: MetadataStandIn, run_id: str) -> None:
    with workspace.work_dir(RUN.model_copy(update={"run_id": run_id}), "t") as path:
        assert path.resolve().relative_to(workspace.root().resolve()).parts[0] == "acme.daily"
        assert len(path.relative_to(workspace.root()).parts) == 4


def test_files_are_cached_by_content_and_verified(service: MetadataStandIn) -> None:
    sha256 = service.store(b"a,b\n1,2\n")
    client = Service.from_environment()
    for _ in range(2):
        path = workspace.cached(client, f"/blobs/{sha256}", sha256, "acme.daily")
        assert path.read_bytes() == b"a,b\n1,2\n"
    assert service.bodies("blobs") == [{"dag_id": "acme.daily"}]
    service.blobs["f" * 64] = b"other"
    with pytest.raises(TransientError, match="other bytes"):
        workspace.cached(client, f"/blobs/{'f' * 64}", "f" * 64, "acme.daily")
    assert [path.name for path in (workspace.root() / "cache").iterdir()] == [sha256]


# --- lease ---------------------------------------------------------------------------------------


class Leases:
    """Grants one holder at a time, like the service: 409 for everybody else."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.holder: str | None = None
        self.epoch = 0

    def __call__(self, route: str, body: dict[str, Any]) -> tuple[int, bytes]:
        action = route.split("/")[1]
        if self.holder not in (None, body["holder"]):
            return 409, b'{"message": "held"}'
        if action == "release":
            self.holder = None
        elif action == "acquire":
            self.holder, self.epoch = body["holder"], self.epoch + 1
        elif body["epoch"] != self.epoch:
            return 409, b'{"message": "fenced"}'
        expires = datetime.fromtimestamp(time.time() + self.seconds, UTC)
        return 200, json.dumps({"epoch": self.epoch, "expires_at": expires.isoformat()}).encode()


def check_for(held: lease.KeptLease, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        held.check()
        time.sleep(0.05)


def test_a_lease_is_renewed_while_it_is_held_and_given_back(service: MetadataStandIn) -> None:
    leases = service.answers["leases"] = Leases(seconds=3)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        check_for(held, seconds=4)
        assert held.epoch == 1
    assert leases.holder is None
    assert len(service.bodies("leases/renew")) >= 2


def test_a_fenced_writer_learns_it(service: MetadataStandIn) -> None:
    leases = service.answers["leases"] = Leases(seconds=3)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        leases.holder = "somebody else"
        with pytest.raises(TransientError, match="lost"):
            check_for(held, seconds=5)


def test_a_lease_ends_when_the_service_is_gone_for_too_long(service: MetadataStandIn) -> None:
    service.answers["leases"] = Leases(seconds=2)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        service.answers["leases"] = lambda *_: (503, b"")
        held.check()
        with pytest.raises(TransientError, match="lost"):
            check_for(held, seconds=5)


def test_a_second_writer_waits_for_the_first(
    service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    leases = service.answers["leases"] = Leases(seconds=30)
    client = Service.from_environment()
    with lease.KeptLease(client, RUN):
        threading.Timer(0.3, lambda: setattr(leases, "holder", None)).start()
        with lease.KeptLease(client, RUN) as second:
            assert second.epoch == 2


def test_a_second_writer_gives_up_for_a_retry(
    service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.2)
    service.answers["leases"] = Leases(seconds=30)
    client = Service.from_environment()
    with lease.KeptLease(client, RUN), pytest.raises(TransientError, match="another run"):
        lease.KeptLease(client, RUN).__enter__()


# --- progress and processes ----------------------------------------------------------------------


@pytest.mark.feature("D11")
def test_progress_is_sent_at_most_once_a_second_and_the_last_one_always(
    service: MetadataStandIn,
) -> None:
    began = time.monotonic()
    with progress.ProgressSender(Service.from_environment(), RUN) as send:
        while time.monotonic() - began < 1.5:
            send("extract", {"orders": int((time.monotonic() - began) * 1000)})
            time.sleep(0.01)
        send("load", {"orders": 99})
    sent = service.bodies("progress")
    assert 2 <= len(sent) <= 3
    assert (sent[-1]["stage"], sent[-1]["rows"]) == ("load", {"orders": 99})


def test_progress_never_holds_a_load_up(service: MetadataStandIn) -> None:
    service.answers["progress"] = lambda *_: (503, b"")
    with progress.ProgressSender(Service.from_environment(), RUN) as send:
        send("extract", {"orders": 1})


_PARENT = """
import os, sys, time
from etlfabric_airflow.processes import die_with_parent
child = os.fork()
if child == 0:
    die_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


def test_a_task_dies_with_its_supervisor() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and _state(child) != "Z":
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_the_token_is_not_logged(
    service: MetadataStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Service.from_environment().get("/publications", after=0, limit=1)
    assert TOKEN not in caplog.text
    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
