"""Workflows: named sets of nodes, each one DAG."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Problem
from etlfabric_core.graph.checks import problems_of
from etlfabric_core.graph.topology import EdgePair
from etlfabric_core.models import Edge, Node, Schedule, Workflow
from etlfabric_core.services import audit, publications, refusals, workflow_state
from etlfabric_core.services.naming import new_slug, require_free
from etlfabric_core.specs.state import graph_of


@dataclass(frozen=True)
class GraphView:
    """A workflow's nodes, the edges that were drawn, those that SQL implies, what is wrong."""

    workflow: Workflow
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    derived: tuple[EdgePair, ...]
    problems: tuple[Problem, ...]


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Workflow]:
    """The workflows, oldest first."""
    return await fetch_page(session, org_select(Workflow), Workflow.id, page)


async def create(
    session: AsyncSession, principal: Principal, *, name: str, slug: str | None, description: str
) -> Workflow:
    """A new, empty workflow.

    Raises:
        InvalidConfig: the name gives no slug.
        Conflict: the slug is taken.
    """
    slug = new_slug(name, slug)
    taken = org_select(Workflow).where(Workflow.slug == slug).with_only_columns(Workflow.id)
    await require_free(session, taken, slug)
    workflow = Workflow(org_id=principal.org_id, name=name, slug=slug, description=description)
    session.add(workflow)
    await session.flush()
    new = {"name": name, "slug": slug}
    await audit.record(session, principal, "create", workflow, new=new)
    return workflow


async def change(
    session: AsyncSession, principal: Principal, id: int, given: Mapping[str, Any]
) -> Workflow:
    """Changes name or description; the slug stays, because the DAG is named after it.

    Raises:
        NotFound: no such workflow.
    """
    workflow = await get_owned(session, Workflow, id)
    old = {key: getattr(workflow, key) for key in given}
    for key, value in given.items():
        setattr(workflow, key, value)
    await session.flush()
    await audit.record(session, principal, "update", workflow, old=old, new=given)
    return workflow


async def delete(session: AsyncSession, principal: Principal, id: int) -> None:
    """Deletes a workflow with all that is in it, and takes its DAG away.

    Raises:
        NotFound: no such workflow.
    """
    workflow = await workflow_state.locked(session, id)
    workflow.deleted_at = clock.now()
    content: tuple[type[Node | Edge | Schedule], ...] = (Node, Edge, Schedule)
    for model in content:
        for row in await session.scalars(org_select(model).where(model.workflow_id == id)):
            row.deleted_at = workflow.deleted_at
    await session.flush()
    await audit.record(session, principal, "delete", workflow, old={"slug": workflow.slug})
    if workflow.published_revision is not None:
        await publications.announce(session, principal, workflow, None)


async def graph(session: AsyncSession, principal: Principal, id: int) -> GraphView:
    """The workflow as a graph, with what our rules and Airflow's side find wrong with it.

    Raises:
        NotFound: no such workflow.
    """
    workflow = await get_owned(session, Workflow, id)
    nodes = await session.scalars(
        org_select(Node).where(Node.workflow_id == id).order_by(Node.slug)
    )
    edges = await session.scalars(org_select(Edge).where(Edge.workflow_id == id).order_by(Edge.id))
    seen = graph_of(await workflow_state.load(session, principal, workflow))
    refused = await refusals.problem_of(session, workflow)
    problems = (*((refused,) if refused else ()), *problems_of(seen))
    return GraphView(workflow, tuple(nodes), tuple(edges), seen.derived, problems)
