"""Access tokens (signed, short) and refresh tokens (opaque, random, stored by hash)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import jwt

from etlfabric_core import clock
from etlfabric_core.errors import Unauthenticated

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=7)
ALGORITHM = "HS256"
ISSUER = "etlfabric"
AUDIENCE = "etlfabric-api"
TYPE = "access"


@dataclass(frozen=True)
class Identity:
    """What an access token says: which user, signed in to which organization."""

    user_id: int
    org_id: int


def issue_access(identity: Identity, secret: str) -> str:
    """A signed access token, good for 15 minutes."""
    now = clock.now()
    claims = {
        "sub": str(identity.user_id),
        "org": identity.org_id,
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
        Unauthenticated: wrong signature, algorithm, issuer, audience or type, or expired.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "iss", "aud", "sub", "typ", "org"]},
        )
        if claims["typ"] != TYPE:
            raise jwt.InvalidTokenError("not an access token")
        return Identity(user_id=int(claims["sub"]), org_id=int(claims["org"]))
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Unauthenticated(
            "the access token is invalid or has expired", hint="sign in again, or refresh it"
        ) from error


def new_refresh() -> str:
    """An opaque refresh token of 256 random bits."""
    return secrets.token_urlsafe(32)


def refresh_hash(token: str) -> bytes:
    """What is stored of a refresh token. It is random, so one fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()
