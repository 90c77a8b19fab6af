"""Runs: start, list, look into, try again, cancel. Their states are the orchestrator's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import OpenSession, get_owned
from etlfabric_core.errors import Conflict, NotFound, Problem
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.port import (
    DagRun,
    LogPage,
    Orchestrator,
)
from etlfabric_core.services import audit, dag_ids
from etlfabric_core.services.delivery import delivered, published_now
from etlfabric_core.specs.document import DagSpec

RunKey = tuple[str, str]  # dag_id, run_id
CANCELLED = "cancelled"


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


async def own(open_session: OpenSession, principal: Principal, key: RunKey) -> Workflow:
    """The workflow behind a run's DAG.

    Raises:
        NotFound: it is none of this organization's.
    """
    async with open_session() as session:
        return await dag_ids.owned(session, principal.org_slug, key[0])


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


def _check_selection(spec: DagSpec, select: Sequence[str]) -> None:
    slugs = {node.slug for node in spec.nodes}
    if unknown := sorted(set(select) - slugs):
        raise NotFound(
            f"not in revision {spec.revision} of {spec.dag_id}: {', '.join(unknown)}",
            hint=f"select from: {', '.join(sorted(slugs))}; publish to add what is new",
            problems=[Problem("is not in the published revision", node=slug) for slug in unknown],
        )
