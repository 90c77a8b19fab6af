"""Access tokens (signed, short) and opaque tokens (random, stored by hash)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import jwt

from etlfabric_core import clock
from etlfabric_core.errors import Unauthenticated

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=7)
ALGORITHM = "HS256"
ISSUER = "etlfabric"
AUDIENCE = "etlfabric-api"
TYPE = "access"


class Forged(Unauthenticated):
    """The token is none that this service issued for this use."""


@dataclass(frozen=True)
class Identity:
    """What an access token says: which user, signed in to which organization, by which login."""

    user_id: int
    org_id: int
    sid: UUID


def issue_access(identity: Identity, secret: str) -> str:
    """A signed access token, good for 15 minutes."""
    now = clock.now()
    claims = {
        "sub": str(identity.user_id),
        "org": identity.org_id,
        "sid": str(identity.sid),
        "typ": TYPE,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + ACCESS_LIFETIME,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_access(token: str, secret: str) -> Identity:
    """What a valid access token says.

    Raises:
        Unauthenticated: it has expired.
        Forged: wrong signature, algorithm, issuer, audience or type; the answer is the same.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "iss", "aud", "sub", "typ", "org", "sid"]},
        )
        if claims["typ"] != TYPE:
            raise jwt.InvalidTokenError("not an access token")
        return Identity(int(claims["sub"]), int(claims["org"]), UUID(claims["sid"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        forged = not isinstance(error, jwt.ExpiredSignatureError)
        raise (Forged if forged else Unauthenticated)(
            "the access token is invalid or has expired",
            hint="sign in again, or refresh it",
            audited=forged,  # one expires every quarter of an hour in every browser
        ) from error


def new_opaque() -> str:
    """An opaque token of 256 random bits: a refresh token, an invitation, a reset link."""
    return secrets.token_urlsafe(32)


def opaque_hash(token: str) -> bytes:
    """What is stored of an opaque token. It is random, so one fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()
