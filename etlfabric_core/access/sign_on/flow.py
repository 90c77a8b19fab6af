"""The authorization code flow with PKCE, state and nonce: begin at the provider, finish here."""

import hmac
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from etlfabric_core.access.sign_on.attempts import Attempt
from etlfabric_core.access.sign_on.exchange import fetch_object
from etlfabric_core.access.sign_on.openid import discover
from etlfabric_core.access.sign_on.provider import (
    Document,
    Grant,
    Person,
    Provider,
    Refusal,
    SignOnRefused,
)
from etlfabric_core.access.tokens import new_opaque

# Answers of a provider that mean: the person did not want to.
DECLINED = ("access_denied", "consent_required", "interaction_required", "login_required")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Answer:
    """The query string of the callback."""

    state: str | None
    code: str | None
    error: str | None
    iss: str | None


def new_attempt(
    provider: str, next: str, *, user_id: int | None = None, sid: UUID | None = None
) -> Attempt:
    """An attempt with random values of its own."""
    return Attempt(
        provider, new_opaque(), new_opaque(), new_opaque(), next, user_id=user_id, sid=sid
    )


async def begin(
    provider: Provider, client: httpx.AsyncClient, attempt: Attempt, redirect_uri: str
) -> str:
    """Where the browser goes to sign in.

    Raises:
        SignOnRefused: the provider's document cannot be had, or is not usable.
    """
    metadata = await discover(provider, client)
    url: str = prepare_grant_uri(
        metadata["authorization_endpoint"],
        provider.client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=provider.scope,
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
    )
    return url


async def finish(
    provider: Provider,
    client: httpx.AsyncClient,
    attempt: Attempt,
    answer: Answer,
    redirect_uri: str,
) -> Person:
    """Whom the provider names, once everything about its answer is right.

    Raises:
        SignOnRefused: the answer is not to this attempt, not of this provider, an error, or the
            token is not valid.
    """
    if not hmac.compare_digest((answer.state or "").encode(), attempt.state.encode()):
        raise SignOnRefused(Refusal.EXPIRED, "the state is not that of the attempt")
    metadata = await discover(provider, client)
    code = _code(metadata, answer)
    form, headers = _token_request(provider, metadata, attempt, code, redirect_uri)
    token = await fetch_object(client, metadata["token_endpoint"], headers=headers, content=form)
    if error := token.get("error"):
        raise SignOnRefused(Refusal.FAILED, f"the token endpoint refuses: {str(error)[:100]}")
    return await provider.identify(Grant(provider, metadata, token, attempt.nonce, client))


def _code(metadata: Document, answer: Answer) -> str:
    """The code, if the answer comes from the provider that was asked (RFC 9207)."""
    named = answer.iss
    if named is None and metadata.get("authorization_response_iss_parameter_supported"):
        raise SignOnRefused(Refusal.FAILED, "the answer does not say which issuer it is from")
    if named is not None and named != metadata["issuer"]:
        raise SignOnRefused(Refusal.FAILED, "the answer is from another issuer")
    if answer.error:
        refusal = Refusal.CANCELLED if answer.error in DECLINED else Refusal.FAILED
        raise SignOnRefused(refusal, f"the provider answered: {answer.error[:100]}")
    if not answer.code:
        raise SignOnRefused(Refusal.FAILED, "the answer has no code")
    return answer.code


def _token_request(
    provider: Provider, metadata: Document, attempt: Attempt, code: str, redirect_uri: str
) -> tuple[str, dict[str, str]]:
    """Form and headers that trade the code for tokens."""
    form = prepare_token_request(
        "authorization_code",
        redirect_uri=redirect_uri,
        code=code,
        code_verifier=attempt.verifier,
    )
    methods = metadata.get("token_endpoint_auth_methods_supported")
    basic = not isinstance(methods, list) or "client_secret_basic" in methods
    secret = provider.client_secret.get_secret_value()
    auth = (
        ClientAuth(quote(provider.client_id, safe=""), quote(secret, safe=""))
        if basic
        else ClientAuth(provider.client_id, secret, "client_secret_post")
    )
    _, headers, form = auth.prepare("POST", metadata["token_endpoint"], dict(FORM), form)
    return form, headers
