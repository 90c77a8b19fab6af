"""What the tasks that work do: context, errors, reports, secrets, a private folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from etlfabric_airflow import outcomes, tasks, workspace
from etlfabric_airflow.service import Service
from etlfabric_airflow.tasks import NodeTask
from metadata_stand_in import MetadataStandIn
from task_run import RUN, context

from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, LoadResult
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.specs.context import RunContext, RunRef, TaskReport
from etlfabric_core.transform.plan import DbtNodeResult, TransformResult
from etlfabric_core.transform.runner import TransformFailed

SECRET = "planted-password-4711"


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
    monkeypatch.setattr(outcomes, "REPORT_PAUSES", (0.05, 0.05))
    monkeypatch.setattr(tasks, "die_with_parent", lambda: None)
    return service


def test_it_asks_for_its_context_by_revision_and_reports(running: MetadataStandIn) -> None:
    Work(work=lambda _: None).execute(context())
    [asked] = running.bodies("run-context")
    assert asked["run"] == json.loads(RUN.model_dump_json())
    [report] = running.bodies("reports")
    assert (report["outcome"], report["load"]["load_ids"]) == ("success", ["1"])


@pytest.mark.feature("X6")
def test_a_replay_names_the_tables_of_its_node(running: MetadataStandIn) -> None:
    replay = {"load_orders": ["orders", "lines"], "load_customers": ["customers"]}
    Work(work=lambda _: None).execute(context(conf={"replay": replay}))
    [asked] = running.bodies("run-context")
    assert asked["run"]["replay"] == ["orders", "lines"]


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


def test_the_work_dir_is_private_and_gone_afterwards(running: MetadataStandIn) -> None:
    seen: list[tuple[Path, int]] = []
    Work(work=lambda path: seen.append((path, path.stat().st_mode & 0o777))).execute(context())
    [(path, mode)] = seen
    assert mode == 0o700
    assert path.relative_to(workspace.root()).parts[0] == "acme.daily"
    assert not path.exists()
    assert list(workspace.root().iterdir()) == []
