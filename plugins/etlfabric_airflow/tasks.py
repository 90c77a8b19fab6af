"""The operators. They carry ids and numbers; everything else is asked for when they run."""

import logging
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
)
from airflow.sdk.log import mask_secret, redact
from airflow.sdk.timezone import parse as parse_date

from etlfabric_airflow import workspace
from etlfabric_airflow.lease import KeptLease
from etlfabric_airflow.processes import die_with_parent
from etlfabric_airflow.progress import ProgressSender
from etlfabric_airflow.service import Service
from etlfabric_core import clock
from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.plan import LoadPlan
from etlfabric_core.specs.context import (
    ChangeReport,
    ContextRequest,
    RunContext,
    RunRef,
    TaskReport,
)
from etlfabric_core.transform.plan import TransformPlan, TransformResult

REPORT_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries to deliver a report
LATE_SECONDS = 600.0  # a scheduled run that begins later than this missed its slot

log = logging.getLogger(__name__)


class Cancelled(BaseException):
    """The supervisor asks the task to end. Unwinds through every `finally`, past `except`."""


class FabricOperator(BaseOperator):
    """Base: no templates, and the workflow's revision as part of the serialized DAG.

    With the revision in it, an edit is a new DAG version even where the graph looks the same.
    """

    template_fields: Sequence[str] = ()
    _own_fields: ClassVar[frozenset[str]] = frozenset({"revision", "node"})

    def __init__(self, *, node: str, revision: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.node = node
        self.revision = revision

    @classmethod
    def get_serialized_fields(cls) -> frozenset[str]:
        return frozenset(BaseOperator.get_serialized_fields() | cls._own_fields)


class BeginTask(FabricOperator):
    """The first task: skips in one step whatever a partial run leaves out.

    In a backfill with `conf` {"on_failure": "stop", "from": date} it fails when a window since
    that date has failed: none is begun behind a gap. With {"replay": …} the selected nodes load
    their rejected rows.

    `members` maps a node's slug to its task ids, `select` is what a partial schedule runs, and
    `skip_late` says that a missed slot is not made up for.
    """

    def __init__(
        self, *, select: Sequence[str] = (), skip_late: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(node="begin", **kwargs)
        self.select = tuple(select)
        self.skip_late = skip_late
        self.members: dict[str, tuple[str, ...]] = {}

    def execute(self, context: Context) -> None:
        """Raises:
        AirflowFailException: `conf` makes no sense, or the backfill is to stop.
        DownstreamTasksSkipped: Airflow's way of saying which tasks to skip.
        """
        refuse_behind_a_failure(context)
        self.refuse_other_replays(context)
        left_out = self.left_out(context)
        if left_out:
            raise DownstreamTasksSkipped(tasks=left_out)

    def left_out(self, context: Context) -> list[str]:
        """Task ids that this run does not run, sorted."""
        run = context["dag_run"]
        everything = {task for tasks in self.members.values() for task in tasks}
        if self._is_late(run):
            log.info("the slot was missed and the schedule says to skip it")
            return sorted(everything)
        select = (run.conf or {}).get("select") or self.select
        if not select:
            return []
        if not isinstance(select, list | tuple) or set(select) - set(self.members):
            raise AirflowFailException(f"conf.select names nodes this workflow has not: {select}")
        chosen = {task for slug in select for task in self.members[slug]}
        return sorted(everything - chosen)

    def refuse_other_replays(self, context: Context) -> None:
        """`conf` {"replay": {node: tables}} makes a node load rejected rows; only with a
        `select` of just these nodes, so that no other one takes it for an ordinary run.

        Raises:
            AirflowFailException: it is not like that.
        """
        run = context["dag_run"]
        conf = run.conf or {}
        if "replay" not in conf:
            return
        if run.run_type == "backfill":
            raise AirflowFailException('conf: "replay" is for manual runs: it has no window')
        replay, select = conf["replay"], conf.get("select")
        well_formed = isinstance(replay, dict) and all(map(_are_tables, replay.values()))
        if not well_formed or not replay or sorted(replay) != sorted(select or ()):
            raise AirflowFailException(
                'conf: "replay" needs the nodes of "select", each with a list of its tables'
            )

    def _is_late(self, run: Any) -> bool:
        if not self.skip_late or run.run_type != "scheduled" or run.run_after is None:
            return False
        return (clock.now() - run.run_after).total_seconds() > LATE_SECONDS


def _are_tables(names: Any) -> bool:
    return isinstance(names, list) and bool(names) and all(isinstance(one, str) for one in names)


def refuse_behind_a_failure(context: Context) -> None:
    """In a backfill that is to stop, no window begins behind one of its period that has failed.

    Raises:
        AirflowFailException: one has, or `conf` does not say since when.
    """
    run = context["dag_run"]
    conf = run.conf or {}
    if run.run_type != "backfill" or conf.get("on_failure") != "stop":
        return
    try:
        since = parse_date(str(conf.get("from")))
    except ValueError as error:
        raise AirflowFailException('conf: "on_failure": "stop" needs "from", a date') from error
    earlier = context["ti"].get_previous_dagrun(state="failed")
    if earlier is not None and earlier.logical_date >= since:
        raise AirflowFailException(
            f"the window of {earlier.logical_date.isoformat()} failed, so this one is not begun:"
            " mend the cause, then resume the backfill"
        )


class EndTask(FabricOperator):
    """The last task: runs only when some task failed, and fails as well.

    Airflow judges a run by its last tasks alone: without this one a partial run whose last tasks
    are left out would be green whatever happened before them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(node="end", **kwargs)

    def execute(self, context: Context) -> None:
        """Raises:
        AirflowFailException: always.
        """
        raise AirflowFailException("a task of this run failed")


class NodeTask(FabricOperator):
    """Base of the tasks that do work: ask for the context, run, report, clean up."""

    def execute(self, context: Context) -> None:
        """Raises:
        AirflowFailException: a retry would fail in the same way.
        AirflowException: a retry may succeed.
        """
        die_with_parent()
        run = self._run_ref(context)
        service = Service.from_environment()
        try:
            report = self._attempt(service, run)
        except BaseException as error:
            _deliver(service, _failure(run, error), error)
            known = _for_airflow(error)
            if known is None:
                raise
            raise known from error
        _deliver(service, report)

    def on_kill(self) -> None:
        raise Cancelled("the task was asked to end")

    @abstractmethod
    def run_plan(
        self, service: Service, run: RunRef, plan: LoadPlan | TransformPlan, work_dir: Path
    ) -> TaskReport:
        """What this kind of task does with its plan."""

    @property
    def selection(self) -> tuple[str, ...]:
        """dbt nodes; empty for every other kind."""
        return ()

    def _attempt(self, service: Service, run: RunRef) -> TaskReport:
        answer = service.run_context(ContextRequest(run=run, select=self.selection))
        for secret in _secrets(answer):
            mask_secret(secret)
        with workspace.work_dir(run, self.task_id) as work_dir:
            return self.run_plan(service, run, answer.plan, work_dir)

    def _run_ref(self, context: Context) -> RunRef:
        instance, dag_run = context["ti"], context["dag_run"]
        return RunRef(
            dag_id=instance.dag_id,
            run_id=instance.run_id,
            run_type=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            node=self.node,
            revision=self.revision,
            try_number=instance.try_number,
            data_interval_start=dag_run.data_interval_start,
            data_interval_end=dag_run.data_interval_end,
            replay=(dag_run.conf or {}).get("replay", {}).get(self.node, ()),
        )


class LoadTask(NodeTask):
    """One pipeline, run by dlt as the one writer of its tables."""

    def run_plan(
        self, service: Service, run: RunRef, plan: LoadPlan | TransformPlan, work_dir: Path
    ) -> TaskReport:
        """Download the files, hold the lease, load."""
        from etlfabric_core.extract_load.runner import run_load

        if not isinstance(plan, LoadPlan):
            raise TerminalError(f"the service sent a {plan.plan} plan for pipeline {self.node}")
        files = {
            file.name: workspace.cached(service, file.url, file.sha256, run.dag_id)
            for file in plan.source.files
        }
        with KeptLease(service, run) as lease, ProgressSender(service, run) as progress:
            result = run_load(
                plan,
                work_dir=work_dir,
                files=files,
                lease=lease,
                progress=progress,
                announce=lambda found: service.found_changes(ChangeReport(run=run, found=found)),
            )
        return TaskReport(run=run, outcome="success", load=result)


class DbtTask(NodeTask):
    """dbt on one model with its own tests, or on one test of several models."""

    _own_fields: ClassVar[frozenset[str]] = frozenset({"revision", "node", "unique_ids"})

    def __init__(self, *, unique_ids: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unique_ids = list(unique_ids)

    @property
    def selection(self) -> tuple[str, ...]:
        return tuple(self.unique_ids)

    def run_plan(
        self, service: Service, run: RunRef, plan: LoadPlan | TransformPlan, work_dir: Path
    ) -> TaskReport:
        """Run dbt in the sandbox; a warning leaves the task green."""
        from etlfabric_core.transform.runner import run_dbt

        if not isinstance(plan, TransformPlan):
            raise TerminalError(f"the service sent a {plan.plan} plan for model {self.node}")
        project = workspace.cached(service, plan.project_url, plan.project_sha256, run.dag_id)
        result = run_dbt(plan, project_zip=project, work_dir=work_dir)
        return TaskReport(run=run, outcome="success", transform=result)


def _secrets(answer: RunContext) -> Iterator[str]:
    if isinstance(answer.plan, LoadPlan):
        yield from answer.plan.source.secrets.values()
        yield from answer.plan.destination.secrets.values()
        if answer.plan.mask_key:
            yield answer.plan.mask_key
    else:
        yield answer.plan.login.password


def _failure(run: RunRef, error: BaseException) -> TaskReport:
    """A failed dbt invocation brings along how each of its nodes ended."""
    result = getattr(error, "result", None)
    transform = result if isinstance(result, TransformResult) else None
    return TaskReport(run=run, outcome="failed", transform=transform, error=_body(error))


def _body(error: BaseException) -> dict[str, Any]:
    """What the organization reads. The text of an unexpected error is masked and cut."""
    if isinstance(error, FabricError):
        return error.body()
    if isinstance(error, Cancelled):
        return {"error": "cancelled", "message": "the task was cancelled", "hint": None}
    if isinstance(error, AirflowTaskTimeout):
        hint = "Give the node a longer timeout, or load less at a time."
        return {"error": "timeout", "message": "the task ran into its time limit", "hint": hint}
    text = str(redact(f"{type(error).__name__}: {error}"))[:2000]
    return {"error": "internal_error", "message": text, "hint": "Ask the operators."}


def _for_airflow(error: BaseException) -> AirflowException | None:
    """Which errors are worth a retry is ours to say; None is left to Airflow as it is."""
    if isinstance(error, TransientError):
        return AirflowException(_with_hint(error))
    if isinstance(error, FabricError):
        return AirflowFailException(_with_hint(error))
    return AirflowException("cancelled") if isinstance(error, Cancelled) else None


def _with_hint(error: FabricError) -> str:
    lines = [error.message, *(problem.message for problem in error.problems)]
    return "\n".join([*lines, error.hint] if error.hint else lines)


def _deliver(service: Service, report: TaskReport, error: BaseException | None = None) -> None:
    """The data has arrived or it has not: a report that is lost does not change that, and a
    retry because of it would load twice. A task that is being killed has no time to insist.
    """
    pauses = () if isinstance(error, Cancelled) else REPORT_PAUSES
    for pause in (*pauses, None):
        try:
            service.report(report)
        except TransientError as away:
            if pause is None:
                log.error("the report was not delivered: %s", away.message)
                return
            time.sleep(pause)
        except FabricError as refused:
            log.error("the report was refused: %s", refused.message)
            return
        else:
            return
