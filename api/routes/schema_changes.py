"""What loads found changed since the one before: the inbox of an organization."""

from fastapi import APIRouter

from api.datamodels.schema_changes import DecisionIn, SchemaChangeOut
from api.deps import PipelinesRead, PipelinesWrite, SessionDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.services import schema_changes
from etlfabric_core.services.schema_changes import State

router = APIRouter(prefix="/schema-changes", tags=["schema changes"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig)
WRITE_ERRORS = READ_ERRORS | errors(Conflict)


@router.get("", responses=READ_ERRORS)
async def list_changes(
    principal: PipelinesRead,
    session: SessionDep,
    page: PageDep,
    state: State | None = None,
    pipeline_id: int | None = None,
) -> PageOut[SchemaChangeOut]:
    """Changes of tables, newest first."""
    found = await schema_changes.list_page(session, page, state, pipeline_id)
    items = [SchemaChangeOut.of(one) for one in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.get("/{id}", responses=READ_ERRORS)
async def get(id: int, principal: PipelinesRead, session: SessionDep) -> SchemaChangeOut:
    """The changes of one table."""
    return SchemaChangeOut.of(await schema_changes.get(session, id))


@router.post("/{id}/approve", responses=WRITE_ERRORS)
async def approve(
    id: int, body: DecisionIn, principal: PipelinesWrite, session: SessionDep
) -> SchemaChangeOut:
    """Lets the next load go on with exactly these changes."""
    shown = await schema_changes.decide(session, principal, id, "approve", body.note)
    return SchemaChangeOut.of(shown)


@router.post("/{id}/reject", responses=WRITE_ERRORS)
async def reject(
    id: int, body: DecisionIn, principal: PipelinesWrite, session: SessionDep
) -> SchemaChangeOut:
    """Loads with these changes fail from now on, until the configuration changes."""
    shown = await schema_changes.decide(session, principal, id, "reject", body.note)
    return SchemaChangeOut.of(shown)
