"""A provider that lies: it stands in for one that was taken over, and signs with keys of its own.

Untouched it behaves well, which shows that an attack fails because of its lie and of nothing else.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.sso.server import LocalServer, Reply, Request, as_json

CLIENT_ID = "etlfabric-at-hostile"
CLIENT_SECRET = "the client secret of the hostile provider"
KID = "signing"


@dataclass
class Lie:
    """What the provider says otherwise. In `metadata` and `claims`, None leaves a member out."""

    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    make_id_token: Callable[["HostileProvider", dict[str, Any]], str] | None = None
    keys: list[dict[str, Any]] | None = None
    replies: dict[str, Reply] = field(default_factory=dict)


class HostileProvider:
    """One sign-on at a time."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": KID, "use": "sig"})
        self.lie = Lie()
        self.nonce = ""
        self.requests: list[Request] = []
        self.server = LocalServer(self.answer)
        self.issuer = f"http://localhost:{self.server.port}"

    def answer(self, request: Request) -> Reply:
        """What a request gets."""
        self.requests.append(request)
        if request.path in self.lie.replies:
            return self.lie.replies[request.path]
        known: dict[str, Callable[[], Any]] = {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": lambda: {"keys": self.lie.keys or [self.public_key()]},
            "/token": self._token,
            "/userinfo": lambda: {"sub": self._claims().get("sub")},
        }
        return as_json(known[request.path]()) if request.path in known else as_json({}, 404)

    def public_key(self) -> dict[str, Any]:
        """The JWK that others check signatures with."""
        return dict(self.key.as_dict(private=False))

    def sign(
        self, claims: dict[str, Any], key: RSAKey | ECKey | OctKey | None = None, **header: Any
    ) -> str:
        """An ID token with these claims."""
        full = {"alg": "RS256", "kid": KID, **header}
        return jwt.encode(full, claims, key or self.key, algorithms=[full["alg"]])

    def _metadata(self) -> dict[str, Any]:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        return _present(told | self.lie.metadata)

    def _token(self) -> dict[str, Any]:
        claims = self._claims()
        make = self.lie.make_id_token
        id_token = make(self, claims) if make else self.sign(claims)
        token = {"access_token": "an-access-token", "token_type": "Bearer", "id_token": id_token}
        return _present(token | self.lie.token)

    def _claims(self) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": self.issuer,
            "sub": "the-subject",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "somebody@example.com",
            "email_verified": True,
            "name": "Somebody",
        }
        return _present(told | self.lie.claims)


def unsigned(claims: dict[str, Any], **header: str) -> str:
    """An ID token without a signature; its header says the algorithm `none`, or what is given."""
    return ".".join((_b64({"alg": "none"} | header), _b64(claims), ""))


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
