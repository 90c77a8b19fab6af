"""Sign-up, sign-in, refresh, switch, sign-out, forgotten passwords. Public: nobody is signed in."""

from fastapi import APIRouter, BackgroundTasks, Request, Response

from api.datamodels.auth import (
    ForgotIn,
    LoginIn,
    RefreshIn,
    RegisterIn,
    ResetIn,
    SwitchIn,
    TokensOut,
    VerifyIn,
)
from api.datamodels.organization import OrganizationOut
from api.deps import PlatformSessionDep, Wiring, WiringDep, get_address
from api.errors import errors
from api.limits import per_address
from api.refresh_cookie import delete_refresh_cookie, given_token, is_web, set_refresh_cookie
from etlfabric_core.access.throttle import Rule
from etlfabric_core.access.tokens import ACCESS_LIFETIME
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.services import logins, organizations, passwords, sign_in, verification
from etlfabric_core.services.logins import Device, SignedIn

router = APIRouter(prefix="/auth", tags=["auth"])

MAX_USER_AGENT = 300


@router.post(
    "/register",
    status_code=201,
    responses=errors(Conflict, InvalidConfig, UpstreamUnavailable),
    dependencies=[per_address(Rule.REGISTER)],
)
async def register(
    body: RegisterIn,
    wiring: WiringDep,
    request: Request,
    response: Response,
    after: BackgroundTasks,
) -> TokensOut:
    """Makes a user and an organization, and signs in."""
    signed_in = await organizations.register(
        wiring.sessions,
        wiring.box,
        wiring.warehouse,
        organizations.Registration(
            body.email, body.password.get_secret_value(), body.name, body.organization
        ),
        get_device(request),
        jwt_secret=_secret(wiring),
    )
    after.add_task(
        verification.welcome,
        wiring.sessions,
        wiring.mailer,
        wiring.settings.browser_url,
        signed_in.user_id,
    )
    return give_tokens(signed_in, wiring, request, response)


@router.post("/login", responses=errors(Unauthenticated, InvalidConfig))
async def login(
    body: LoginIn, wiring: WiringDep, request: Request, response: Response
) -> TokensOut:
    """Signs in to an organization."""
    password = body.password.get_secret_value()
    signed_in = await sign_in.by_password(
        wiring.sessions,
        wiring.throttle,
        sign_in.Attempt(body.email, password, get_address(request)),
        get_device(request),
        organization=body.organization,
        jwt_secret=_secret(wiring),
    )
    return give_tokens(signed_in, wiring, request, response)


@router.post(
    "/refresh",
    responses=errors(Unauthenticated, Forbidden, Conflict),
    dependencies=[per_address(Rule.REFRESH)],
)
async def refresh(
    wiring: WiringDep, request: Request, response: Response, body: RefreshIn | None = None
) -> TokensOut:
    """New tokens for a refresh token, from the body or the cookie."""
    token = given_token(request, wiring, body.refresh_token if body else None)
    signed_in = await logins.refresh(wiring.sessions, token, jwt_secret=_secret(wiring))
    return give_tokens(signed_in, wiring, request, response)


@router.post(
    "/switch",
    responses=errors(Unauthenticated, Forbidden, NotFound, Conflict),
    dependencies=[per_address(Rule.REFRESH)],
)
async def switch(
    body: SwitchIn, wiring: WiringDep, request: Request, response: Response
) -> TokensOut:
    """New tokens, for another organization of the same person."""
    token = given_token(request, wiring, body.refresh_token)
    signed_in = await logins.refresh(
        wiring.sessions, token, jwt_secret=_secret(wiring), organization=body.organization
    )
    return give_tokens(signed_in, wiring, request, response)


@router.post(
    "/logout",
    status_code=204,
    responses=errors(Unauthenticated, Forbidden),
    dependencies=[per_address(Rule.REFRESH)],
)
async def logout(
    session: PlatformSessionDep,
    wiring: WiringDep,
    request: Request,
    response: Response,
    body: RefreshIn | None = None,
) -> None:
    """Ends the session of the refresh token."""
    await logins.end(session, given_token(request, wiring, body.refresh_token if body else None))
    delete_refresh_cookie(response, wiring)


@router.post(
    "/password/forgot",
    status_code=202,
    responses=errors(InvalidConfig),
    dependencies=[per_address(Rule.FORGOT)],
)
async def forgot(body: ForgotIn, wiring: WiringDep, after: BackgroundTasks) -> None:
    """Sends a link to the address, if there is such an account; the answer does not say."""
    # Too many: nothing more is sent, but no stranger can keep the owner from being answered.
    if not await wiring.throttle.has_room(Rule.FORGOT_ACCOUNT, body.email):
        return
    # After the answer, so that its time does not say either.
    after.add_task(
        passwords.send_reset,
        wiring.sessions,
        wiring.mailer,
        wiring.settings.browser_url,
        body.email,
    )


@router.post(
    "/password/reset",
    status_code=204,
    responses=errors(NotFound, InvalidConfig),
    dependencies=[per_address(Rule.RESET)],
)
async def reset(body: ResetIn, session: PlatformSessionDep) -> None:
    """Sets the password for a link's token, and ends every session of its owner."""
    await passwords.reset(
        session,
        token=body.token.get_secret_value(),
        password=body.password.get_secret_value(),
    )


@router.post(
    "/email/verify",
    status_code=204,
    responses=errors(NotFound, InvalidConfig),
    dependencies=[per_address(Rule.VERIFY)],
)
async def verify_email(body: VerifyIn, session: PlatformSessionDep) -> None:
    """Notes that the address is the account's own, for a link's token."""
    await verification.confirm(session, body.token.get_secret_value())


def get_device(request: Request) -> Device:
    """From where somebody signs in with a password."""
    agent = request.headers.get("user-agent", "")[:MAX_USER_AGENT]
    return Device(address=get_address(request), user_agent=agent or None)


def give_tokens(
    signed_in: SignedIn, wiring: Wiring, request: Request, response: Response
) -> TokensOut:
    """The answer to a sign-in: our own pages get the refresh token in a cookie, others in it."""
    if is_web(request):
        set_refresh_cookie(response, signed_in, wiring)
    return TokensOut(
        access_token=signed_in.access_token,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=None if is_web(request) else signed_in.refresh_token,
        organization=OrganizationOut.model_validate(signed_in.organization),
        role=signed_in.role,
    )


def _secret(wiring: Wiring) -> str:
    return wiring.settings.jwt_secret.get_secret_value()
