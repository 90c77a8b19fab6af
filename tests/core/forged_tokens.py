"""Access tokens that nobody was ever given, each made from a good one."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from etlfabric_core import clock
from etlfabric_core.access.tokens import AUDIENCE, new_opaque

OTHER_SECRET = "the-secret-of-another-installation-0123456789"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def forged(good: str, secret: str) -> Iterator[tuple[str, str]]:
    """What is wrong with it, and the token."""
    claims = jwt.decode(good, secret, algorithms=["HS256"], audience=AUDIENCE)
    yield from _wrong_claims(claims, secret)
    yield from _wrong_algorithms(claims, secret)
    yield from _wrong_headers(claims, secret)
    yield from _wrong_bytes(good)


def _wrong_claims(claims: dict[str, Any], secret: str) -> Iterator[tuple[str, str]]:
    hour, now = timedelta(hours=1), clock.now()
    changes: dict[str, dict[str, Any]] = {
        "expired a second ago": {"exp": now - timedelta(seconds=1)},
        "expired long ago": {"exp": 1},
        "expires never": {"exp": "never"},
        "not good yet": {"nbf": now + hour},
        "issued in the future": {"iat": now + hour},
        "another audience": {"aud": "elsewhere"},
        "another of our audiences": {"aud": "etlfabric-airflow"},
        "no audience in a list": {"aud": []},
        "another issuer": {"iss": "elsewhere"},
        "another type": {"typ": "refresh"},
        "a type that is none": {"typ": None},
        "a login that never was": {"sid": str(uuid4())},
        "a login that is no id": {"sid": "1"},
        "a login in a list": {"sid": [claims["sid"]]},
        "another organization": {"org": claims["org"] + 1_000_000},
        "an organization that is no number": {"org": "1 OR 1=1"},
        "another user": {"sub": str(int(claims["sub"]) + 1_000_000)},
        "a user that is no number": {"sub": "admin"},
        "a user that is a number": {"sub": int(claims["sub"])},
    }
    for what, change in changes.items():
        yield what, jwt.encode(claims | change, secret, algorithm="HS256")
    for name in ("exp", "aud", "iss", "typ", "sub", "org", "sid"):
        kept = {key: value for key, value in claims.items() if key != name}
        yield f"without {name}", jwt.encode(kept, secret, algorithm="HS256")
    yield "another secret", jwt.encode(claims, OTHER_SECRET, algorithm="HS256")
    yield "the empty secret", _signed({"alg": "HS256"}, claims, "")


def _wrong_algorithms(claims: dict[str, Any], secret: str) -> Iterator[tuple[str, str]]:
    for name in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{_part({'alg': name, 'typ': 'JWT'})}.{_part(claims)}."
        yield f"alg {name}", unsigned
    for name in ("HS384", "HS512"):
        yield f"alg {name}", jwt.encode(claims, secret, algorithm=name)
    yield "alg RS256", jwt.encode(claims, RSA_KEY, algorithm="RS256")
    yield "alg ES256", jwt.encode(claims, EC_KEY, algorithm="ES256")
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    yield "a public key as secret", _signed({"alg": "HS256"}, claims, public.decode())
    yield "no alg", _signed({"typ": "JWT"}, claims, secret)
    yield "alg in a list", _signed({"alg": ["HS256"]}, claims, secret)


def _wrong_headers(claims: dict[str, Any], secret: str) -> Iterator[tuple[str, str]]:
    own_key = {"kty": "oct", "k": base64.urlsafe_b64encode(OTHER_SECRET.encode()).decode()}
    headers: dict[str, dict[str, Any]] = {
        "its own key": {"jwk": own_key},
        "the address of a key": {"jku": "http://127.0.0.1:9/keys.json"},
        "a certificate's address": {"x5u": "http://127.0.0.1:9/certificate.pem"},
        "a key from a file": {"kid": "../../../../dev/null"},
        "a key from the database": {"kid": "x' UNION SELECT 'y"},
    }
    for what, header in headers.items():
        yield what, jwt.encode(claims, OTHER_SECRET, algorithm="HS256", headers=header)
    critical = {"crit": ["unknown"], "unknown": True}
    yield "a critical header", jwt.encode(claims, secret, algorithm="HS256", headers=critical)


def _wrong_bytes(good: str) -> Iterator[tuple[str, str]]:
    header, payload, signature = good.split(".")
    yield "truncated", good[:-1]
    yield "without a signature", f"{header}.{payload}."
    yield "two parts", f"{header}.{payload}"
    yield "four parts", f"{good}.{signature}"
    yield "a changed payload", f"{header}.{payload[:-2]}AA.{signature}"
    yield "no JSON inside", f"{header}.{base64.urlsafe_b64encode(b'[1').decode()}.{signature}"
    yield "a number inside", f"{header}.{base64.urlsafe_b64encode(b'7').decode()}.{signature}"
    yield "huge", f"{header}.{'A' * 60_000}.{signature}"
    yield "nothing of it", "not-a-token"
    yield "a refresh token", new_opaque()


def _signed(header: dict[str, Any], claims: dict[str, Any], secret: str) -> str:
    signed = f"{_part(header)}.{_part(claims)}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
