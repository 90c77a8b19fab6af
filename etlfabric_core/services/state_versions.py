"""Who left a version of a pipeline's state: a run that loaded, or a change by somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.models import AuditEntry, Node, TaskResult

# What is done to a state, and what the audit log calls it.
ACTIONS = {name: f"state_{name}" for name in ("reset", "set", "restore")}


@dataclass(frozen=True)
class Version:
    """The state as a run or a change left it. `run` and `change` are None where it is not known."""

    load_id: str
    created_at: str
    hash: str
    positions: Sequence[Mapping[str, Any]]
    run: Mapping[str, str] | None
    change: Mapping[str, Any] | None


async def explained(
    session: AsyncSession, node: Node, versions: Sequence[Mapping[str, Any]]
) -> list[Version]:
    """The versions as they were read, with who left them."""
    runs = await _runs(session, node, [version["load_id"] for version in versions])
    changes = await _changes(session, node)
    return [
        Version(
            **{name: found[name] for name in ("load_id", "created_at", "hash", "positions")},
            run=runs.get(found["load_id"]),
            change=changes.get(found["load_id"]),
        )
        for found in versions
    ]


async def _runs(
    session: AsyncSession, node: Node, load_ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Which run made a load, by the reports of tasks."""
    if not load_ids:
        return {}
    query = org_select(TaskResult).where(
        TaskResult.node == node.slug, TaskResult.load["load_ids"].has_any(array(load_ids))
    )
    return {
        load_id: {"dag_id": result.dag_id, "run_id": result.run_id}
        for result in await session.scalars(query)
        for load_id in (result.load or {})["load_ids"]
    }


async def _changes(session: AsyncSession, node: Node) -> dict[str, Mapping[str, Any]]:
    """Which change made a version, by the audit log."""
    query = org_select(AuditEntry).where(
        AuditEntry.resource_type == Node.__tablename__,
        AuditEntry.resource_id == str(node.id),
        AuditEntry.action.in_(ACTIONS.values()),
    )
    actions = {word: name for name, word in ACTIONS.items()}
    found: dict[str, Mapping[str, Any]] = {}
    for entry in await session.scalars(query):
        new = entry.new_values or {}
        found[new["load_id"]] = {
            "action": actions[entry.action],
            "resource": new["resource"],
            "restored": new.get("restored"),
            "user_id": entry.user_id,
        }
    return found
