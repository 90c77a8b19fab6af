"""The tasks that do work. They carry ids; everything else is asked for when they run."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk.definitions.context import Context
from airflow.sdk.log import mask_secret

from etlfabric_airflow import workspace
from etlfabric_airflow.fabric_operator import FabricOperator
from etlfabric_airflow.lease import KeptLease
from etlfabric_airflow.outcomes import Cancelled, deliver, failure, for_airflow
from etlfabric_airflow.processes import die_with_parent
from etlfabric_airflow.progress import ProgressSender
from etlfabric_airflow.service import Service
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import LoadPlan
from etlfabric_core.specs.context import (
    ChangeReport,
    ContextRequest,
    RunContext,
    RunRef,
    TaskReport,
)
from etlfabric_core.transform.plan import TransformPlan


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
            deliver(service, failure(run, error), error)
            known = for_airflow(error)
            if known is None:
                raise
            raise known from error
        deliver(service, report)

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
