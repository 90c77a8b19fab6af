"""One signed-in HTTP conversation with Airflow's api-server, and what its refusals mean."""

import asyncio
from typing import Any

import httpx

from etlfabric_core.errors import Conflict, FabricError, InvalidConfig, NotFound
from etlfabric_core.errors import UpstreamUnavailable as Unavailable

TIMEOUT = httpx.Timeout(30, connect=5)
# What Airflow answers → the error it becomes, and what to do about it.
_REFUSALS: dict[int, tuple[type[FabricError], str]] = {
    400: (InvalidConfig, "change the request as Airflow says"),
    404: (NotFound, "it may have been deleted: see the list of runs"),
    409: (Conflict, "wait until what runs is over, then try again"),
    422: (InvalidConfig, "change the request as Airflow says"),
}


class AirflowTransport:
    """Sends requests with a token that is fetched when needed and again when it is refused."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._credentials = {"username": username, "password": password}
        self._http = httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT, trust_env=False)
        self._token: str | None = None
        self._signing_in = asyncio.Lock()

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    async def json(self, method: str, path: str, **request: Any) -> Any:
        """The JSON answer to a request under /api/v2.

        Raises:
            NotFound, Conflict, InvalidConfig: what Airflow refused, in its words.
            UpstreamUnavailable: no answer, a server error, or the sign-in is refused.
        """
        token = self._token or await self._sign_in(None)
        response = await self._send(method, f"/api/v2{path}", token, request)
        # 401: the token has expired; 403: its signing key is gone, after a restart.
        if response.status_code in (401, 403):
            token = await self._sign_in(token)
            response = await self._send(method, f"/api/v2{path}", token, request)
        if response.is_success:
            return response.json() if response.content else None
        raise self._refusal(response)

    async def _send(
        self, method: str, path: str, token: str | None, request: dict[str, Any]
    ) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return await self._http.request(method, path, headers=headers, **request)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Airflow does not answer at {self._url} ({type(error).__name__})",
                hint="see whether Airflow's api-server runs; nothing was lost, try again",
            ) from error

    async def _sign_in(self, refused: str | None) -> str:
        """A new token, unless another request has fetched one meanwhile."""
        async with self._signing_in:
            if self._token is not None and self._token != refused:
                return self._token
            response = await self._send("POST", "/auth/token", None, {"json": self._credentials})
            if response.status_code in (400, 401, 403):
                raise Unavailable(
                    f"Airflow refuses the account '{self._credentials['username']}'",
                    hint="ETLFABRIC_AIRFLOW_USERNAME and _PASSWORD must be an account of Airflow",
                )
            if not response.is_success:
                raise self._refusal(response)
            self._token = str(response.json()["access_token"])
            return self._token

    def _refusal(self, response: httpx.Response) -> FabricError:
        if response.status_code in _REFUSALS:
            kind, hint = _REFUSALS[response.status_code]
            return kind(_detail(response), hint=hint)
        hint = "see the api-server's log, then try again"
        if response.status_code == 403:
            hint = "the service's account in Airflow needs the role Admin"
        return Unavailable(f"Airflow answered {response.status_code}", hint=hint)


def _detail(response: httpx.Response) -> str:
    """Airflow's own words; validation errors come as a list."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"Airflow answered {response.status_code}"
    if isinstance(detail, list):
        return "; ".join(str(item.get("msg", item)) for item in detail)
    if isinstance(detail, dict):
        return str(detail.get("reason", detail))
    return str(detail)
