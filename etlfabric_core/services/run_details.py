"""One run looked into: its tasks, the nodes they belong to, and why it failed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import OpenSession, org_select
from etlfabric_core.models import TaskResult
from etlfabric_core.orchestrator.port import DagRun, Orchestrator, TaskInstance
from etlfabric_core.services import dag_ids
from etlfabric_core.services.runs import CANCELLED, RunKey, own
from etlfabric_core.specs.document import DagSpec

# What Cosmos calls the task of a model or snapshot inside the group.
DBT_TASK = re.compile(r"transform\.(?P<node>.+?)_(?:(?:model|snapshot)_)?(?:build|run|snapshot)")


@dataclass(frozen=True)
class Task:
    """A task instance, and which node it belongs to where that can be told."""

    instance: TaskInstance
    node: str | None
    unique_id: str | None


@dataclass(frozen=True)
class RunDetail:
    """A run with its tasks and what they reported."""

    run: DagRun
    tasks: Sequence[Task]
    results: Sequence[TaskResult]
    error: Mapping[str, Any] | None


async def detail(
    open_session: OpenSession, orchestrator: Orchestrator, principal: Principal, key: RunKey
) -> RunDetail:
    """One run with its tasks and their reports.

    Raises:
        NotFound: no such run in this organization.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await own(open_session, principal, key)
    run = await orchestrator.run(*key)
    instances = await orchestrator.tasks(*key)
    async with open_session() as session:
        row = await dag_ids.publication(session, workflow, run.bundle_version)
        results = await _results(session, key)
    spec = DagSpec.model_validate(row.spec) if row and row.spec else None
    tasks = [located(instance, spec) for instance in instances]
    return RunDetail(run, tasks, results, _error(run, tasks, results))


async def _results(session: AsyncSession, key: RunKey) -> list[TaskResult]:
    query = org_select(TaskResult).where(TaskResult.dag_id == key[0], TaskResult.run_id == key[1])
    return list(await session.scalars(query.order_by(TaskResult.node)))


def located(instance: TaskInstance, spec: DagSpec | None) -> Task:
    """Which node a task belongs to. A test of several models belongs to none of them alone."""
    if spec is None:
        return Task(instance, None, None)
    slugs = {node.slug for node in spec.nodes}
    if instance.task_id in slugs:
        return Task(instance, instance.task_id, None)
    named = DBT_TASK.fullmatch(instance.task_id)
    node = named["node"] if named and named["node"] in slugs else None
    models = {slug: unique_id for unique_id, slug in spec.dbt.models.items()} if spec.dbt else {}
    return Task(instance, node, models.get(node) if node else None)


def _error(
    run: DagRun, tasks: Sequence[Task], results: Sequence[TaskResult]
) -> Mapping[str, Any] | None:
    """Why a run failed: what its tasks said, or which of them ended without a word."""
    if run.state != "failed":
        return None
    for result in results:
        if result.outcome == "failed" and result.error:
            return {"node": result.node, **result.error}
    # The first to fail is the cause; the DAG's own last task only says that one failed.
    ended = [t for t in tasks if t.instance.state == "failed" and t.instance.end_date]
    ended.sort(key=lambda task: task.instance.end_date or run.run_after)
    failed = [task.instance.task_id for task in ended]
    if run.note == CANCELLED or not failed:
        message, hint = "the run was cancelled", "start a new run when you want it"
    else:
        message = f"task '{failed[0]}' failed without a report"
        hint = "read its log; then retry the run"
    return {
        "node": _node_of(tasks, failed),
        "error": "failed",
        "message": message,
        "hint": hint,
        "problems": [],
    }


def _node_of(tasks: Sequence[Task], failed: Sequence[str]) -> str | None:
    return next((t.node for t in tasks if t.instance.task_id in failed[:1]), None)
