"""The organizations of the person who is signed in: a new one, and the deleted ones."""

from fastapi import APIRouter

from api.chores import holdings
from api.datamodels.organization import OrganizationOut
from api.datamodels.organizations import DeletedOrganizationOut, OrganizationIn
from api.deps import PersonDep, PlatformSessionDep, WiringDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from api.routes.organization import Confirm
from etlfabric_core.access.throttle import Rule
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.models import Organization
from etlfabric_core.services import organization_deletion, organization_purge, organizations

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.post(
    "",
    status_code=201,
    response_model=OrganizationOut,
    responses=errors(Unauthenticated, Forbidden, Conflict, InvalidConfig, UpstreamUnavailable),
)
async def create(body: OrganizationIn, person: PersonDep, wiring: WiringDep) -> Organization:
    """Another organization, which the caller owns; switch to it to work there."""
    await wiring.throttle.admit(Rule.REGISTER, "user", person.user_id)
    return await organizations.create(
        wiring.sessions, wiring.box, wiring.warehouse, person, name=body.name
    )


@router.get(
    "/deleted",
    response_model=PageOut[DeletedOrganizationOut],
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def list_deleted(
    person: PersonDep, session: PlatformSessionDep, page: PageDep
) -> Page[Organization]:
    """The deleted organizations that the caller owns and can restore."""
    return await organization_deletion.deleted(session, person.user_id, page)


@router.post(
    "/{id}/restore",
    response_model=OrganizationOut,
    responses=errors(Unauthenticated, Forbidden, NotFound, InvalidConfig),
)
async def restore(id: int, person: PersonDep, session: PlatformSessionDep) -> Organization:
    """Opens a deleted organization again, with its members, its data and its DAGs."""
    return await organization_deletion.restore(session, person.user_id, id)


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, UpstreamUnavailable),
)
async def purge(id: int, confirm: Confirm, person: PersonDep, wiring: WiringDep) -> None:
    """Removes everything of a deleted organization, for good."""
    await organization_purge.purge(holdings(wiring), person, id, confirm=confirm)
