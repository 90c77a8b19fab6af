"""Reads a workflow's rows as plain values, for checks, dbt and the compiler."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import Connection, Edge, Node, Schedule, Workflow
from etlfabric_core.specs.document import ScheduleSpec
from etlfabric_core.specs.state import NodeSnapshot, WorkflowState, snapshots


async def locked(session: AsyncSession, workflow_id: int) -> Workflow:
    """The workflow, held until the transaction ends: edits of one graph go one after the other.

    Raises:
        NotFound: no such workflow in this organization.
    """
    await get_owned(session, Workflow, workflow_id)
    statement = org_select(Workflow).where(Workflow.id == workflow_id)
    workflow = await session.scalar(
        statement.with_for_update().execution_options(populate_existing=True)
    )
    if workflow is None:
        raise NotFound(f"workflow {workflow_id} does not exist", hint="it was deleted just now")
    return workflow


async def load(session: AsyncSession, principal: Principal, workflow: Workflow) -> WorkflowState:
    """The workflow as it is stored now.

    Raises:
        NotFound: the organization has no managed warehouse.
    """
    nodes = list(await session.scalars(org_select(Node).order_by(Node.id)))
    inside = [node for node in nodes if node.workflow_id == workflow.id]
    edges = await session.scalars(org_select(Edge).where(Edge.workflow_id == workflow.id))
    return WorkflowState(
        org=principal.org_slug,
        workflow=workflow.slug,
        warehouse_id=await warehouse_id(session),
        nodes=snapshots(inside, edges),
        outside=snapshots((node for node in nodes if node.workflow_id != workflow.id), ()),
        schedules=await _schedules(session, workflow, inside),
    )


async def warehouse_id(session: AsyncSession) -> int:
    """The connection that is the organization's managed warehouse.

    Raises:
        NotFound: there is none.
    """
    managed = await session.scalar(org_select(Connection).where(Connection.managed))
    if managed is None:
        raise NotFound("the organization has no managed warehouse")
    return managed.id


def with_node(state: WorkflowState, slug: str, node: NodeSnapshot) -> WorkflowState:
    """The state as it would be with that node in it."""
    return replace(state, nodes=dict(sorted({**state.nodes, slug: node}.items())))


async def _schedules(
    session: AsyncSession, workflow: Workflow, nodes: list[Node]
) -> tuple[ScheduleSpec, ...]:
    slug_of = {node.id: node.slug for node in nodes}
    rows = await session.scalars(
        org_select(Schedule).where(Schedule.workflow_id == workflow.id, Schedule.enabled)
    )
    specs = [
        ScheduleSpec(
            slug=None if row.node_id is None else row.slug,
            cron=row.cron,
            timezone=row.timezone,
            missed_runs=row.missed_runs,
            start=row.start,
            select=() if row.node_id is None else (slug_of[row.node_id],),
        )
        for row in rows
    ]
    return tuple(sorted(specs, key=lambda spec: spec.slug or ""))
