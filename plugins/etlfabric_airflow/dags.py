"""From a DagSpec to Airflow DAGs. Pure: the same spec gives the same DAGs, byte for byte."""

import importlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.task.trigger_rule import TriggerRule

from etlfabric_airflow.flow import BeginTask, EndTask
from etlfabric_airflow.roles import access_control
from etlfabric_airflow.tasks import LoadTask
from etlfabric_airflow.timetable import FabricTimetable
from etlfabric_core.slugs import dag_id as make_dag_id
from etlfabric_core.specs.document import DagSpec, NodeSpec, ScheduleSpec

BEGIN = "begin"
END = "end"
_ANY_FAILED = TriggerRule.ONE_FAILED
# Not the schedule's start: Airflow starts no task of a run that lies before its DAG's start date,
# and backfills may reach back further. The timetable knows the schedule's start.
DAG_START = datetime(1970, 1, 2, tzinfo=UTC)
RETRY_DELAY = timedelta(seconds=10)
MAX_RETRY_DELAY = timedelta(minutes=5)

# Kinds that are a task of their own; those of dbt are rendered by dbt_group.
OPERATORS: dict[str, type[LoadTask]] = {"pipeline": LoadTask}

Members = dict[str, list[BaseOperator]]
ManifestFile = Callable[[str], Path]


def prepare(spec: DagSpec) -> None:
    """Import what building this spec needs, outside of any time limit."""
    if spec.dbt:
        importlib.import_module("etlfabric_airflow.dbt_group")


def build_dags(spec: DagSpec, manifest_file: ManifestFile, wanted: str | None = None) -> list[DAG]:
    """The workflow's DAG and one for each schedule on a part of it; only `wanted` when given."""
    whole = next((schedule for schedule in spec.schedules if not schedule.slug), None)
    plans = [(spec.dag_id, whole)] + [
        (make_dag_id(spec.org, spec.workflow, schedule.slug), schedule)
        for schedule in spec.schedules
        if schedule.slug
    ]
    return [
        _build(spec, dag_id, schedule, manifest_file)
        for dag_id, schedule in plans
        if wanted in (None, dag_id)
    ]


def _build(
    spec: DagSpec, dag_id: str, schedule: ScheduleSpec | None, manifest_file: ManifestFile
) -> DAG:
    with DAG(
        dag_id=dag_id,
        schedule=_timetable(schedule),
        start_date=DAG_START,
        catchup=schedule is not None and schedule.missed_runs == "queue",
        max_active_runs=1,
        is_paused_upon_creation=False,
        auto_register=False,  # else Airflow takes it although the guard refuses it
        tags={spec.org},
        default_args={"owner": spec.org, "pool": spec.pool, "do_xcom_push": False},
    ) as dag:
        begin = BeginTask(
            task_id=BEGIN,
            revision=spec.revision,
            select=schedule.select if schedule else (),
            skip_late=schedule is not None and schedule.missed_runs == "skip",
            retries=3,
            retry_delay=RETRY_DELAY,
        )
        members = _node_tasks(spec)
        if spec.dbt:
            from etlfabric_airflow import dbt_group

            dbt_group.add(spec, manifest_file(spec.dbt.manifest_sha256), members)
        _connect(spec.nodes, members)
        _bracket(begin, EndTask(task_id=END, revision=spec.revision, trigger_rule=_ANY_FAILED))
    _open_to_operators(dag, spec.org)
    begin.members = {
        slug: tuple(sorted(task.task_id for task in tasks)) for slug, tasks in members.items()
    }
    return dag


def _open_to_operators(dag: DAG, org: str) -> None:
    """Airflow's own way for this is deprecated and has no successor yet: only here."""
    dag.access_control = access_control(org)


def _timetable(schedule: ScheduleSpec | None) -> FabricTimetable | None:
    if schedule is None:
        return None
    return FabricTimetable(schedule.cron, schedule.timezone, schedule.start)


def task_arguments(spec: DagSpec, node: NodeSpec) -> dict[str, Any]:
    """What every task of a node is made with."""
    return {
        "node": node.slug,
        "revision": spec.revision,
        "retries": node.retries,
        "retry_delay": RETRY_DELAY,
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": MAX_RETRY_DELAY,
        "execution_timeout": timedelta(seconds=node.timeout_s),
        # Runs of a backfill go side by side; two of them must not write the same table.
        "max_active_tis_per_dag": 1,
        # What a partial run leaves out does not hold up what it runs.
        "trigger_rule": TriggerRule.NONE_FAILED,
    }


def _node_tasks(spec: DagSpec) -> Members:
    members: Members = defaultdict(list)
    for node in spec.nodes:
        if node.kind in OPERATORS:
            operator = OPERATORS[node.kind]
            members[node.slug].append(operator(task_id=node.slug, **task_arguments(spec, node)))
        elif not node.kind.startswith("dbt_"):
            raise ValueError(f"node {node.slug} is of a kind that has no operator: {node.kind}")
    return members


def _connect(nodes: Iterable[NodeSpec], members: Members) -> None:
    """The edges that users drew. A node's first task is the one that makes its table."""
    for node in nodes:
        for upstream in node.upstream:
            before, after = members[upstream][0], members[node.slug][0]
            if before.task_id not in after.upstream_task_ids:
                before.set_downstream(after)


def _bracket(begin: BaseOperator, end: BaseOperator) -> None:
    """Whatever waits for nothing waits for `begin`; `end` watches every task, not only the last."""
    for task in begin.dag.tasks:
        if task not in (begin, end):
            if not task.upstream_task_ids:
                begin.set_downstream(task)
            task.set_downstream(end)
    if not end.upstream_task_ids:  # an empty workflow
        begin.set_downstream(end)
