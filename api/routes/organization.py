"""The caller's organization."""

from fastapi import APIRouter

from api.datamodels.organization import OrganizationOut, OrganizationPatch
from api.deps import OrganizationRead, OrganizationWrite, SessionDep
from api.errors import errors
from etlfabric_core.errors import Forbidden, InvalidConfig, Unauthenticated
from etlfabric_core.models import Organization
from etlfabric_core.services import organizations

router = APIRouter(prefix="/organization", tags=["organization"])


@router.get("", response_model=OrganizationOut, responses=errors(Unauthenticated))
async def get(principal: OrganizationRead, session: SessionDep) -> Organization:
    """Its profile."""
    return await organizations.get(session, principal)


@router.patch(
    "",
    response_model=OrganizationOut,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def rename(
    body: OrganizationPatch, principal: OrganizationWrite, session: SessionDep
) -> Organization:
    """Changes the name that people see."""
    return await organizations.rename(session, principal, name=body.name)
