"""The installation as a whole, for those who run it."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.datamodels.platform import PlatformHealthOut, TenantOut, TenantPatch
from api.deps import PlatformSessionDep, WiringDep
from api.deps_platform import PlatformOperator, PlatformOwner
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.services import platform
from etlfabric_core.services.platform import Health, Tenant

router = APIRouter(prefix="/platform", tags=["platform"])


@router.get(
    "/organizations",
    response_model=PageOut[TenantOut],
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def list_organizations(
    principal: PlatformOperator, session: PlatformSessionDep, page: PageDep
) -> Page[Tenant]:
    """Every organization of the installation, the deleted ones too."""
    return await platform.organizations(session, page)


@router.patch(
    "/organizations/{id}",
    response_model=TenantOut,
    responses=errors(Unauthenticated, Forbidden, NotFound, InvalidConfig),
)
async def decide(
    id: Annotated[int, Path(ge=1, le=2**62)],
    body: TenantPatch,
    principal: PlatformOwner,
    session: PlatformSessionDep,
) -> Tenant:
    """Allows an organization's owners and admins to sign in to Airflow, or no longer."""
    return await platform.allow_operators(session, principal, id, body.airflow_operators)


@router.get(
    "/health", response_model=PlatformHealthOut, responses=errors(Unauthenticated, Forbidden)
)
async def health(
    principal: PlatformOperator, session: PlatformSessionDep, wiring: WiringDep
) -> Health:
    """How code of organizations is isolated, how Airflow is, and which versions run."""
    return await platform.health(session, wiring.orchestrator)
