"""What a provider can lie about, as a table: each lie alone must keep everybody out."""

import hmac
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.sso.hostile import CLIENT_SECRET, HostileProvider, Lie, unsigned
from tests.sso.server import Reply, as_json

DAY = 86_400
NEVER = threading.Event()
REFUSED = {"error": "invalid_grant"}
ENDLESS = Reply(body=b'{"a":"' + b"a" * (2 << 20))
DEEP = Reply(body=b"[" * 500_000)
HTML = Reply(body=b"<p>Sign in to the network</p>", content_type="text/html")
DOCUMENT = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Attack:
    """A lie of the provider, or a false answer that it sends the browser back with.

    `reason` is what the audit log must say about it: the attack fails because of the lie.
    """

    name: str
    reason: str
    lie: Lie = field(default_factory=Lie)
    query: dict[str, str | None] = field(default_factory=dict)  # None leaves a parameter out
    refusal: str = "failed"
    at_start: bool = False


def _claims(name: str, reason: str, **claims: Any) -> Attack:
    return Attack(name, reason, Lie(claims=claims))


def _signed(
    name: str, reason: str, make: Callable[[HostileProvider, dict[str, Any]], str]
) -> Attack:
    return Attack(name, reason, Lie(make_id_token=make))


def _answers(name: str, path: str, reason: str, reply: Reply, *, at_start: bool = False) -> Attack:
    return Attack(name, f"{path} {reason}", Lie(replies={path: reply}), at_start=at_start)


def _document(name: str, reason: str, lie: Lie) -> Attack:
    return Attack(name, reason, lie, at_start=True)


def _foreign_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "signing"})


def _own_key_in_header(provider: HostileProvider, claims: dict[str, Any]) -> str:
    key = ECKey.generate_key("P-256", {"kid": "signing"})  # one of RSA does not fit into a header
    return provider.sign(claims, key, alg="ES256", jwk=key.as_dict(private=False))


def _public_key_as_secret(provider: HostileProvider, claims: dict[str, Any]) -> str:
    head, body, _ = unsigned(claims, alg="HS256", kid="signing").split(".")
    secret = provider.key.as_pem(private=False)
    signature = hmac.digest(secret, f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _unverified(name: str, **claims: Any) -> Attack:
    return Attack(name, "does not vouch", Lie(claims=claims), refusal="unverified")


def lies() -> list[Attack]:
    """All of them; times are those of now."""
    now = int(time.time())
    return [
        # --- the ID token
        _claims("issuer: another", "claim: 'iss'", iss="https://accounts.google.com"),
        _claims("issuer: none", "claim: 'iss'", iss=None),
        _claims("issuer: a list with the right one", "Claim 'iss'", iss=["http://localhost", "x"]),
        _claims("audience: another client", "claim: 'aud'", aud="another-client"),
        _claims("audience: none", "claim: 'aud'", aud=None),
        _claims(
            "audience: several, party unnamed",
            "claim: 'azp'",
            aud=["etlfabric-at-hostile", "other"],
        ),
        _claims("party: another", "claim: 'azp'", azp="other"),
        _claims("expired", "is expired", iat=now - 900, exp=now - 300),
        _claims("no expiry", "claim: 'exp'", exp=None),
        _claims("expiry: no number", "Claim 'exp'", exp=float("nan")),
        _claims("expiry: never", "Claim 'exp'", exp=float("inf")),
        _claims("expiry: a word", "Claim 'exp'", exp="tomorrow"),
        _claims("issued in the future", "issued in the future", iat=now + DAY, exp=now + 2 * DAY),
        _claims("not yet valid", "not yet valid", nbf=now + DAY),
        _claims("nonce: of another attempt", "claim: 'nonce'", nonce="x" * 43),
        _claims("nonce: none", "claim: 'nonce'", nonce=None),
        _claims(
            "access token: of another answer", "claim: 'at_hash'", at_hash="AAAAAAAAAAAAAAAAAAAAAA"
        ),
        _claims("subject: none", "claim: 'sub'", sub=None),
        _claims("subject: empty", "names no subject", sub=""),
        _claims("subject: a number", "Claim 'sub'", sub=7),
        _claims("subject: with a NUL", "not printable", sub="a\x00b"),
        _claims("subject: endless", "names no subject", sub="s" * 300),
        _signed(
            "algorithm none", "'none' is not allowed", lambda provider, claims: unsigned(claims)
        ),
        _signed(
            "signed by another key",
            "bad_signature",
            lambda p, claims: p.sign(claims, _foreign_key()),
        ),
        _signed("key in the header", "invalid_key_type", _own_key_in_header),
        _signed(
            "key at a URL",
            "bad_signature",
            lambda p, c: p.sign(c, _foreign_key(), jku=f"{p.issuer}/other"),
        ),
        _signed("public key as shared secret", "'HS256' is not allowed", _public_key_as_secret),
        _signed(
            "client secret as key",
            "'HS256' is not allowed",
            lambda p, claims: p.sign(claims, OctKey.import_key(CLIENT_SECRET), alg="HS256"),
        ),
        _signed("claims changed after signing", "bad_signature", _changed_after_signing),
        _signed("not a token", "decode_error", lambda provider, claims: "not.a.token"),
        _signed("claims: deep", "RecursionError", _deep),
        Attack("client auth: nonsense", "answered 401", _odd_authentication()),
        Attack("no ID token", "KeyError", Lie(token={"id_token": None})),
        Attack("ID token: a number", "decode_error", Lie(token={"id_token": 7})),
        Attack(
            "keys: a shared secret",
            "missing_key",
            Lie(keys=[{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}]),
        ),
        Attack("keys: nonsense", "key_parameter", Lie(keys=[{"kty": "RSA", "n": 1, "e": []}])),
        # --- the address
        _unverified("address not verified", email_verified=False),
        _unverified("address verified: a word", email_verified="true"),
        _unverified("address verified: a number", email_verified=1),
        _unverified("address: nothing said of it", email_verified=None),
        _unverified("address: looks like another", email="bac\u212a@example.com"),
        _unverified("address: two", email="a@evil.example@example.com"),
        _unverified("address: with a line", email="a@example.com\r\nBcc: b@example.com"),
        _unverified("address: a list", email=["a@example.com"]),
        Attack("user info of another subject", "user info is of another", _other_user_info()),
        # --- what the provider's documents lead to
        _document("of another issuer", "of another issuer", Lie(metadata={"issuer": "http://x:1"})),
        _document(
            "no token endpoint", "token_endpoint: not", Lie(metadata={"token_endpoint": None})
        ),
        _document("sign-in page: a script", "not an address", _page("javascript:alert(1)")),
        _document("sign-in page: a file", "not an address", _page("file:///etc/passwd")),
        _answers("document: HTML", DOCUMENT, "did not answer with JSON", HTML, at_start=True),
        _answers("document: 500", DOCUMENT, "answered 500", Reply(500), at_start=True),
        _answers("document: a list", DOCUMENT, "did not", as_json([]), at_start=True),
        _answers("document: never", DOCUMENT, "did not", Reply(after=NEVER), at_start=True),
        _answers("document: endless", DOCUMENT, "answered with more", ENDLESS, at_start=True),
        _answers("document: deep", DOCUMENT, "did not answer with JSON", DEEP, at_start=True),
        _answers("token endpoint: 500", "/token", "answered 500", Reply(500, b"oops")),
        _answers("token endpoint: HTML", "/token", "did not answer with JSON", HTML),
        _answers("token endpoint: never", "/token", "did not", Reply(after=NEVER)),
        _answers("token endpoint: an error", "/token", "answered 400", as_json(REFUSED, 400)),
        _answers("token endpoint: elsewhere", "/token", "answered 307", Reply(307, location="/t")),
        _answers("keys: 500", "/jwks", "answered 500", Reply(500)),
        Attack("an error with 200", "invalid_grant", Lie(replies={"/token": as_json(REFUSED)})),
        Attack("keys: none", "KeyError 'keys'", Lie(replies={"/jwks": as_json({})})),
        # --- the answer that the browser brings
        Attack("state: another", "the state is not", query={"state": "x" * 43}, refusal="expired"),
        Attack(
            "state: not ASCII", "the state is not", query={"state": "\u00e9"}, refusal="expired"
        ),
        Attack("state: none", "the state is not", query={"state": None}, refusal="expired"),
        Attack("code: none", "has no code", query={"code": None}),
        Attack(
            "mix-up: from another issuer",
            "from another issuer",
            query={"iss": "https://honest.example"},
        ),
        Attack("mix-up: from nobody", "does not say which issuer", query={"iss": None}),
        Attack("error", "answered: server_error", query={"error": "server_error"}),
        Attack("error: with a NUL", "answered: a?b", query={"error": "a\x00b"}),
        Attack(
            "cancelled",
            "answered: access_denied",
            query={"error": "access_denied"},
            refusal="cancelled",
        ),
        Attack(
            "error: to another attempt",
            "the state is not",
            query={"error": "access_denied", "state": "x" * 43},
            refusal="expired",
        ),
    ]


def _page(url: str) -> Lie:
    return Lie(metadata={"authorization_endpoint": url})


def _other_user_info() -> Lie:
    said = {"sub": "another", "email": "victim@example.com", "email_verified": True}
    return Lie(claims={"email": None}, replies={"/userinfo": as_json(said)})


def _odd_authentication() -> Lie:
    refused = {"/token": as_json(REFUSED, 401)}
    return Lie(metadata={"token_endpoint_auth_methods_supported": 7}, replies=refused)


def _deep(provider: HostileProvider, claims: dict[str, Any]) -> str:
    text = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    return jws.serialize_compact({"alg": "RS256", "kid": "signing"}, text, provider.key)


def _changed_after_signing(provider: HostileProvider, claims: dict[str, Any]) -> str:
    head, _, signature = provider.sign(claims).split(".")
    _, body, _ = unsigned(claims | {"sub": "somebody-else"}).split(".")
    return ".".join((head, body, signature))
