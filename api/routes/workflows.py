"""Workflows: their graph, publishing, revisions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.datamodels.workflows import (
    CheckOut,
    DerivedEdgeOut,
    GraphEdgeOut,
    GraphNodeOut,
    GraphOut,
    PublishedOut,
    RevisionDetail,
    RevisionOut,
    WorkflowIn,
    WorkflowOut,
    WorkflowPatch,
)
from api.deps import (
    OpenSessionDep,
    SessionDep,
    WiringDep,
    WorkflowsDelete,
    WorkflowsPublish,
    WorkflowsRead,
    WorkflowsWrite,
)
from api.errors import ProblemBody, errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.db.scope import get_owned
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    Problem,
    Unauthenticated,
)
from etlfabric_core.graph.kinds import KINDS
from etlfabric_core.models import Node, Revision, Workflow
from etlfabric_core.services import publishing, workflows
from etlfabric_core.services.publishing import Press, Published
from etlfabric_core.services.workflows import GraphView

router = APIRouter(prefix="/workflows", tags=["workflows"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
WRITE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig)
RevisionNumber = Annotated[int, Path(ge=1, le=2**62)]


def get_press(wiring: WiringDep, opened: OpenSessionDep) -> Press:
    """What publishing needs."""
    return Press(
        opened, wiring.storage, wiring.orchestrator, wiring.settings.organization_pool_slots
    )


PressDep = Annotated[Press, Depends(get_press)]


@router.get("", response_model=PageOut[WorkflowOut], responses=READ_ERRORS)
async def list_workflows(
    principal: WorkflowsRead, session: SessionDep, page: PageDep
) -> Page[Workflow]:
    """The organization's workflows."""
    return await workflows.list_page(session, page)


@router.post("", status_code=201, response_model=WorkflowOut, responses=WRITE_ERRORS)
async def create(body: WorkflowIn, principal: WorkflowsWrite, session: SessionDep) -> Workflow:
    """Makes an empty workflow."""
    return await workflows.create(session, principal, **body.model_dump())


@router.get("/{id}", response_model=WorkflowOut, responses=READ_ERRORS)
async def get(id: int, principal: WorkflowsRead, session: SessionDep) -> Workflow:
    """One workflow."""
    return await get_owned(session, Workflow, id)


@router.patch("/{id}", response_model=WorkflowOut, responses=WRITE_ERRORS)
async def change(
    id: int, body: WorkflowPatch, principal: WorkflowsWrite, session: SessionDep
) -> Workflow:
    """Changes name or description."""
    return await workflows.change(session, principal, id, body.model_dump(exclude_unset=True))


@router.delete("/{id}", status_code=204, responses=READ_ERRORS)
async def delete(id: int, principal: WorkflowsDelete, session: SessionDep) -> None:
    """Deletes a workflow and everything in it; its DAG goes away."""
    await workflows.delete(session, principal, id)


@router.get("/{id}/graph", response_model=GraphOut, responses=READ_ERRORS)
async def graph(id: int, principal: WorkflowsRead, session: SessionDep) -> GraphOut:
    """Nodes, drawn edges, the edges that SQL implies, and every problem."""
    return _graph(await workflows.graph(session, principal, id))


@router.post("/{id}/check", response_model=CheckOut, responses=READ_ERRORS)
async def check(id: int, principal: WorkflowsRead, press: PressDep) -> CheckOut:
    """What would keep the workflow from being published; dbt is asked too."""
    problems = await publishing.check(press, principal, id)
    return CheckOut(ok=not problems, problems=_problems(problems))


@router.post("/{id}/publish", response_model=PublishedOut, responses=WRITE_ERRORS)
async def publish(id: int, principal: WorkflowsPublish, press: PressDep) -> Published:
    """Makes the workflow as it is stored the next revision."""
    return await publishing.publish(press, principal, id)


@router.get("/{id}/revisions", response_model=PageOut[RevisionOut], responses=READ_ERRORS)
async def list_revisions(
    id: int, principal: WorkflowsRead, session: SessionDep, page: PageDep
) -> Page[Revision]:
    """The revisions, newest first."""
    return await publishing.revisions(session, id, page)


@router.get("/{id}/revisions/{number}", response_model=RevisionDetail, responses=READ_ERRORS)
async def get_revision(
    id: int, number: RevisionNumber, principal: WorkflowsRead, session: SessionDep
) -> Revision:
    """One revision with its document."""
    return await publishing.revision(session, id, number)


@router.post(
    "/{id}/revisions/{number}/restore", response_model=PublishedOut, responses=WRITE_ERRORS
)
async def restore(
    id: int, number: RevisionNumber, principal: WorkflowsPublish, press: PressDep
) -> Published:
    """Publishes an old revision again, and puts the workflow back to it."""
    return await publishing.restore(press, principal, id, number)


def _graph(view: GraphView) -> GraphOut:
    ids = {node.slug: node.id for node in view.nodes}
    return GraphOut(
        workflow=WorkflowOut.model_validate(view.workflow),
        nodes=[_node(node) for node in view.nodes],
        edges=[GraphEdgeOut.model_validate(edge) for edge in view.edges],
        derived_edges=[
            DerivedEdgeOut(upstream_id=ids[above], downstream_id=ids[below])
            for above, below in view.derived
        ],
        problems=_problems(view.problems),
    )


def _node(node: Node) -> GraphNodeOut:
    kind = KINDS[node.kind]
    return GraphNodeOut(
        id=node.id,
        slug=node.slug,
        name=node.name,
        kind=node.kind,
        dataset=node.dataset,
        inputs=sorted(kind.inputs),
        output=kind.output,
        position=node.position,
        version=node.version,
    )


def _problems(problems: tuple[Problem, ...]) -> list[ProblemBody]:
    return [ProblemBody.model_validate(one, from_attributes=True) for one in problems]
