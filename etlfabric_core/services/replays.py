"""Rejected rows of a pipeline: how many there are, and a run that loads them as configured now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.loading import LoadAbility
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.extract_load.replay.rows import refusal
from etlfabric_core.orchestrator.port import DagRun, Orchestrator, RunsQuery
from etlfabric_core.services import audit, dag_ids, leases, probe, runs
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.published_pipelines import PublishedPipeline, published

# States of a task that is over; None and all others: it may still load.
OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
GOING = ("running", "queued")
MOST_GOING = 100


@dataclass(frozen=True)
class RejectedTable:
    """A table and the number of its rejected rows; `blocked` says why they cannot be replayed."""

    table: str
    rows: int
    blocked: str | None


@dataclass(frozen=True)
class RejectedTables:
    """Tables of the published pipeline that have rejected rows.

    `is_held`: a run is loading, so that nothing can be replayed now.
    """

    published: bool
    is_held: bool
    tables: Sequence[RejectedTable]


async def show(prober: Prober, principal: Principal, id: int) -> RejectedTables:
    """What could be replayed.

    Raises:
        NotFound: no such pipeline, or its destination is gone.
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
    """
    pipeline = await published(prober, principal, id)
    if pipeline is None:
        return RejectedTables(published=False, is_held=False, tables=())
    tables = await _tables(prober, pipeline)
    async with prober.opened() as session:
        is_held = await leases.is_held(session, id)
    return RejectedTables(published=True, is_held=is_held, tables=tables)


async def start(
    prober: Prober,
    orchestrator: Orchestrator,
    principal: Principal,
    id: int,
    *,
    tables: Sequence[str],
    pool_slots: int,
) -> DagRun:
    """Runs the pipeline, and nothing else of its workflow, on its rejected rows.

    `tables` names those to replay; without one it is all that can be.

    Raises:
        NotFound: no such pipeline, or no such table with rejected rows.
        Conflict: nothing is published, a run loads or is about to load the pipeline, or there is
            nothing that can be replayed.
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
        UpstreamUnavailable: Airflow does not answer.
    """
    pipeline = await published(prober, principal, id)
    if pipeline is None:
        raise Conflict("nothing of this pipeline is published", hint="publish it, then run it")
    chosen = _chosen(await _tables(prober, pipeline), tables)
    await _refuse_while_loading(prober, orchestrator, principal, pipeline)
    node = pipeline.node
    conf = {"select": [node.slug], "replay": {node.slug: chosen}}
    _, run = await runs.trigger(
        prober.opened, orchestrator, node.workflow_id, conf=conf, pool_slots=pool_slots
    )
    async with prober.opened() as session:
        told = {"dag_id": run.dag_id, "run_id": run.run_id, "tables": chosen}
        await audit.record(session, principal, "replay", node, new=told)
    return run


async def _tables(prober: Prober, pipeline: PublishedPipeline) -> list[RejectedTable]:
    loading = get_connector(pipeline.endpoint.connector).loading
    if loading is None or LoadAbility.REPLAY not in loading.abilities:
        return []
    resources = {resource.name: resource for resource in pipeline.config.resources}
    found: Mapping[str, Mapping[str, int]] = await probe.ask(
        prober, "rejected", pipeline.endpoint, dataset=pipeline.dataset, names=list(resources)
    )
    return [
        RejectedTable(table, rows, refusal(resources[name]))
        for name, counted in found.items()
        for table, rows in counted.items()
        if rows
    ]


def _chosen(found: Sequence[RejectedTable], tables: Sequence[str]) -> list[str]:
    by_name = {one.table: one for one in found}
    if unknown := sorted(set(tables) - by_name.keys()):
        raise NotFound(
            f"no rejected rows in {', '.join(unknown)}",
            hint=f"there are some in: {', '.join(sorted(by_name)) or 'no table'}",
        )
    for name in tables:
        if why := by_name[name].blocked:
            raise Conflict(f"table '{name}' cannot be replayed: {why}")
    chosen = sorted(set(tables) or {one.table for one in found if not one.blocked})
    if not chosen:
        raise Conflict("there is nothing to replay", hint="see the rejected rows of the pipeline")
    return chosen


async def _refuse_while_loading(
    prober: Prober, orchestrator: Orchestrator, principal: Principal, pipeline: PublishedPipeline
) -> None:
    node = pipeline.node
    async with prober.opened() as session:
        is_held = await leases.is_held(session, node.id)
        ids = await dag_ids.listed(session, principal.org_slug, node.workflow_id)
    if is_held or await _is_going(orchestrator, ids, node.slug):
        raise Conflict(
            "a run is loading this pipeline, or is about to",
            hint="wait until it is over, or cancel it; then replay",
        )


async def _is_going(orchestrator: Orchestrator, ids: tuple[str, ...], node: str) -> bool:
    """Whether a run has yet to load the node, or is at it."""
    for state in GOING:
        found = await orchestrator.runs(ids, RunsQuery(limit=MOST_GOING, state=state))
        for run in found.dag_runs:
            selected = (run.conf or {}).get("select")
            if selected and node not in selected:
                continue
            tasks = await orchestrator.tasks(run.dag_id, run.run_id)
            states = {task.task_id: task.state for task in tasks}
            # A run that was only just asked for has no tasks yet.
            if states.get(node) not in OVER and (node in states or not states):
                return True
    return False
