"""The sign-on identities of the caller's account."""

from fastapi import APIRouter, Response

from api.datamodels.identities import IdentitiesOut, IdentityOut, LinkOut
from api.deps import PersonDep, PlatformSessionDep, WiringDep
from api.errors import errors
from api.routes.sso import PROFILE, begin, keep_attempt
from etlfabric_core.access.sign_on import flow, providers
from etlfabric_core.access.sign_on.provider import SignOnRefused
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.services import identities

router = APIRouter(prefix="/me/identities", tags=["sign-on"])


@router.get("", responses=errors(Unauthenticated, Forbidden))
async def list_identities(principal: PersonDep, session: PlatformSessionDep) -> IdentitiesOut:
    """Where the caller can sign in."""
    found = await identities.list_all(session, principal.user_id)
    return IdentitiesOut(items=[IdentityOut.model_validate(identity) for identity in found])


@router.post(
    "/{provider}", responses=errors(Unauthenticated, Forbidden, NotFound, UpstreamUnavailable)
)
async def link_identity(
    provider: str, principal: PersonDep, wiring: WiringDep, response: Response
) -> LinkOut:
    """Begins to link: the browser goes to `url`, and comes back to the profile."""
    chosen = providers.named(wiring.settings, provider)
    attempt = flow.new_attempt(chosen.name, PROFILE, user_id=principal.user_id, sid=principal.sid)
    try:
        url, attempt = await begin(chosen, attempt, wiring)
    except SignOnRefused as refused:
        raise UpstreamUnavailable(
            f"{chosen.label} cannot be reached", hint="try again later, or tell the operator"
        ) from refused
    keep_attempt(response, chosen, attempt, wiring)
    return LinkOut(url=url)


@router.delete(
    "/{id}", status_code=204, responses=errors(Unauthenticated, Forbidden, NotFound, Conflict)
)
async def unlink_identity(
    id: int, principal: PersonDep, wiring: WiringDep, session: PlatformSessionDep
) -> None:
    """Removes one; the last way to sign in stays."""
    issuers = {provider.issuer for provider in providers.configured(wiring.settings).values()}
    await identities.unlink(session, principal, id, issuers=issuers)
