"""Access tokens of Google: asked for with a service account's key, or a person's consent."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from pydantic import SecretStr
from requests import PreparedRequest, Session
from requests.auth import AuthBase

from etlfabric_core.connectors import google
from etlfabric_core.connectors.google_sheets import GoogleSheetsConfig, GoogleSheetsSecrets
from etlfabric_core.connectors.record import Grant
from etlfabric_core.errors import InvalidConfig, TerminalError

SIGNED_S = 3600  # how long Google lets a signed request live at most
EARLY_S = 120  # a token is renewed so long before it ends


@dataclass
class GoogleToken(AuthBase):
    """Signs requests with a token, and gets another one before it ends."""

    session: Session
    request: Callable[[], Mapping[str, str]]
    _token: str = field(default="", repr=False)
    _until: float = 0

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if time.monotonic() > self._until - EARLY_S:
            self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _renew(self) -> None:
        said = _answered(self.session, self.request())
        self._token = str(said["access_token"])
        self._until = time.monotonic() + float(said.get("expires_in") or 0)


def redeem(
    session: Session, config: GoogleSheetsConfig, secrets: GoogleSheetsSecrets, grant: Grant
) -> str:
    """The refresh token that a person's consent is worth.

    Raises:
        InvalidConfig: the client's secret is missing.
        TerminalError: Google refuses the code, or the person left out the spreadsheets.
    """
    said = _answered(
        session,
        {
            "grant_type": "authorization_code",
            "client_id": config.client_id,
            "client_secret": _given("client_secret", secrets.client_secret),
            "code": grant.code,
            "code_verifier": grant.verifier,
            "redirect_uri": grant.redirect_uri,
        },
    )
    if google.SHEETS_SCOPE not in str(said.get("scope")).split() or not said.get("refresh_token"):
        raise TerminalError(
            "the consent does not cover reading spreadsheets",
            hint="sign in again, and leave the access to spreadsheets ticked",
        )
    return str(said["refresh_token"])


def _answered(session: Session, request: Mapping[str, str]) -> dict[str, Any]:
    answer = session.post(google.TOKEN_URI, data=dict(request))
    if answer.status_code in (400, 401):
        raise TerminalError(
            "Google refused to sign in",
            hint="make a new key for the service account, or give the consent again",
        )
    said: Any = answer.json()
    if answer.status_code != 200 or not isinstance(said, dict) or not said.get("access_token"):
        raise TerminalError(
            f"Google answers {answer.status_code} to the request for a token",
            hint="check that this machine reaches Google itself, and not a proxy",
        )
    return said


def request_of(
    config: GoogleSheetsConfig, secrets: GoogleSheetsSecrets
) -> Callable[[], Mapping[str, str]]:
    """What asks for a token.

    Raises:
        InvalidConfig: the secret that the auth kind needs is missing, or none.
    """
    if config.auth == "oauth2":
        consent = {
            "grant_type": "refresh_token",
            "client_id": config.client_id,
            "client_secret": _given("client_secret", secrets.client_secret),
            "refresh_token": _given("refresh_token", secrets.refresh_token),
        }
        return lambda: consent
    info = google.key_info(secrets.service_account_key)
    _signed(info)  # a damaged key is told at once
    return lambda: {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": _signed(info),
    }


def _given(name: str, secret: SecretStr) -> str:
    if not secret:
        raise InvalidConfig(f"{name}: oauth2 needs it", hint="enter it in the connection")
    return secret.get_secret_value()


def _signed(info: Mapping[str, str]) -> str:
    now = int(time.time())
    claims = {
        "iss": info["client_email"],
        "scope": google.SHEETS_SCOPE,
        "aud": info["token_uri"],
        "iat": now,
        "exp": now + SIGNED_S,
    }
    try:
        return jwt.encode(
            claims, info["private_key"], "RS256", headers={"kid": info["private_key_id"]}
        )
    except (ValueError, TypeError, jwt.PyJWTError):
        raise InvalidConfig(
            "service_account_key: its private_key is none",
            hint="paste the whole JSON file that Google Cloud gave when the key was made",
        ) from None
