"""Edges that users draw."""

from fastapi import APIRouter

from api.datamodels.edges import EdgeIn, EdgeOut
from api.deps import SessionDep, WorkflowsRead, WorkflowsWrite
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.models import Edge
from etlfabric_core.services import edges

router = APIRouter(prefix="/edges", tags=["edges"])

WRITE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig)


@router.get("", response_model=PageOut[EdgeOut], responses=errors(Unauthenticated, Forbidden))
async def list_edges(
    principal: WorkflowsRead, session: SessionDep, page: PageDep, workflow_id: int | None = None
) -> Page[Edge]:
    """The drawn edges of the organization, or of one workflow."""
    return await edges.list_page(session, page, workflow_id)


@router.post("", status_code=201, response_model=EdgeOut, responses=WRITE_ERRORS)
async def create(body: EdgeIn, principal: WorkflowsWrite, session: SessionDep) -> Edge:
    """Draws an edge."""
    return await edges.create(session, principal, **body.model_dump())


# Part of editing a graph, so an editor may do it.
@router.delete("/{id}", status_code=204, responses=WRITE_ERRORS)
async def delete(id: int, principal: WorkflowsWrite, session: SessionDep) -> None:
    """Takes an edge away."""
    await edges.delete(session, principal, id)
