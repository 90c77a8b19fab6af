"""HTTP to one origin at the addresses that the service looked up and checked, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from etlfabric_core.addresses import checked
from etlfabric_core.errors import TerminalError

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """Whom a URL speaks to: scheme, host and port, all three."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of a URL.

        Raises:
            TerminalError: it is none of the web.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
        except (KeyError, ValueError):
            raise TerminalError(
                "url: not an address of the web", hint="begin it with https://"
            ) from None
        if not parts.hostname:
            raise TerminalError("url: it names no host", hint="write it as https://host/path")
        return cls(parts.scheme, parts.hostname, port)

    def require(self, url: str) -> None:
        """Refuses a URL of another origin, wherever it came from.

        Raises:
            TerminalError: it is one.
        """
        other = Origin.of(url)
        if other != self:
            raise TerminalError(
                f"the answer of '{self.host}' leads to another place: "
                f"{other.scheme}://{other.host}:{other.port}",
                hint="requests and their credentials stay with the host of the connection",
            )


def pinned_pools(origin: Origin, addresses: Sequence[str]) -> PoolManager:
    """Connections to the addresses, whatever the name in a URL stands for by now.

    The Host header and the name in TLS stay those of the URL. Callers check the origin.

    Raises:
        InvalidConfig: nobody looked the host up.
    """
    pools = PoolManager(retries=False)
    pools.pool_classes_by_scheme = _pool_classes(origin, addresses)
    return pools


def pinned_session(origin: Origin, addresses: Sequence[str], timeout: tuple[int, int]) -> Session:
    """A session that reaches the origin alone, redirects and next-page links included.

    Nothing of the environment is used, no proxy and no netrc. `timeout` is in seconds: to connect,
    and between two pieces of an answer.

    Raises:
        InvalidConfig: nobody looked the host up.
    """
    session = Session()
    session.trust_env = False
    session.adapters.clear()
    session.mount("", _PinnedAdapter(origin, addresses, timeout))
    return session


class _PinnedAdapter(HTTPAdapter):
    def __init__(self, origin: Origin, addresses: Sequence[str], timeout: tuple[int, int]) -> None:
        self._origin = origin
        self._addresses = tuple(addresses)
        self._timeout = timeout
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._origin, self._addresses)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        self._origin.require(request.url or "")
        kwargs["timeout"] = self._timeout
        return super().send(request, *args, **kwargs)


class _Pinned:
    """The part of a connection that opens its socket."""

    addresses: ClassVar[tuple[str, ...]]

    def _new_conn(self: Any) -> Any:
        reasons = []
        for address in self.addresses:
            try:
                return create_connection(
                    (address, self.port),
                    self.timeout,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                reasons.append(error)
        raise NewConnectionError(self, f"no address answered: {reasons[-1]}") from reasons[-1]


def _pool_classes(origin: Origin, addresses: Sequence[str]) -> dict[str, Any]:
    pinned = {"addresses": checked(origin.host, addresses)}
    http = type("PinnedHTTP", (_Pinned, HTTPConnection), pinned)
    https = type("PinnedHTTPS", (_Pinned, HTTPSConnection), pinned)
    return {
        "http": type("PinnedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("PinnedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
    }
