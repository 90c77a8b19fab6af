"""What a sign-on leads to: a login, an account for somebody new, or one more identity."""

import secrets
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import IntegrityError

from etlfabric_core.access.sign_on.attempts import Attempt
from etlfabric_core.access.sign_on.provider import Person, Refusal, SignOnRefused
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import Conflict, UpstreamUnavailable
from etlfabric_core.services import audit, identities, logins, organizations
from etlfabric_core.services.logins import Device, SignedIn
from etlfabric_core.services.warehouse import Warehouse

MAX_NAME = 60
NUMBERED = 16  # so much of the name leaves room for a number in the slug
TRIES = 5
AT_ONCE = "the same person signed on twice at once"

log = structlog.get_logger()


@dataclass(frozen=True)
class Places:
    """Where an organization comes to be."""

    sessions: Sessions
    box: SecretBox
    warehouse: Warehouse


async def sign_in(places: Places, person: Person, device: Device, *, jwt_secret: str) -> SignedIn:
    """Signs the person in, whom `device.method` names. Somebody new gets an account.

    Somebody new gets an organization of their own, whoever has invited the address: strangers can
    invite it too, so that the person accepts an invitation by its link.

    Raises:
        SignOnRefused: see `identities.find_user`; or the account belongs to no organization, or
            the warehouse, which a new organization needs, cannot be reached.
    """
    try:
        async with platform_session(places.sessions) as session:
            user = await identities.find_user(session, person, device.method)
            if user is not None:
                pair = await identities.pair_of(session, user)
                return await logins.begin(session, user, pair, device, jwt_secret=jwt_secret)
        return await _found(places, person, device, jwt_secret)
    except (IntegrityError, Conflict) as error:
        raise SignOnRefused(Refusal.FAILED, AT_ONCE) from error
    except UpstreamUnavailable as error:
        raise SignOnRefused(Refusal.FAILED, error.message) from error


async def link(sessions: Sessions, person: Person, attempt: Attempt) -> None:
    """Adds the person's identity to the account that began the attempt.

    Raises:
        SignOnRefused: see `identities.link`.
    """
    try:
        async with platform_session(sessions) as session:
            await identities.link(session, person, attempt)
    except IntegrityError as error:
        raise SignOnRefused(Refusal.FAILED, AT_ONCE) from error


async def note_refusal(
    sessions: Sessions, provider: str, attempt: Attempt | None, refused: SignOnRefused
) -> None:
    """Notes in the audit log of the platform that a sign-on was refused, and why."""
    # Some of it is the provider's own words.
    reason = "".join(character if character.isprintable() else "?" for character in refused.message)
    log.warning("sign_on_refused", provider=provider, refusal=refused.refusal, reason=reason)
    async with platform_session(sessions) as session:
        await audit.note(
            session,
            action="sign_on_refused",
            resource_type="provider",
            resource_id=provider,
            user_id=attempt.user_id if attempt else None,
            new={"refusal": refused.refusal, "reason": reason},
        )


async def _found(places: Places, person: Person, device: Device, jwt_secret: str) -> SignedIn:
    """An account and an organization of its own, named after the person."""
    for name in _names(person):
        try:
            async with organizations.founded(
                places.sessions, places.box, places.warehouse, name, field="organization"
            ) as (session, organization):
                user = await identities.new_user(session, person)
                pair = await organizations.own(session, organization, user), organization
                await identities.add(session, user, pair, person, device.method)
                return await logins.begin(session, user, pair, device, jwt_secret=jwt_secret)
        except Conflict:
            continue
    raise SignOnRefused(Refusal.FAILED, "every name for a new organization was taken")


def _names(person: Person) -> list[str]:
    """Names for an organization, to be tried in turn; later ones end in a random number."""
    known = (person.name, person.email.partition("@")[0])
    fit = [name for name in known if any(c.isascii() and c.isalnum() for c in name)]
    name = fit[0][:MAX_NAME] if fit else "Team"
    numbered = (f"{name[:NUMBERED]} {secrets.randbelow(10_000):04}" for _ in range(TRIES))
    return [name, *numbered]
