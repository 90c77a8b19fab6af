"""Edges that users draw between two nodes of a workflow."""

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.graph.checks import EDGE_RULES, problems_of
from etlfabric_core.models import Edge, Node
from etlfabric_core.services import audit, workflow_state
from etlfabric_core.specs.state import graph_of


async def list_page(
    session: AsyncSession, page: PageRequest, workflow_id: int | None
) -> Page[Edge]:
    """The drawn edges, oldest first."""
    statement = org_select(Edge)
    if workflow_id is not None:
        statement = statement.where(Edge.workflow_id == workflow_id)
    return await fetch_page(session, statement, Edge.id, page)


async def create(
    session: AsyncSession, principal: Principal, *, upstream_id: int, downstream_id: int
) -> Edge:
    """Draws an edge. Edits of one workflow wait for each other, so no two make a cycle together.

    Raises:
        NotFound: no such node.
        InvalidConfig: the ends do not fit together, or it closes a cycle.
        Conflict: the edge is there already.
    """
    above = await get_owned(session, Node, upstream_id)
    below = await get_owned(session, Node, downstream_id)
    if above.workflow_id != below.workflow_id:
        raise InvalidConfig(
            f"'{above.slug}' and '{below.slug}' are in different workflows",
            hint="an edge joins two nodes of one workflow",
            problems=[Problem("is in another workflow", field="downstream_id", node=below.slug)],
        )
    workflow = await workflow_state.locked(session, above.workflow_id)
    pair = (above.slug, below.slug)
    same = (Edge.upstream_id == upstream_id, Edge.downstream_id == downstream_id)
    if await session.scalar(org_select(Edge).where(*same)):
        raise Conflict(
            f"the edge {above.slug} -> {below.slug} is already there",
            problems=[Problem("drawn already", edge=pair)],
        )
    edge = Edge(
        org_id=principal.org_id,
        workflow_id=workflow.id,
        upstream_id=upstream_id,
        downstream_id=downstream_id,
    )
    session.add(edge)
    await session.flush()
    graph = graph_of(await workflow_state.load(session, principal, workflow))
    if problems := problems_of(graph, EDGE_RULES):
        raise InvalidConfig(
            problems[0].message, hint="draw the edge between other nodes", problems=problems
        )
    await audit.record(session, principal, "create", edge, new={"edge": list(pair)})
    return edge


async def delete(session: AsyncSession, principal: Principal, id: int) -> None:
    """Takes a drawn edge away.

    Raises:
        NotFound: no such edge.
    """
    edge = await get_owned(session, Edge, id)
    edge.deleted_at = clock.now()
    await session.flush()
    old = {"upstream_id": edge.upstream_id, "downstream_id": edge.downstream_id}
    await audit.record(session, principal, "delete", edge, old=old)
