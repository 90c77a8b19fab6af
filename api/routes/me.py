"""Who is calling, and what belongs to the person: name, password, address, sessions."""

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from api.datamodels.me import (
    MembershipOut,
    MeOut,
    MePatch,
    PasswordIn,
    SessionOut,
    SessionsOut,
    UserOut,
)
from api.datamodels.organization import OrganizationOut
from api.deps import PersonDep, PlatformSessionDep, WiringDep
from api.errors import errors
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.throttle import Rule
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.models import Login, Organization, User
from etlfabric_core.services import accounts, passwords, sessions, verification

router = APIRouter(prefix="/me", tags=["me"])


@router.get("", responses=errors(Unauthenticated, Forbidden))
async def me(principal: PersonDep, session: PlatformSessionDep) -> MeOut:
    """The user, the organization, what the role allows, and the user's other organizations."""
    return await _me(session, principal)


@router.patch("", responses=errors(Unauthenticated, Forbidden, InvalidConfig))
async def change(body: MePatch, principal: PersonDep, session: PlatformSessionDep) -> MeOut:
    """Changes the name that others see."""
    await accounts.rename(session, principal, name=body.name)
    return await _me(session, principal)


@router.post(
    "/password", status_code=204, responses=errors(Unauthenticated, Forbidden, InvalidConfig)
)
async def change_password(
    body: PasswordIn, principal: PersonDep, session: PlatformSessionDep, wiring: WiringDep
) -> None:
    """Sets another password, and ends every other session."""
    await wiring.throttle.admit(Rule.PASSWORD_CHANGE, principal.user_id)
    await passwords.change(
        session,
        principal,
        current=body.current.get_secret_value() if body.current else None,
        new=body.new.get_secret_value(),
    )


@router.post(
    "/email/verification",
    status_code=202,
    responses=errors(Unauthenticated, Forbidden, Conflict, UpstreamUnavailable),
)
async def verify_email(principal: PersonDep, wiring: WiringDep) -> None:
    """Sends a link that verifies the address, unless it is verified already."""
    await wiring.throttle.admit(Rule.VERIFY_ACCOUNT, principal.user_id)
    await verification.send(
        wiring.sessions, wiring.mailer, wiring.settings.browser_url, principal.user_id
    )


@router.get("/sessions", responses=errors(Unauthenticated, Forbidden))
async def list_sessions(principal: PersonDep, session: PlatformSessionDep) -> SessionsOut:
    """Where the person is signed in, the last used first."""
    found = await sessions.list_living(session, principal.user_id)
    return SessionsOut(items=[_session(*pair, principal) for pair in found])


@router.delete("/sessions", status_code=204, responses=errors(Unauthenticated, Forbidden))
async def end_other_sessions(principal: PersonDep, session: PlatformSessionDep) -> None:
    """Signs out everywhere else."""
    await sessions.end_others(session, principal)


@router.delete(
    "/sessions/{id}", status_code=204, responses=errors(Unauthenticated, Forbidden, NotFound)
)
async def end_session(id: int, principal: PersonDep, session: PlatformSessionDep) -> None:
    """Signs out in one place."""
    await sessions.end_one(session, principal, id)


async def _me(session: AsyncSession, principal: Principal) -> MeOut:
    user = await accounts.get_user(session, principal.user_id)
    pairs = await accounts.memberships(session, principal.user_id)
    current = await accounts.membership_in(session, principal.user_id, principal.org_id)
    if current is None:
        raise Unauthenticated("you are no longer a member of this organization")
    return MeOut(
        user=_user(user),
        organization=OrganizationOut.model_validate(current[1]),
        role=principal.role,
        permissions=sorted(principal.permissions),
        memberships=[
            MembershipOut.model_validate({"organization": organization, "role": membership.role})
            for membership, organization in pairs
        ],
    )


def _user(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        email=user.email,
        name=user.name,
        email_verified=user.email_verified_at is not None,
        has_password=user.password_hash is not None,
        platform_role=user.platform_role,
    )


def _session(login: Login, organization: Organization, principal: Principal) -> SessionOut:
    return SessionOut(
        id=login.id,
        method=login.method,
        address=login.address,
        user_agent=login.user_agent,
        created_at=login.created_at,
        last_used_at=login.last_used_at,
        current=login.sid == principal.sid,
        organization=OrganizationOut.model_validate(organization),
    )
