"""A signed-in session with the metadata service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from cli.client import credentials
from cli.client.errors import ClientError

TIMEOUT_S = 120  # saving a transformation compiles it


class Service:
    """Requests with a token; an expired one is renewed once, where there is a refresh token."""

    def __init__(self, api_url: str, access_token: str, refresh_token: str | None = None) -> None:
        self.api_url = api_url.rstrip("/")
        self._refresh_token = refresh_token
        self._http = httpx.Client(base_url=f"{self.api_url}/api/v1", timeout=TIMEOUT_S)
        self._use(access_token)

    @classmethod
    def signed_in(cls) -> "Service":
        """With the API key of the environment, or the stored tokens.

        Raises:
            ClientError: nobody has signed in yet.
        """
        stored = credentials.load()
        return cls(stored["api_url"], stored["access_token"], stored.get("refresh_token"))

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The decoded answer; None for an empty one.

        Raises:
            ClientError: the service refused, or cannot be reached.
        """
        return _decoded(self._send(method, path, **options))

    def get(self, path: str, **params: Any) -> Any:
        """GET, with query parameters."""
        return self.call("GET", path, params=_given(params))

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON body."""
        return self.call("POST", path, json=body)

    def items(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=100, cursor=cursor, **params)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @contextmanager
    def stream(self, path: str, headers: dict[str, str]) -> Iterator[Iterator[str]]:
        """The lines of a streamed answer.

        Raises:
            ClientError: the service refused, or went away.
        """
        try:
            with self._http.stream("GET", path, headers=headers, timeout=None) as response:
                if response.is_error:
                    response.read()
                    _decoded(response)
                yield response.iter_lines()
        except httpx.TransportError as error:
            raise _unreachable(self.api_url, error) from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
            if response.status_code == httpx.codes.UNAUTHORIZED and self._refresh_token:
                self._renew()
                response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise _unreachable(self.api_url, error) from error
        return response

    def _renew(self) -> None:
        """Each refresh token is good once, so that commands side by side share the newest."""
        with credentials.locked():
            stored = credentials.newest(self._access_token)
            if stored is None or stored["refresh_token"] == self._refresh_token:
                body = {"refresh_token": self._refresh_token}
                tokens = _decoded(self._http.post("/auth/refresh", json=body))
                if stored is not None:
                    credentials.save(self.api_url, tokens)
            else:
                tokens = stored
        self._refresh_token = tokens["refresh_token"]
        self._use(tokens["access_token"])

    def _use(self, access_token: str) -> None:
        self._access_token = access_token
        self._http.headers["Authorization"] = f"Bearer {access_token}"


def sign_in(api_url: str, email: str, password: str, organization: str | None) -> dict[str, Any]:
    """Tokens for an account.

    Raises:
        ClientError: the service refused, or cannot be reached.
    """
    body = _given({"email": email, "password": password, "organization": organization})
    return open_session(api_url, "login", body)


def open_session(api_url: str, route: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tokens from `/auth/login` or `/auth/register`.

    Raises:
        ClientError: the service refused, or cannot be reached.
    """
    url = f"{api_url.rstrip('/')}/api/v1/auth/{route}"
    try:
        tokens: dict[str, Any] = _decoded(httpx.post(url, json=body, timeout=TIMEOUT_S))
    except httpx.TransportError as error:
        raise _unreachable(api_url, error) from error
    return tokens


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _decoded(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        body = response.json()
    except ValueError:
        body = {}
    raise ClientError.from_body(response.status_code, body if isinstance(body, dict) else {})


def _unreachable(api_url: str, error: httpx.TransportError) -> ClientError:
    return ClientError(
        f"{api_url} does not answer ({error})",
        hint="start it with `make up`, or name another address in ETLFABRIC_API_URL",
    )
