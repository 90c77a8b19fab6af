"""Transformations: dbt models and snapshots."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.datamodels.transformations import (
    CheckedOut,
    FailureListOut,
    PreviewIn,
    RowsOut,
    TransformationCheck,
    TransformationIn,
    TransformationOut,
    TransformationPatch,
)
from api.deps import (
    OpenSessionDep,
    SessionDep,
    TablesRead,
    TransformationsDelete,
    TransformationsRead,
    TransformationsWrite,
    WiringDep,
)
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
    TransientError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.models import Node
from etlfabric_core.services import failures, nodes, transformations
from etlfabric_core.services.nodes import NodeDraft
from etlfabric_core.services.tables import Rows
from etlfabric_core.services.transformations import Workbench
from etlfabric_core.transform.check import CheckedModel

router = APIRouter(prefix="/transformations", tags=["transformations"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
CHECK_ERRORS = READ_ERRORS | errors(Conflict, InvalidConfig, UpstreamUnavailable, TransientError)
WRITE_ERRORS = CHECK_ERRORS | errors(PreconditionFailed)


def get_workbench(wiring: WiringDep, opened: OpenSessionDep) -> Workbench:
    """What checks need."""
    return Workbench(opened, wiring.warehouse, wiring.box)


WorkbenchDep = Annotated[Workbench, Depends(get_workbench)]


@router.get("", response_model=PageOut[TransformationOut], responses=READ_ERRORS)
async def list_transformations(
    principal: TransformationsRead,
    session: SessionDep,
    page: PageDep,
    workflow_id: int | None = None,
) -> Page[Node]:
    """The organization's transformations, or those of one workflow."""
    return await transformations.list_page(session, page, workflow_id)


@router.post("", status_code=201, response_model=TransformationOut, responses=WRITE_ERRORS)
async def create(
    body: TransformationIn, principal: TransformationsWrite, bench: WorkbenchDep
) -> Node:
    """Makes a transformation, if dbt and the database accept it."""
    return await transformations.create(bench, principal, NodeDraft(**body.model_dump()))


@router.post("/check", response_model=CheckedOut, responses=CHECK_ERRORS)
async def check(
    body: TransformationCheck, principal: TransformationsWrite, bench: WorkbenchDep
) -> CheckedModel:
    """Compiles an unsaved transformation: its SQL, and the problems with their lines."""
    draft = NodeDraft(**body.model_dump(exclude={"id"}))
    return await transformations.check(bench, principal, draft, id=body.id)


@router.get("/{id}", response_model=TransformationOut, responses=READ_ERRORS)
async def get(id: int, principal: TransformationsRead, session: SessionDep) -> Node:
    """One transformation."""
    return await transformations.get(session, id)


@router.patch("/{id}", response_model=TransformationOut, responses=WRITE_ERRORS)
async def change(
    id: int,
    body: TransformationPatch,
    version: VersionDep,
    principal: TransformationsWrite,
    bench: WorkbenchDep,
) -> Node:
    """Changes a transformation, if it still is what was read and dbt accepts it."""
    given = body.model_dump(exclude_unset=True)
    return await transformations.change(bench, principal, id, given, version)


@router.delete("/{id}", status_code=204, responses=WRITE_ERRORS)
async def delete(
    id: int, version: VersionDep, principal: TransformationsDelete, session: SessionDep
) -> None:
    """Deletes a transformation with its edges and schedules; its table stays."""
    await nodes.delete(session, principal, id, transformations.KINDS, version)


@router.post("/{id}/preview", response_model=RowsOut, responses=CHECK_ERRORS)
async def preview(
    id: int,
    principal: TransformationsRead,
    tables: TablesRead,
    bench: WorkbenchDep,
    body: PreviewIn | None = None,
) -> Rows:
    """The first rows that it would make; nothing is written."""
    limit = (body or PreviewIn()).limit
    return await transformations.preview(bench, principal, id, limit=limit)


@router.get("/{id}/failures", response_model=FailureListOut, responses=READ_ERRORS)
async def list_failures(
    id: int,
    principal: TablesRead,
    session: SessionDep,
    wiring: WiringDep,
    run_id: Annotated[str | None, Query(max_length=250)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> FailureListOut:
    """The rows that its failed tests found in a run, by default the newest that reported."""
    failed = await failures.reported(session, id, run_id)
    found = await failures.rows_of(
        session, principal, failed, managed=wiring.warehouse, box=wiring.box, limit=limit
    )
    return FailureListOut.model_validate({"items": found}, from_attributes=True)
