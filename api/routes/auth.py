"""Sign-up, sign-in, refresh, sign-out. Public: there is no access token yet."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Header, Response

from api.datamodels.auth import LoginIn, RefreshIn, RegisterIn, TokensOut
from api.datamodels.organization import OrganizationOut
from api.deps import PlatformSessionDep, Wiring, WiringDep
from api.errors import errors
from etlfabric_core.access.tokens import ACCESS_LIFETIME, REFRESH_LIFETIME
from etlfabric_core.errors import Conflict, InvalidConfig, Unauthenticated, UpstreamUnavailable
from etlfabric_core.services import accounts, organizations
from etlfabric_core.services.accounts import SignedIn

router = APIRouter(prefix="/auth", tags=["auth"])

COOKIE = "etlfabric_refresh"
COOKIE_PATH = "/api/v1/auth"
WEB = "etlfabric-web"

RefreshCookie = Annotated[str | None, Cookie(alias=COOKIE)]
RequestedWith = Annotated[str | None, Header(alias="X-Requested-With")]


@router.post(
    "/register",
    status_code=201,
    responses=errors(Conflict, InvalidConfig, UpstreamUnavailable),
)
async def register(
    body: RegisterIn, wiring: WiringDep, response: Response, requested_with: RequestedWith = None
) -> TokensOut:
    """Makes a user and an organization, and signs in."""
    signed_in = await organizations.register(
        wiring.sessions,
        wiring.box,
        wiring.warehouse,
        organizations.Registration(
            body.email, body.password.get_secret_value(), body.name, body.organization
        ),
        jwt_secret=_secret(wiring),
    )
    return _tokens(signed_in, wiring, response, requested_with)


@router.post("/login", responses=errors(Unauthenticated, InvalidConfig))
async def login(
    body: LoginIn,
    wiring: WiringDep,
    session: PlatformSessionDep,
    response: Response,
    requested_with: RequestedWith = None,
) -> TokensOut:
    """Signs in to an organization."""
    signed_in = await accounts.sign_in(
        session,
        email=body.email,
        password=body.password.get_secret_value(),
        organization=body.organization,
        jwt_secret=_secret(wiring),
    )
    return _tokens(signed_in, wiring, response, requested_with)


@router.post("/refresh", responses=errors(Unauthenticated, Conflict))
async def refresh(
    wiring: WiringDep,
    response: Response,
    body: RefreshIn | None = None,
    cookie: RefreshCookie = None,
    requested_with: RequestedWith = None,
) -> TokensOut:
    """New tokens for a refresh token, from the body or the cookie."""
    token = _refresh_token(body, cookie)
    signed_in = await accounts.refresh(wiring.sessions, token, jwt_secret=_secret(wiring))
    return _tokens(signed_in, wiring, response, requested_with)


@router.post("/logout", status_code=204, responses=errors(Unauthenticated))
async def logout(
    session: PlatformSessionDep,
    response: Response,
    body: RefreshIn | None = None,
    cookie: RefreshCookie = None,
) -> None:
    """Ends the session of the refresh token."""
    await accounts.sign_out(session, _refresh_token(body, cookie))
    response.delete_cookie(COOKIE, path=COOKIE_PATH, httponly=True, samesite="strict")


def _refresh_token(body: RefreshIn | None, cookie: str | None) -> str:
    given = body.refresh_token if body else None
    token = given.get_secret_value() if given else cookie
    if not token:
        raise Unauthenticated("there is no refresh token", hint="sign in")
    return token


def _secret(wiring: Wiring) -> str:
    return wiring.settings.jwt_secret.get_secret_value()


def _tokens(
    signed_in: SignedIn, wiring: Wiring, response: Response, requested_with: str | None
) -> TokensOut:
    response.set_cookie(
        COOKIE,
        signed_in.refresh_token,
        max_age=int(REFRESH_LIFETIME.total_seconds()),
        path=COOKIE_PATH,
        httponly=True,
        samesite="strict",
        secure=wiring.settings.api_url.startswith("https:"),
    )
    return TokensOut(
        access_token=signed_in.access_token,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=None if requested_with == WEB else signed_in.refresh_token,
        organization=OrganizationOut.model_validate(signed_in.organization),
        role=signed_in.role,
    )
