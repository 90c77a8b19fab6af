"""The way to a REST API: one origin, bounded answers, patience with limits on requests."""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.exceptions import RequestException

from etlfabric_core import clock
from etlfabric_core.connectors.rest import Api, require_header
from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.files import json_records
from etlfabric_core.outbound import Origin, pinned_session

TIMEOUT = (10, 60)  # seconds: to connect, and between two pieces of an answer
ANSWER_SECONDS = 300
MAX_ANSWER_BYTES = 64 << 20
WAITS = (1.0, 2.0, 4.0, 8.0)  # between tries, where the API does not say
MAX_WAIT_S = 120
LATER = (429, 500, 502, 503, 504)
REMEDIES = {
    401: "check the credentials of the connection",
    403: "give the credentials the right to read this, or check them",
    404: "check the path and the base URL",
    400: "check the parameters of the resource",
}


def api_session(api: Api, waits: tuple[float, ...]) -> Session:
    """A session that reaches the API's origin alone and sends its headers.

    Raises:
        InvalidConfig: the host was not looked up, or a secret header is none.
    """
    session = patient_session(Origin.of(api.config.base_url), api.endpoint.addresses, waits)
    session.headers.update({"Accept": "application/json", "User-Agent": "etlfabric"})
    session.headers.update(api.config.headers)
    session.headers.update(_secret_headers(api.secrets.headers.get_secret_value()))
    return session


def auth_of(api: Api, waits: tuple[float, ...]) -> Any:
    """dlt's authenticator for requests to the API; None for `none`.

    Raises:
        InvalidConfig: the secret that it needs is missing.
    """
    return AUTHS[api.config.auth](api, waits)


def _secret(api: Api, name: str) -> str:
    value = str(getattr(api.secrets, name).get_secret_value())
    if not value:
        raise InvalidConfig(
            f"{name}: auth '{api.config.auth}' needs it", hint="enter it in the connection"
        )
    return value


def _bearer(api: Api, waits: tuple[float, ...]) -> Any:
    from dlt.sources.helpers.rest_client.auth import BearerTokenAuth

    return BearerTokenAuth(token=_secret(api, "token"))


def _api_key(api: Api, waits: tuple[float, ...]) -> Any:
    from dlt.sources.helpers.rest_client.auth import APIKeyAuth

    return APIKeyAuth(
        name=api.config.api_key_name,
        api_key=_secret(api, "api_key"),
        location=api.config.api_key_location,
    )


def _basic(api: Api, waits: tuple[float, ...]) -> Any:
    from dlt.sources.helpers.rest_client.auth import HttpBasicAuth

    # Some APIs sign in by the user name alone.
    password = api.secrets.password.get_secret_value()
    return HttpBasicAuth(username=api.config.username, password=password)


def _oauth2(api: Api, waits: tuple[float, ...]) -> Any:
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials

    origin = Origin.of(api.config.token_url)
    same = origin.host == Origin.of(api.config.base_url).host
    addresses = api.endpoint.addresses if same else api.endpoint.others.get(origin.host, ())
    session = patient_session(origin, addresses, waits)
    session.hooks["response"] = [require_good]
    return OAuth2ClientCredentials(
        access_token_url=api.config.token_url,
        client_id=api.config.client_id,
        client_secret=_secret(api, "client_secret"),
        access_token_request_data={"scope": api.config.scope} if api.config.scope else {},
        session=session,
    )


AUTHS: dict[str, Callable[[Api, tuple[float, ...]], Any]] = {
    "none": lambda api, waits: None,
    "bearer": _bearer,
    "api_key": _api_key,
    "basic": _basic,
    "oauth2_client_credentials": _oauth2,
}


def require_good(answer: Response, *args: Any, **kwargs: Any) -> None:
    """A hook of requests: refuses an answer that is none. Nothing of its text is repeated.

    Raises:
        TerminalError: the API refused.
        TransientError: it was asked too often, or is out of order.
    """
    status = answer.status_code
    if status < 400:
        return
    where = f"{Origin.of(answer.url).host}{_path(answer.url)}"
    if status in LATER:
        raise TransientError(
            f"{where}: the API answers {status}, however often it is asked",
            hint="it is asked too often or out of order; the next try begins anew",
        )
    raise TerminalError(f"{where}: the API answers {status}", hint=REMEDIES.get(status))


def _path(url: str) -> str:
    """The path alone: a query can hold a key."""
    return "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]


def patient_session(
    origin: Origin, addresses: tuple[str, ...], waits: tuple[float, ...]
) -> Session:
    """A session that reaches one origin alone, reads bounded answers, and waits between tries.

    Raises:
        InvalidConfig: the host was not looked up.
    """
    session = pinned_session(origin, addresses, TIMEOUT)
    session.mount("", _Patient(session.get_adapter(""), waits))
    return session


def _secret_headers(lines: str) -> dict[str, str]:
    headers = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, _, value = line.partition(":")
        try:
            require_header(name.strip(), value.strip())
        except ValueError:
            raise InvalidConfig(
                "headers: a line of the secret headers is not 'Name: value'",
                hint="write one header to a line",
            ) from None
        headers[name.strip()] = value.strip()
    return headers


class Answer(Response):
    """An answer whose JSON keeps every number as it is written."""

    def json(self, **kwargs: Any) -> Any:
        """Raises:
        TerminalError: it is not JSON.
        """
        try:
            return json_records.parsed(self.content)
        except (ValueError, RecursionError):
            raise TerminalError(
                f"{Origin.of(self.url).host}{_path(self.url)}: the answer is not JSON",
                hint="check the path; APIs often answer unknown ones with a web page",
            ) from None


class _Patient(BaseAdapter):
    """Reads answers whole within bounds, and asks again when the API says later."""

    def __init__(self, inner: BaseAdapter, waits: tuple[float, ...]) -> None:
        super().__init__()
        self._inner, self._waits = inner, waits

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        kwargs["stream"] = True
        waits = iter(self._waits)
        while True:
            wait = next(waits, None)
            try:
                answer = self._inner.send(request, *args, **kwargs)
                _read(answer)
            except RequestException as error:
                if wait is None:
                    raise TransientError(
                        f"{Origin.of(request.url or '').host}: no answer ({type(error).__name__})",
                        hint="check the base URL, and that the API is running",
                    ) from None
            else:
                if wait is None or answer.status_code not in LATER:
                    return answer
                wait = _asked_to_wait(answer, wait)
            time.sleep(wait)

    def close(self) -> None:
        self._inner.close()


def _read(answer: Response) -> None:
    """The body, unpacked, up to the bound, and not for ever.

    Raises:
        TerminalError: it is too large.
        TransientError: it took too long.
    """
    pieces, size, deadline = [], 0, time.monotonic() + ANSWER_SECONDS
    for piece in answer.iter_content(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            answer.close()
            raise TerminalError(
                f"{Origin.of(answer.url).host}: an answer is larger than "
                f"{MAX_ANSWER_BYTES >> 20} MiB",
                hint="ask for fewer records to a page",
            )
        if time.monotonic() > deadline:
            answer.close()
            raise TransientError(
                f"{Origin.of(answer.url).host}: an answer took longer than {ANSWER_SECONDS} s",
                hint="ask for fewer records to a page",
            )
    answer._content = b"".join(pieces)
    answer.__class__ = Answer


def _asked_to_wait(answer: Response, default: float) -> float:
    """Seconds, from Retry-After.

    Raises:
        TransientError: it asks for longer than a load waits.
    """
    asked = answer.headers.get("Retry-After", "")
    try:
        seconds = float(asked) if asked.strip().isdigit() else _until(asked)
    except (TypeError, ValueError):
        return default
    if seconds > MAX_WAIT_S:
        raise TransientError(
            f"{Origin.of(answer.url).host}: the API asks to wait {round(seconds)} s",
            hint="run again later, or ask for less",
        )
    return max(0.0, seconds)


def _until(moment: str) -> float:
    found = parsedate_to_datetime(moment)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - clock.now()).total_seconds()
