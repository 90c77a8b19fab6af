"""Single sign-on: off to the provider, and back. Public: there is no access token yet.

Both are visited by the browser itself, so that the callback answers with a redirect in any case:
to where the person wanted to go, or to a page with `?problem=<code>`, one of `Refusal`.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.cookies import Cookie, over_https
from api.datamodels.identities import ProviderOut, ProvidersOut
from api.deps import Wiring, WiringDep
from api.errors import errors
from api.limits import per_address
from api.refresh_cookie import set_refresh_cookie
from api.routes.auth import get_device
from etlfabric_core.access.sign_on import attempts, flow, providers, saml
from etlfabric_core.access.sign_on.attempts import Attempt
from etlfabric_core.access.sign_on.flow import Answer
from etlfabric_core.access.sign_on.provider import Person, Refusal, SignOnRefused
from etlfabric_core.access.sign_on.providers import Known
from etlfabric_core.access.sign_on.saml import SamlProvider, Site
from etlfabric_core.access.throttle import Rule
from etlfabric_core.errors import InvalidConfig, NotFound
from etlfabric_core.services import sign_on

router = APIRouter(prefix="/auth", tags=["sign-on"])

COOKIE = "etlfabric_sign_on"
SIGN_IN = "/sign-in"
PROFILE = "/profile"
# A path of our own pages; `//host` and `/\host` would be somebody else's.
LOCAL_PATH = r"^/([^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*)?$"

Next = Annotated[str, Query(pattern=LOCAL_PATH, max_length=500)]


@router.get("/providers")
async def list_providers(wiring: WiringDep) -> ProvidersOut:
    """Who can be signed in with."""
    known = providers.configured(wiring.settings).values()
    items = [ProviderOut.model_validate(provider) for provider in known]
    return ProvidersOut(items=items, mail=wiring.mailer.enabled)


@router.get(
    "/sso/{provider}/start",
    status_code=302,
    response_class=RedirectResponse,
    responses=errors(NotFound, InvalidConfig),
    dependencies=[per_address(Rule.SSO)],
)
async def start(provider: str, wiring: WiringDep, next: Next = "/") -> Response:
    """Sends the browser to the provider; it keeps the attempt in a sealed cookie."""
    chosen = providers.named(wiring.settings, provider)
    attempt = flow.new_attempt(chosen.name, next)
    try:
        url, attempt = await begin(chosen, attempt, wiring)
    except SignOnRefused as refused:
        return await refuse(wiring, chosen, refused)
    response = RedirectResponse(url, 302)
    keep_attempt(response, chosen, attempt, wiring)
    return response


@router.get(
    "/sso/{provider}/callback",
    status_code=302,
    response_class=RedirectResponse,
    responses=errors(NotFound, InvalidConfig),
    dependencies=[per_address(Rule.SSO_RETURN)],
)
async def callback(
    provider: str,
    wiring: WiringDep,
    request: Request,
    state: str | None = None,
    code: str | None = None,
    error: str | None = None,
    iss: str | None = None,
) -> Response:
    """Comes back from the provider: signs in, or links the identity to who began to link it."""
    chosen = providers.named(wiring.settings, provider)
    attempt: Attempt | None = None
    try:
        attempt = attempts.unseal(_cookie(chosen, wiring).value(request), _secret(wiring))
        response = await _finish(chosen, attempt, Answer(state, code, error, iss), wiring, request)
    except SignOnRefused as refused:
        response = await refuse(wiring, chosen, refused, attempt=attempt)
    _cookie(chosen, wiring).drop(response)
    return response


async def begin(provider: Known, attempt: Attempt, wiring: Wiring) -> tuple[str, Attempt]:
    """Where the browser goes, and the attempt that it keeps.

    Raises:
        SignOnRefused: the provider cannot be used.
    """
    if isinstance(provider, SamlProvider):
        return saml.begin(provider, attempt, saml_site(wiring))
    async with provider.client(wiring.allowed) as client:
        url = await flow.begin(provider, client, attempt, _redirect_uri(provider, wiring))
    return url, attempt


def keep_attempt(response: Response, provider: Known, attempt: Attempt, wiring: Wiring) -> None:
    """Leaves the attempt with the browser, for the callback alone."""
    sealed = attempts.seal(attempt, _secret(wiring))
    _cookie(provider, wiring).keep(response, sealed, attempts.LIFETIME)


async def _finish(
    provider: Known, attempt: Attempt, answer: Answer, wiring: Wiring, request: Request
) -> Response:
    if attempt.provider != provider.name:
        raise SignOnRefused(Refusal.EXPIRED, "the attempt was begun at another provider")
    person = await _person(provider, attempt, answer, wiring)
    response = RedirectResponse(attempt.next, 302)
    if attempt.user_id is not None:
        await sign_on.link(wiring.sessions, person, attempt)
        return response
    device = replace(get_device(request), method=provider.name)
    places = sign_on.Places(wiring.sessions, wiring.box, wiring.warehouse)
    signed_in = await sign_on.sign_in(places, person, device, jwt_secret=_secret(wiring))
    set_refresh_cookie(response, signed_in, wiring)
    return response


async def _person(provider: Known, attempt: Attempt, answer: Answer, wiring: Wiring) -> Person:
    if isinstance(provider, SamlProvider):
        return saml.finish(attempt, answer.state, answer.code, _secret(wiring))
    async with provider.client(wiring.allowed) as client:
        redirect_uri = _redirect_uri(provider, wiring)
        return await flow.finish(provider, client, attempt, answer, redirect_uri)


def saml_site(wiring: Wiring) -> Site:
    """How this service presents itself to a SAML identity provider."""
    base = f"{wiring.settings.browser_url}/api/v1/auth/saml"
    return Site(entity_id=f"{base}/metadata", consumer_url=f"{base}/consume")


async def refuse(
    wiring: Wiring,
    provider: Known,
    refused: SignOnRefused,
    *,
    attempt: Attempt | None = None,
    status: int = 302,
) -> Response:
    """Notes a refusal, and sends the browser to the page that tells of it."""
    await sign_on.note_refusal(wiring.sessions, provider.name, attempt, refused)
    page = PROFILE if attempt and attempt.user_id is not None else SIGN_IN
    return RedirectResponse(f"{page}?problem={refused.refusal}", status)


def _redirect_uri(provider: Known, wiring: Wiring) -> str:
    """As the operator registered it with the provider; what a request says of hosts is unused."""
    return wiring.settings.browser_url + callback_path(provider)


def callback_path(provider: Known) -> str:
    """Where the browser comes back to."""
    return f"/api/v1/auth/sso/{provider.name}/callback"


def _cookie(provider: Known, wiring: Wiring) -> Cookie:
    # Lax, not strict: the browser comes back from another site.
    return Cookie(COOKIE, callback_path(provider), "lax", over_https(wiring.settings))


def _secret(wiring: Wiring) -> str:
    return wiring.settings.jwt_secret.get_secret_value()
