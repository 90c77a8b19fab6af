"""SAML: what a provider's administrator imports, and where assertions are posted to. Public."""

from typing import Annotated
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from api.deps import Wiring, WiringDep
from api.errors import errors
from api.limits import per_address
from api.routes.sso import callback_path, refuse, saml_site
from etlfabric_core.access.sign_on import providers, saml
from etlfabric_core.access.sign_on.provider import SignOnRefused
from etlfabric_core.access.sign_on.saml import SamlProvider
from etlfabric_core.access.throttle import Rule
from etlfabric_core.errors import InvalidConfig, NotFound

router = APIRouter(prefix="/auth/saml", tags=["sign-on"])

MAX_ASSERTION = 256 << 10
XML = "application/samlmetadata+xml"
# Anybody may post: checking must hold up neither other requests nor every thread.
CHECKING = CapacityLimiter(2)


@router.get(
    "/metadata",
    response_class=Response,
    responses=errors(NotFound) | {200: {"content": {XML: {}}}},
)
async def metadata(wiring: WiringDep) -> Response:
    """This service as the identity provider needs to know it."""
    return Response(saml.metadata(_provider(wiring), saml_site(wiring)), media_type=XML)


@router.post(
    "/consume",
    status_code=303,
    response_class=RedirectResponse,
    responses=errors(NotFound, InvalidConfig),
    dependencies=[per_address(Rule.SSO_RETURN)],
)
async def consume(
    wiring: WiringDep,
    assertion: Annotated[str, Form(alias="SAMLResponse", max_length=MAX_ASSERTION)],
    state: Annotated[str, Form(alias="RelayState", max_length=200)] = "",
) -> Response:
    """Takes an assertion; the browser goes on to the callback, where its cookie is seen again."""
    provider = _provider(wiring)
    secret = wiring.settings.jwt_secret.get_secret_value()
    try:
        code = await to_thread.run_sync(
            saml.receive, provider, saml_site(wiring), assertion, secret, limiter=CHECKING
        )
    except SignOnRefused as refused:
        return await refuse(wiring, provider, refused, status=303)
    query = urlencode({"state": state, "code": code})
    return RedirectResponse(f"{callback_path(provider)}?{query}", 303)


def _provider(wiring: Wiring) -> SamlProvider:
    provider = providers.named(wiring.settings, "saml")
    assert isinstance(provider, SamlProvider)  # noqa: S101 - that name is SAML's
    return provider
