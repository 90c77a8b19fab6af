"""Changes that loads found: the inbox of those that wait, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.models import Node, SchemaChange
from etlfabric_core.services import audit
from etlfabric_core.services.audit_entries import Actor, actors

State = Literal["pending", "approved", "rejected", "applied", "superseded"]
DECISIONS: dict[str, State] = {"approve": "approved", "reject": "rejected"}


@dataclass(frozen=True)
class Shown:
    """Changes of a table, with their pipeline and with whoever decided."""

    row: SchemaChange
    pipeline: Node
    decided_by: Actor | None


async def list_page(
    session: AsyncSession, page: PageRequest, state: State | None, pipeline_id: int | None
) -> Page[Shown]:
    """The changes of pipelines that are there, newest first.

    Raises:
        InvalidConfig: the cursor is none that a page gave.
    """
    living = org_select(Node).with_only_columns(Node.id)
    query = org_select(SchemaChange).where(SchemaChange.node_id.in_(living))
    if state is not None:
        query = query.where(SchemaChange.state == state)
    if pipeline_id is not None:
        query = query.where(SchemaChange.node_id == pipeline_id)
    found = await fetch_page(session, query, SchemaChange.id, replace(page, newest_first=True))
    return Page(await _shown(session, found.items), found.next_cursor)


async def get(session: AsyncSession, id: int) -> Shown:
    """Changes of one table.

    Raises:
        NotFound: there are none of that id, or their pipeline was deleted.
    """
    return (await _shown(session, [await _row(session, id)]))[0]


async def decide(
    session: AsyncSession, principal: Principal, id: int, decision: str, note: str
) -> Shown:
    """Approves or rejects changes that wait; `decision` is one of DECISIONS.

    Raises:
        NotFound: there are none of that id.
        Conflict: they do not wait any more.
    """
    row = await _row(session, id)
    await session.refresh(row, with_for_update=True)
    if row.state != "pending":
        raise Conflict(
            f"schema_change {id} is {row.state}: it is decided once",
            hint="load the list again; what a later run finds is decided anew",
        )
    old = {"state": row.state}
    row.state, row.note = DECISIONS[decision], note
    row.decided_by, row.decided_at = principal.user_id, clock.now()
    new = {"state": row.state, "note": note, "node_id": row.node_id, "table": row.table_name}
    await audit.record(session, principal, decision, row, old=old, new=new)
    return (await _shown(session, [row]))[0]


async def _row(session: AsyncSession, id: int) -> SchemaChange:
    row = await get_owned(session, SchemaChange, id)
    if await session.scalar(org_select(Node).where(Node.id == row.node_id)) is None:
        raise NotFound(f"schema_change {id} does not exist", hint="its pipeline was deleted")
    return row


async def _shown(session: AsyncSession, rows: Sequence[SchemaChange]) -> list[Shown]:
    query = org_select(Node).where(Node.id.in_({row.node_id for row in rows}))
    pipelines = {node.id: node for node in await session.scalars(query)}
    users = await actors(session, {row.decided_by for row in rows} - {None})
    return [
        Shown(
            row,
            pipelines[row.node_id],
            None if row.decided_by is None else users.get(row.decided_by, Actor(row.decided_by)),
        )
        for row in rows
    ]
