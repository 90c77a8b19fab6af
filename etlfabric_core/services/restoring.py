"""Puts a workflow's rows back to what a revision kept of them."""

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, Problem
from etlfabric_core.models import Connection, Edge, Node, Schedule, Workflow
from etlfabric_core.services import audit
from etlfabric_core.specs.state import Snapshots

COLUMNS = (
    "kind",
    "name",
    "description",
    "dataset",
    "source_connection_id",
    "destination_connection_id",
    "config",
    "retries",
)


async def put_back(
    session: AsyncSession, principal: Principal, workflow: Workflow, nodes: Snapshots
) -> None:
    """Nodes and drawn edges of a locked workflow become those of the snapshots.

    Raises:
        NotFound: a connection was deleted.
        Conflict: a name is taken by a node of another workflow.
    """
    for node in nodes.values():
        for id in (node.source_connection_id, node.destination_connection_id):
            if id is not None:
                await get_owned(session, Connection, id)
    living = {
        row.slug: row
        for row in await session.scalars(
            org_select(Node).where(Node.workflow_id == workflow.id).with_for_update()
        )
    }
    for slug in sorted(living.keys() - nodes.keys()):
        await _remove(session, living[slug])
    await session.flush()
    rows = {slug: living.get(slug) or await _revived(session, workflow, slug) for slug in nodes}
    for slug, node in nodes.items():
        row = rows[slug]
        row.version = (row.version or 0) + 1
        for column in COLUMNS:
            setattr(row, column, getattr(node, column))
        session.add(row)
    await session.flush()
    await _put_edges_back(session, workflow, nodes, {slug: row.id for slug, row in rows.items()})
    await audit.record(session, principal, "restore", workflow, new={"nodes": sorted(nodes)})


async def _remove(session: AsyncSession, node: Node) -> None:
    node.deleted_at = clock.now()
    schedules = await session.scalars(org_select(Schedule).where(Schedule.node_id == node.id))
    for schedule in schedules:
        schedule.deleted_at = node.deleted_at


async def _revived(session: AsyncSession, workflow: Workflow, slug: str) -> Node:
    """The row that was deleted last, alive again, or a new one."""
    if await session.scalar(org_select(Node).where(Node.slug == slug)):
        raise Conflict(
            f"'{slug}' is by now the name of a node of another workflow",
            hint="delete that one first",
            problems=[Problem("already taken", field="slug", node=slug)],
        )
    row: Node | None = await session.scalar(
        org_select(Node, with_deleted=True)
        .where(Node.workflow_id == workflow.id, Node.slug == slug)
        .order_by(Node.deleted_at.desc())
        .limit(1)
    )
    if row is None:
        return Node(org_id=workflow.org_id, workflow_id=workflow.id, slug=slug)
    row.deleted_at = None
    return row


async def _put_edges_back(
    session: AsyncSession, workflow: Workflow, nodes: Snapshots, ids: dict[str, int]
) -> None:
    wanted = {(ids[up], ids[slug]) for slug, node in nodes.items() for up in node.upstream}
    edges = await session.scalars(org_select(Edge).where(Edge.workflow_id == workflow.id))
    for edge in edges:
        pair = (edge.upstream_id, edge.downstream_id)
        if pair in wanted:
            wanted.remove(pair)
        else:
            edge.deleted_at = clock.now()
    for above, below in sorted(wanted):
        session.add(
            Edge(
                org_id=workflow.org_id,
                workflow_id=workflow.id,
                upstream_id=above,
                downstream_id=below,
            )
        )
    await session.flush()
