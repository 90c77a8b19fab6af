"""Who is calling."""

from fastapi import APIRouter

from api.datamodels.auth import MembershipOut, MeOut, UserOut
from api.datamodels.organization import OrganizationOut
from api.deps import PlatformSessionDep, PrincipalDep
from api.errors import errors
from etlfabric_core.errors import Unauthenticated
from etlfabric_core.services import accounts

router = APIRouter(tags=["auth"])


@router.get("/me", responses=errors(Unauthenticated))
async def me(principal: PrincipalDep, session: PlatformSessionDep) -> MeOut:
    """The user, the organization, what the role allows, and the user's other organizations."""
    user = await accounts.get_user(session, principal.user_id)
    pairs = await accounts.memberships(session, principal.user_id)
    current = next(organization for _, organization in pairs if organization.id == principal.org_id)
    return MeOut(
        user=UserOut.model_validate(user),
        organization=OrganizationOut.model_validate(current),
        role=principal.role,
        permissions=sorted(principal.permissions),
        memberships=[
            MembershipOut.model_validate({"organization": organization, "role": membership.role})
            for membership, organization in pairs
        ],
    )
