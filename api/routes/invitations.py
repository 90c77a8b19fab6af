"""Invitations to the organization, and accepting them."""

from fastapi import APIRouter, Request, Response

from api.datamodels.auth import TokensOut
from api.datamodels.invitations import (
    InvitationAcceptIn,
    InvitationIn,
    InvitationLookIn,
    InvitationLookOut,
    InvitationOut,
    InvitingOrganizationOut,
)
from api.deps import (
    MembersRead,
    MembersWrite,
    OpenSessionDep,
    OptionalPersonDep,
    PlatformSessionDep,
    SessionDep,
    WiringDep,
)
from api.errors import errors
from api.limits import per_address
from api.pagination import PageDep, PageOut
from api.routes.auth import get_device, give_tokens
from etlfabric_core.access.permissions import Role
from etlfabric_core.access.throttle import Rule
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.services import acceptance, invitations
from etlfabric_core.services.acceptance import Acceptance
from etlfabric_core.services.invitations import Sent

router = APIRouter(prefix="/invitations", tags=["invitations"])
public = APIRouter(
    prefix="/auth/invitations",
    tags=["invitations"],
    dependencies=[per_address(Rule.INVITATION)],
)

SEND_ERRORS = errors(
    Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, UpstreamUnavailable
)


@router.get(
    "",
    response_model=PageOut[InvitationOut],
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def list_invitations(
    principal: MembersRead, session: SessionDep, page: PageDep
) -> Page[Sent]:
    """Those that were neither accepted nor revoked; expired ones too."""
    return await invitations.list_page(session, page)


@router.post("", status_code=201, response_model=InvitationOut, responses=SEND_ERRORS)
async def create(
    body: InvitationIn, principal: MembersWrite, wiring: WiringDep, open_session: OpenSessionDep
) -> Sent:
    """Invites somebody by mail; without a mail server, the answer has the link to pass on."""
    await wiring.throttle.admit(Rule.INVITING, principal.org_id)
    async with open_session() as session:
        letter = await invitations.create(
            session, principal, email=body.email, role=body.role, mailed=wiring.mailer.enabled
        )
    return await invitations.deliver(letter, wiring.mailer, wiring.settings.browser_url)


@router.post("/{id}/resend", response_model=InvitationOut, responses=SEND_ERRORS)
async def resend(
    id: int, principal: MembersWrite, wiring: WiringDep, open_session: OpenSessionDep
) -> Sent:
    """Sends a new link; the old one ends."""
    await wiring.throttle.admit(Rule.INVITING, principal.org_id)
    async with open_session() as session:
        letter = await invitations.resend(session, principal, id, mailed=wiring.mailer.enabled)
    return await invitations.deliver(letter, wiring.mailer, wiring.settings.browser_url)


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig),
)
async def revoke(id: int, principal: MembersWrite, session: SessionDep) -> None:
    """Ends an invitation."""
    await invitations.revoke(session, principal, id)


@public.post("/look", responses=errors(NotFound, InvalidConfig))
async def look(body: InvitationLookIn, session: PlatformSessionDep) -> InvitationLookOut:
    """What an invitation is about, for whoever has its token."""
    seen = await acceptance.look(session, body.token.get_secret_value())
    return InvitationLookOut(
        organization=InvitingOrganizationOut.model_validate(seen.organization),
        email=seen.invitation.email,
        role=Role(seen.invitation.role),
        expires_at=seen.invitation.expires_at,
        has_account=seen.has_account,
    )


@public.post(
    "/accept",
    responses=errors(
        Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, TooManyRequests
    ),
)
async def accept(
    body: InvitationAcceptIn,
    caller: OptionalPersonDep,
    wiring: WiringDep,
    request: Request,
    response: Response,
) -> TokensOut:
    """Makes a member of who accepts, and signs in to the organization."""
    password = body.password.get_secret_value() if body.password else None
    signed_in = await acceptance.accept(
        wiring.sessions,
        wiring.throttle,
        Acceptance(body.token.get_secret_value(), body.name, password, caller),
        get_device(request),
        jwt_secret=wiring.settings.jwt_secret.get_secret_value(),
    )
    return give_tokens(signed_in, wiring, request, response)
