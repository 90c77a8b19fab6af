"""OpenID Connect: the provider's discovery document, its signed ID token, its user info."""

from typing import Any

import httpx
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from etlfabric_core import clock
from etlfabric_core.access.sign_on.exchange import fetch_object
from etlfabric_core.access.sign_on.provider import (
    Document,
    Grant,
    Person,
    Provider,
    Refusal,
    SignOnRefused,
    make_person,
)

# Signatures by a key that only the provider has: neither none nor a shared secret.
ALGORITHMS = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
KEY_TYPES = ("RSA", "EC")
# What the libraries raise at a token or a key that is not even well-formed.
UNREADABLE = (JoseError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LEEWAY_SECONDS = 60


async def discover(provider: Provider, client: httpx.AsyncClient) -> Document:
    """The provider's metadata: its own document, or what is fixed for it.

    Raises:
        SignOnRefused: it cannot be had, is another issuer's, or lacks an endpoint.
    """
    if provider.metadata is not None:
        return provider.metadata
    url = get_well_known_url(provider.issuer, external=True)
    document = await fetch_object(client, url)
    if document.get("issuer") != provider.issuer:
        raise SignOnRefused(Refusal.FAILED, f"{url} is the document of another issuer")
    for name in NEEDED:
        _check_endpoint(provider, name, document.get(name))
    if document.get("userinfo_endpoint") is not None:
        _check_endpoint(provider, "userinfo_endpoint", document["userinfo_endpoint"])
    return document


async def identify(grant: Grant) -> Person:
    """The person whom a valid ID token names.

    The e-mail address comes from the token, or from the user info of the same subject.

    Raises:
        SignOnRefused: the token is not valid, or the user info is of somebody else.
    """
    keys = await fetch_object(grant.client, grant.metadata["jwks_uri"])
    claims = read_id_token(grant, keys)
    said: Document = claims
    endpoint = grant.metadata.get("userinfo_endpoint")
    if "email" not in claims and endpoint:
        said = await fetch_object(grant.client, endpoint, headers=grant.bearer())
        if said.get("sub") != claims["sub"]:
            raise SignOnRefused(Refusal.FAILED, "the user info is of another subject")
    return make_person(
        grant.provider.issuer,
        subject=claims["sub"],
        email=said.get("email"),
        verified=said.get("email_verified"),
        name=said.get("name"),
    )


def read_id_token(grant: Grant, keys: Document) -> dict[str, Any]:
    """The claims of an ID token that the issuer signed for this service and this attempt.

    Raises:
        SignOnRefused: wrong key, algorithm, issuer, audience, nonce or time; names the reason.
    """
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    options = {
        "iss": {"essential": True, "value": grant.provider.issuer},
        "aud": {"essential": True, "value": grant.provider.client_id},
    }
    params = {
        "nonce": grant.nonce,
        "client_id": grant.provider.client_id,
        "access_token": grant.token.get("access_token"),
    }
    try:
        decoded = jwt.decode(grant.token["id_token"], _key_set(keys), registry=registry)
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY_SECONDS)
    except UNREADABLE as error:
        reason = f"the ID token is not valid: {type(error).__name__} {error}"
        raise SignOnRefused(Refusal.FAILED, reason) from error
    return dict(claims)


def _key_set(keys: Document) -> KeySet:
    usable = [
        key
        for key in keys["keys"]
        if key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig"
    ]
    return KeySet.import_key_set({"keys": usable})


def _check_endpoint(provider: Provider, name: str, url: object) -> None:
    """An endpoint is a URL of the web, and as safe as the issuer's own."""
    try:
        parsed = httpx.URL(url if isinstance(url, str) else "")
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    schemes = ("https",) if provider.issuer.startswith("https:") else ("https", "http")
    if parsed.scheme not in schemes or not parsed.host:
        raise SignOnRefused(Refusal.FAILED, f"{name}: not an address to use: {str(url)[:200]}")
