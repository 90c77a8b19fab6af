"""Members of the organization."""

from fastapi import APIRouter, Depends

from api.datamodels.members import MemberOut, MemberPatch
from api.deps import MembersRead, MembersWrite, OrganizationRead, SessionDep, get_person
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.services import members
from etlfabric_core.services.members import Member

router = APIRouter(prefix="/members", tags=["members"])

WRITE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig)


@router.get(
    "",
    response_model=PageOut[MemberOut],
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def list_members(principal: MembersRead, session: SessionDep, page: PageDep) -> Page[Member]:
    """Everyone in the organization, with their roles."""
    return await members.list_page(session, page)


# Before `/{id}`, which would take it for an id.
@router.delete(
    "/me",
    status_code=204,
    dependencies=[Depends(get_person)],
    responses=errors(Unauthenticated, Forbidden, Conflict),
)
async def leave(principal: OrganizationRead, session: SessionDep) -> None:
    """Takes the caller out of the organization."""
    await members.leave(session, principal)


@router.patch("/{id}", response_model=MemberOut, responses=WRITE_ERRORS)
async def change_role(
    id: int, body: MemberPatch, principal: MembersWrite, session: SessionDep
) -> Member:
    """Gives a member another role."""
    return await members.change_role(session, principal, id, role=body.role)


@router.delete("/{id}", status_code=204, responses=WRITE_ERRORS)
async def remove(id: int, principal: MembersWrite, session: SessionDep) -> None:
    """Takes a member out of the organization."""
    await members.remove(session, principal, id)
