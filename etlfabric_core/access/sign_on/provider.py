"""What a sign-on provider is, whom it names, and how a sign-on ends when it fails."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
from pydantic import SecretStr

from etlfabric_core.access.network import AllowList, safe_client
from etlfabric_core.errors import FabricError

Document = Mapping[str, Any]

SECONDS = 10
MAX_EMAIL = 254
MAX_NAME = 120
MAX_SUBJECT = 255


class Refusal(StrEnum):
    """Why nobody was signed in; the sign-in page has words for each."""

    CANCELLED = "cancelled"  # by the person, at the provider
    EXPIRED = "expired"  # took too long, or was begun in another browser
    FAILED = "failed"  # the provider did not answer, or not as it must
    UNVERIFIED = "unverified"  # the provider does not vouch for the e-mail address
    LINK_REQUIRED = "link_required"  # the address has an account: sign in to it, then link
    ALREADY_LINKED = "already_linked"  # the identity belongs to somebody else
    CONFIRM_EMAIL = "confirm_email"  # linking needs an account whose address is confirmed
    NO_ORGANIZATION = "no_organization"  # the account belongs to no organization any more


class SignOnRefused(FabricError):
    """403. The message is for the operator and the audit log, the refusal for the page."""

    status = 403
    code = "sign_on_refused"

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True)
class Person:
    """Whom the provider names. Only issuer and subject stay the same for ever."""

    issuer: str
    subject: str
    email: str
    verified: bool
    name: str


@dataclass(frozen=True)
class Grant:
    """What the provider answered to the code, and what is needed to read it."""

    provider: "Provider"
    metadata: Document
    token: Document
    nonce: str
    client: httpx.AsyncClient

    def bearer(self) -> dict[str, str]:
        """The header that shows the access token.

        Raises:
            SignOnRefused: there is none.
        """
        token = self.token.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SignOnRefused(Refusal.FAILED, "the token endpoint gave no access token")
        return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Provider:
    """One configured provider. Without `metadata` it is asked for its own discovery document."""

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: SecretStr
    scope: str
    identify: Callable[[Grant], Awaitable[Person]]
    metadata: Document | None = None

    def client(self, allowed: AllowList) -> httpx.AsyncClient:
        """A client for requests to the provider.

        The operator named the provider's own hosts, as no tenant can: they may be private. What
        its documents lead to must be public, or opened by the operator.
        """
        named = [self.issuer, *(self.metadata or {}).values()]
        own = {httpx.URL(url).host for url in named if isinstance(url, str)}
        opened = AllowList(allowed.hosts | own, allowed.networks)
        return safe_client(opened, timeout=SECONDS)


def make_person(
    issuer: str, *, subject: object, email: object, verified: object, name: object
) -> Person:
    """The person, after a look at what the provider says.

    Only `True` itself is verified. An address beyond ASCII is not: two of them can become one when
    they are put in lower case.

    Raises:
        SignOnRefused: there is no usable subject.
    """
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise SignOnRefused(Refusal.FAILED, "the provider names no subject")
    if not subject.isprintable():
        raise SignOnRefused(Refusal.FAILED, "the provider's subject is not printable")
    address = email.lower() if isinstance(email, str) and _plain_address(email) else ""
    return Person(
        issuer=issuer,
        subject=subject,
        email=address,
        verified=bool(address) and verified is True,
        name=_name(name, address),
    )


def _plain_address(email: str) -> bool:
    local, at, domain = email.rpartition("@")
    plain = email.isascii() and email.isprintable() and " " not in email
    return plain and len(email) <= MAX_EMAIL and bool(local and at and domain) and "@" not in local


def _name(name: object, address: str) -> str:
    given = name if isinstance(name, str) else ""
    printable = "".join(character for character in given if character.isprintable())
    return printable.strip()[:MAX_NAME].strip() or address.partition("@")[0][:MAX_NAME]
