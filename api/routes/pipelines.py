"""Pipelines."""

from fastapi import APIRouter

from api.datamodels.pipelines import PipelineIn, PipelineOut, PipelinePatch
from api.deps import PipelinesDelete, PipelinesRead, PipelinesWrite, SessionDep, WiringDep
from api.errors import errors
from api.if_match import VersionDep
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.models import Node
from etlfabric_core.services import nodes, pipelines
from etlfabric_core.services.nodes import NodeDraft

router = APIRouter(prefix="/pipelines", tags=["pipelines"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
WRITE_ERRORS = READ_ERRORS | errors(
    Conflict, PreconditionFailed, InvalidConfig, UpstreamUnavailable
)


@router.get("", response_model=PageOut[PipelineOut], responses=READ_ERRORS)
async def list_pipelines(
    principal: PipelinesRead, session: SessionDep, page: PageDep, workflow_id: int | None = None
) -> Page[Node]:
    """The organization's pipelines, or those of one workflow."""
    return await pipelines.list_page(session, page, workflow_id)


@router.post("", status_code=201, response_model=PipelineOut, responses=WRITE_ERRORS)
async def create(
    body: PipelineIn, principal: PipelinesWrite, session: SessionDep, wiring: WiringDep
) -> Node:
    """Makes a pipeline."""
    connections = {"source_connection_id", "destination_connection_id"}
    draft = NodeDraft(kind="pipeline", **body.model_dump(exclude=connections))
    return await pipelines.create(
        session,
        principal,
        wiring.warehouse,
        draft,
        source_connection_id=body.source_connection_id,
        destination_connection_id=body.destination_connection_id,
    )


@router.get("/{id}", response_model=PipelineOut, responses=READ_ERRORS)
async def get(id: int, principal: PipelinesRead, session: SessionDep) -> Node:
    """One pipeline."""
    return await pipelines.get(session, id)


@router.patch("/{id}", response_model=PipelineOut, responses=WRITE_ERRORS)
async def change(
    id: int,
    body: PipelinePatch,
    version: VersionDep,
    principal: PipelinesWrite,
    session: SessionDep,
    wiring: WiringDep,
) -> Node:
    """Changes a pipeline, if it still is what was read."""
    given = body.model_dump(exclude_unset=True)
    return await pipelines.change(session, principal, wiring.warehouse, id, given, version)


@router.delete("/{id}", status_code=204, responses=WRITE_ERRORS)
async def delete(
    id: int, version: VersionDep, principal: PipelinesDelete, session: SessionDep
) -> None:
    """Deletes a pipeline with its edges and schedules; the loaded tables stay."""
    await nodes.delete(session, principal, id, pipelines.KINDS, version)
