"""What tasks say: progress while they work, and how a try ended."""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.models import RunEvent, TaskResult
from etlfabric_core.services import found_changes
from etlfabric_core.services.dag_ids import Place
from etlfabric_core.specs.context import Progress, RunRef, TaskReport


async def progress(session: AsyncSession, place: Place, said: Progress) -> None:
    """Keeps the newest progress of each node and stage."""
    run, org_id = said.run, place.organization.id
    await _serialize(session, run)
    await session.execute(
        delete(RunEvent).where(
            RunEvent.org_id == org_id,
            RunEvent.dag_id == run.dag_id,
            RunEvent.run_id == run.run_id,
            RunEvent.node == run.node,
            RunEvent.kind == "progress",
            RunEvent.payload["stage"].astext == said.stage,
        )
    )
    payload = {"stage": said.stage, "rows": said.rows}
    session.add(_event(org_id, run, "progress", payload))
    await session.flush()


async def report(session: AsyncSession, place: Place, said: TaskReport) -> None:
    """Keeps the report of the newest try. The same report twice is stored, and told, once."""
    run, org_id = said.run, place.organization.id
    await _serialize(session, run)
    stored = await session.scalar(
        org_select(TaskResult).where(
            TaskResult.dag_id == run.dag_id,
            TaskResult.run_id == run.run_id,
            TaskResult.node == run.node,
        )
    )
    before = None if stored is None else _content(stored)
    if stored is None:
        stored = TaskResult(
            org_id=org_id, dag_id=run.dag_id, run_id=run.run_id, node=run.node, try_number=0
        )
        session.add(stored)
    # The tasks of one model, its tests among them, count their tries each for itself.
    if run.try_number < stored.try_number and said.transform is None:
        return
    _take_over(stored, said)
    if said.load is not None:
        await found_changes.arrived(session, run, said.load)
    if _content(stored) == before:
        return
    session.add(_event(org_id, run, "result", _content(stored)))
    await session.flush()


def _take_over(stored: TaskResult, said: TaskReport) -> None:
    told = said.model_dump(mode="json", include={"outcome", "load", "transform", "error"})
    told["transform"] = _merged(stored.transform, told["transform"])
    if told["outcome"] == "success" and _has_failures(told["transform"]):
        told |= {"outcome": "failed", "error": stored.error}
    stored.try_number = max(stored.try_number, said.run.try_number)
    for field, value in told.items():
        setattr(stored, field, value)


def _merged(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any] | None:
    """A model and tests of it report one after the other: the newest line of each counts."""
    if old is None or new is None:
        return new or old
    nodes = {line["unique_id"]: line for line in (*old["nodes"], *new["nodes"])}
    return {**new, "nodes": list(nodes.values())}


def _has_failures(transform: dict[str, Any] | None) -> bool:
    lines = transform["nodes"] if transform else ()
    return any(line["status"] in ("error", "fail") for line in lines)


def _content(result: TaskResult) -> dict[str, Any]:
    return {
        "try_number": result.try_number,
        "outcome": result.outcome,
        "load": result.load,
        "transform": result.transform,
        "error": result.error,
    }


def _event(org_id: int, run: RunRef, kind: str, payload: dict[str, Any]) -> RunEvent:
    return RunEvent(
        org_id=org_id,
        dag_id=run.dag_id,
        run_id=run.run_id,
        node=run.node,
        try_number=run.try_number,
        kind=kind,
        payload=payload,
    )


async def _serialize(session: AsyncSession, run: RunRef) -> None:
    """One writer per run at a time: then ids grow in commit order, and a reader misses none."""
    key = func.hashtextextended(f"{run.dag_id} {run.run_id}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))
