"""The refresh token of a browser: a cookie that no script reads and that no other site uses."""

from urllib.parse import urlsplit

from fastapi import Request, Response
from pydantic import SecretStr

from api.cookies import Cookie, over_https
from api.deps import Wiring
from etlfabric_core.access.tokens import REFRESH_LIFETIME
from etlfabric_core.errors import Forbidden, Unauthenticated
from etlfabric_core.services.logins import SignedIn

NAME = "etlfabric_refresh"
PATH = "/api/v1/auth"
WEB = "etlfabric-web"


def set_refresh_cookie(response: Response, signed_in: SignedIn, wiring: Wiring) -> None:
    """Gives the browser its new refresh token."""
    _cookie(wiring).keep(response, signed_in.refresh_token, REFRESH_LIFETIME)


def delete_refresh_cookie(response: Response, wiring: Wiring) -> None:
    """Takes it away."""
    _cookie(wiring).drop(response)


def given_token(request: Request, wiring: Wiring, in_body: SecretStr | None) -> str:
    """The refresh token of a request: from its body, or from the cookie of our own pages.

    Raises:
        Unauthenticated: 401, there is none.
        Forbidden: 403, a cookie alone, and the request is not known to come from our own pages.
    """
    if in_body:
        return in_body.get_secret_value()
    token = _cookie(wiring).value(request)
    if token is None:
        raise Unauthenticated("there is no refresh token", hint="sign in", audited=False)
    if not is_web(request) or not _is_ours(request, wiring):
        raise Forbidden(
            "a cookie is accepted from this service's own pages only",
            hint=f"they send X-Requested-With: {WEB}; others send the refresh token in the body",
        )
    return token


def is_web(request: Request) -> bool:
    """Whether our own interface asks. No form and no other site's script can send the header."""
    return request.headers.get("x-requested-with") == WEB


def _is_ours(request: Request, wiring: Wiring) -> bool:
    """What the browser itself says about the page. Without a word, the header above decides."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    own = {_host(wiring.settings.browser_url), request.headers.get("host", "").lower()}
    return origin is None or _host(origin) in own


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _cookie(wiring: Wiring) -> Cookie:
    return Cookie(NAME, PATH, "strict", over_https(wiring.settings))
