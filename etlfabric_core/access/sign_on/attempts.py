"""An attempt to sign on: what the browser keeps, sealed, from the start to the callback."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from etlfabric_core import clock
from etlfabric_core.access.sign_on.provider import Refusal, SignOnRefused

LIFETIME = timedelta(minutes=10)
PURPOSE = b"etlfabric sign-on attempt"


@dataclass(frozen=True)
class Attempt:
    """One attempt. With `user_id` and `sid`, that login adds an identity to its own account."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str
    user_id: int | None = None
    sid: UUID | None = None


def seal(attempt: Attempt, secret: str) -> str:
    """The attempt as only this service can read and write it."""
    return seal_values(asdict(attempt), secret, PURPOSE)


def unseal(sealed: str | None, secret: str) -> Attempt:
    """The attempt that the browser brings back.

    Raises:
        SignOnRefused: there is none, it is older than ten minutes, or not of our making.
    """
    values = unseal_values(sealed, secret, PURPOSE, LIFETIME)
    sid = values["sid"]
    return Attempt(**values | {"sid": sid and UUID(sid)})


def seal_values(values: Mapping[str, Any], secret: str, purpose: bytes) -> str:
    """Values that the browser carries, and that open for the same purpose only."""
    now = int(clock.now().timestamp())
    payload = json.dumps(dict(values), default=str).encode()
    return _key(secret, purpose).encrypt_at_time(payload, now).decode()


def unseal_values(
    sealed: str | None, secret: str, purpose: bytes, lifetime: timedelta
) -> dict[str, Any]:
    """What was sealed for the purpose within the lifetime.

    Raises:
        SignOnRefused: there is nothing, it is too old, or not of our making.
    """
    now, ttl = int(clock.now().timestamp()), int(lifetime.total_seconds())
    try:
        opened = _key(secret, purpose).decrypt_at_time((sealed or "").encode(), ttl, now)
    except InvalidToken as error:
        what = "is not ours or too old" if sealed else "did not come back with the browser"
        raise SignOnRefused(Refusal.EXPIRED, f"the attempt {what}") from error
    values: dict[str, Any] = json.loads(opened)
    return values


def _key(secret: str, purpose: bytes) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
