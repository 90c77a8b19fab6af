"""The caller's organization."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from api.datamodels.members import MemberOut
from api.datamodels.organization import (
    DeletionOut,
    OrganizationOut,
    OrganizationPatch,
    TransferIn,
)
from api.deps import (
    BY_PERSON,
    OpenSessionDep,
    OrganizationDelete,
    OrganizationRead,
    OrganizationWrite,
    SessionDep,
    WiringDep,
)
from api.errors import errors
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.models import Organization
from etlfabric_core.services import members, organization_deletion, organizations
from etlfabric_core.services.members import Member

router = APIRouter(prefix="/organization", tags=["organization"])

Confirm = Annotated[str, Query(max_length=40, description="The slug of the organization.")]


@router.get("", response_model=OrganizationOut, responses=errors(Unauthenticated, Forbidden))
async def get(principal: OrganizationRead, session: SessionDep) -> Organization:
    """Its profile."""
    return await organizations.get(session, principal)


@router.patch(
    "",
    response_model=OrganizationOut,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def change(
    body: OrganizationPatch, principal: OrganizationWrite, session: SessionDep
) -> Organization:
    """Changes the name or the description that people see."""
    return await organizations.change(session, principal, body.model_dump(exclude_unset=True))


@router.post(
    "/transfer",
    response_model=MemberOut,
    dependencies=BY_PERSON,
    responses=errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig),
)
async def transfer(body: TransferIn, principal: OrganizationDelete, session: SessionDep) -> Member:
    """Makes another member an owner, and the caller an admin."""
    return await members.transfer(session, principal, body.member_id, confirm=body.confirm)


@router.delete(
    "",
    dependencies=BY_PERSON,
    responses=errors(Unauthenticated, Forbidden, Conflict, InvalidConfig),
)
async def delete(
    confirm: Confirm,
    principal: OrganizationDelete,
    wiring: WiringDep,
    open_session: OpenSessionDep,
) -> DeletionOut:
    """Closes it for everybody, stops what runs in it, and purges it when the time is over."""
    purge_after = await organization_deletion.delete(
        open_session,
        wiring.orchestrator,
        principal,
        confirm=confirm,
        grace=timedelta(days=wiring.settings.organization_grace_days),
    )
    return DeletionOut(purge_after=purge_after)
