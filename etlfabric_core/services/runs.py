"""Runs: start, list, look into, try again, cancel. Their states are the orchestrator's."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest
from etlfabric_core.db.scope import OpenSession, get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem
from etlfabric_core.models import TaskResult, Workflow
from etlfabric_core.orchestrator.port import (
    DagRun,
    LogPage,
    Orchestrator,
    RunsQuery,
    TaskInstance,
)
from etlfabric_core.services import audit, dag_ids
from etlfabric_core.services.delivery import delivered, published_now
from etlfabric_core.specs.document import DagSpec

RunKey = tuple[str, str]  # dag_id, run_id
CURSOR_SEPARATOR = "~"
CANCELLED = "cancelled"
# What Cosmos calls the task of a model or snapshot inside the group.
DBT_TASK = re.compile(r"transform\.(?P<node>.+?)_(?:(?:model|snapshot)_)?(?:build|run|snapshot)")
PAGE = 99  # Airflow gives 100 runs at once, and one more than a page tells whether there is more.


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


@dataclass(frozen=True)
class LogRequest:
    """Which log. `try_number` None: the newest try's; `continuation` reads on."""

    run: RunKey
    task_id: str
    try_number: int | None = None
    continuation: str | None = None


async def start(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    workflow_id: int,
    *,
    select: Sequence[str],
    pool_slots: int,
) -> DagRun:
    """Runs a workflow's published revision now, or only the selected nodes of it.

    Raises:
        NotFound: no such workflow, or a selected node is not in it.
        Conflict: nothing is published, or the workflow is paused.
        TransientError: Airflow has not taken the revision over in time.
        UpstreamUnavailable: Airflow does not answer.
    """
    conf = {"select": sorted(set(select))} if select else {}
    workflow, run = await trigger(
        open_session, orchestrator, workflow_id, conf=conf, pool_slots=pool_slots
    )
    async with open_session() as session:
        new = {"run_id": run.run_id, **conf}
        await audit.record(session, principal, "run", workflow, new=new)
    return run


async def trigger(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    workflow_id: int,
    *,
    conf: Mapping[str, Any],
    pool_slots: int,
) -> tuple[Workflow, DagRun]:
    """Runs a workflow's published revision as `conf` says; to be noted by the caller.

    Raises:
        NotFound, Conflict, TransientError, UpstreamUnavailable: as `start`.
    """
    async with open_session() as session:
        workflow = await get_owned(session, Workflow, workflow_id)
        published = await published_now(session, workflow)
    _check_selection(published.spec, conf.get("select", ()))
    await orchestrator.ensure_pool(published.spec.pool, pool_slots)
    await delivered(orchestrator, published)
    return workflow, await orchestrator.trigger(published.spec.dag_id, dict(conf), None)


async def list_page(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    *,
    workflow_id: int | None,
    state: str | None,
    page: PageRequest,
) -> Page[DagRun]:
    """Runs of the organization's DAGs alone, newest first.

    Raises:
        NotFound: no such workflow.
        InvalidConfig: the cursor is none that a page gave.
        UpstreamUnavailable: Airflow does not answer.
    """
    async with open_session() as session:
        ids = await dag_ids.listed(session, principal.org_slug, workflow_id)
    until, offset = _position(page.cursor)
    limit = min(page.limit, PAGE)
    query = RunsQuery(limit=limit + 1, state=state, until=until, offset=offset)
    found = (await orchestrator.runs(ids, query)).dag_runs
    runs = found[:limit]
    return Page(runs, _next_cursor(runs, until, offset) if len(found) > limit else None)


async def own(open_session: OpenSession, principal: Principal, key: RunKey) -> Workflow:
    """The workflow behind a run's DAG.

    Raises:
        NotFound: it is none of this organization's.
    """
    async with open_session() as session:
        return await dag_ids.owned(session, principal.org_slug, key[0])


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


async def log(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    wanted: LogRequest,
) -> LogPage:
    """A task's log; empty while the task has not begun.

    Raises:
        NotFound: no such run, task or try in this organization.
        UpstreamUnavailable: Airflow does not answer.
    """
    await own(open_session, principal, wanted.run)
    try_number = wanted.try_number
    if try_number is None:
        tasks = {task.task_id: task for task in await orchestrator.tasks(*wanted.run)}
        if wanted.task_id not in tasks:
            raise NotFound(
                f"task '{wanted.task_id}' is not in this run", hint="see the run's tasks"
            )
        try_number = tasks[wanted.task_id].try_number
    if try_number == 0:
        return LogPage(lines=(), continuation=None)
    return await orchestrator.log(
        *wanted.run, wanted.task_id, try_number=try_number, continuation=wanted.continuation
    )


async def retry(
    open_session: OpenSession, orchestrator: Orchestrator, principal: Principal, key: RunKey
) -> tuple[str, ...]:
    """Runs the failed tasks again, at the revision that the run began with.

    Returns:
        Their ids.

    Raises:
        NotFound: no such run in this organization.
        Conflict: no task of it has failed.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await own(open_session, principal, key)
    tasks = await orchestrator.retry(*key)
    if not tasks:
        raise Conflict("no task of this run has failed", hint="start a new run instead")
    async with open_session() as session:
        await audit.record(session, principal, "retry", workflow, new={"run_id": key[1]})
    return tasks


async def cancel(
    open_session: OpenSession, orchestrator: Orchestrator, principal: Principal, key: RunKey
) -> DagRun:
    """Ends a run: running tasks are killed, the rest is not begun.

    Raises:
        NotFound: no such run in this organization.
        Conflict: it is over.
        UpstreamUnavailable: Airflow does not answer.
    """
    workflow = await own(open_session, principal, key)
    before = await orchestrator.run(*key)
    if before.ended:
        raise Conflict(f"the run is over: {before.state}", hint="there is nothing to cancel")
    ended = await orchestrator.cancel(*key, note=CANCELLED)
    async with open_session() as session:
        await audit.record(session, principal, "cancel", workflow, new={"run_id": key[1]})
    return ended


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


def _check_selection(spec: DagSpec, select: Sequence[str]) -> None:
    slugs = {node.slug for node in spec.nodes}
    if unknown := sorted(set(select) - slugs):
        raise NotFound(
            f"not in revision {spec.revision} of {spec.dag_id}: {', '.join(unknown)}",
            hint=f"select from: {', '.join(sorted(slugs))}; publish to add what is new",
            problems=[Problem("is not in the published revision", node=slug) for slug in unknown],
        )


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


def _position(cursor: str | None) -> tuple[datetime | None, int]:
    """A page goes on at a due time, behind the runs of that very time that were shown."""
    if cursor is None:
        return None, 0
    moment, _, shown = cursor.partition(CURSOR_SEPARATOR)
    try:
        until = datetime.fromisoformat(moment)
        if until.tzinfo is None or not shown.isdigit():
            raise ValueError("incomplete")
        return until, int(shown)
    except ValueError as error:
        raise InvalidConfig(
            "cursor: not one that a page gave",
            hint="start again without a cursor",
            problems=[Problem("not one that a page gave", field="cursor")],
        ) from error


def _next_cursor(runs: Sequence[DagRun], until: datetime | None, offset: int) -> str:
    last = runs[-1].run_after
    shown = sum(run.run_after == last for run in runs) + (offset if until == last else 0)
    return f"{last.isoformat()}{CURSOR_SEPARATOR}{shown}"
