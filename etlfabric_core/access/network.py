"""Where users may send the installation's requests: to no address inside it, unless allowed.

A name is looked up once. What was checked is what is connected to, so a name that answers
differently the second time changes nothing.
"""

import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpx
from anyio import fail_after, to_thread

from etlfabric_core.errors import InvalidConfig, Problem, TransientError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOKUP_SECONDS = 10
# Global by the registries, yet never a user's system.
CLOSED_V4 = (
    IPv4Network("192.0.0.0/24"),  # special protocols; a cloud's metadata at .192
    IPv4Network("168.63.129.16/32"),  # the agent of a cloud's host, from inside its machines
    IPv4Network("192.88.99.0/24"),  # relays into 6to4
)
# All that is assigned to the public today; the rest of IPv6 is private, reserved or special.
PUBLIC_V6 = IPv6Network("2000::/3")
# They carry an IPv4 address that their gateway, not we, would connect to.
CLOSED_V6 = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv6Network("3fff::/20"))
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class AllowList:
    """Private hosts and networks that the operator opened to connections."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, setting: str) -> "AllowList":
        """From the setting: names, addresses and networks, separated by commas."""
        hosts, networks = set(), []
        for entry in filter(None, (part.strip().lower() for part in setting.split(","))):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.add(entry)
        return cls(frozenset(hosts), tuple(networks))

    def permits(self, address: Address) -> bool:
        """Whether a request may go to the address: a public one, or an opened one."""
        reached = _reached(address)
        return _is_public(reached) or any(reached in network for network in self.networks)


async def resolve_host(
    host: str, allowed: AllowList, *, field: str | None = None
) -> tuple[str, ...]:
    """The addresses of a host, in the order to try them. Connect to these, not to the name.

    `field` is the field of the request that holds the host.

    Raises:
        InvalidConfig: one of them is loopback, link-local, private or otherwise not public.
        TransientError: the name cannot be resolved.
    """
    addresses = await _lookup(host)
    if host.lower() not in allowed.hosts and not all(map(allowed.permits, addresses)):
        raise InvalidConfig(
            f"host: '{host}' is not a public address",
            hint="the operator can open it with ETLFABRIC_ALLOWED_PRIVATE_HOSTS",
            problems=[Problem("not a public address", field=field)],
        )
    return tuple(dict.fromkeys(map(str, addresses)))


class PinnedTransport(httpx.AsyncBaseTransport):
    """Looks the host of each request up once, redirects included, and connects to what it found.

    The Host header and the name in TLS stay those of the URL.
    """

    def __init__(self, allowed: AllowList, *, verify: ssl.SSLContext | bool = True) -> None:
        self._allowed = allowed
        # A kept connection would be taken for any name with the same address, whatever name its
        # certificate was checked for.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises:
        InvalidConfig: the URL is not of the web, or leads inside the installation.
        TransientError: the name cannot be resolved.
        """
        if request.url.scheme not in ("http", "https"):
            raise InvalidConfig(
                f"url: '{request.url.scheme}' is not allowed", hint="begin it with https://"
            )
        *others, last = await resolve_host(request.url.raw_host.decode("ascii"), self._allowed)
        for address in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_pinned(request, last))

    async def aclose(self) -> None:
        await self._inner.aclose()


def safe_client(
    allowed: AllowList, *, verify: ssl.SSLContext | bool = True, **options: Any
) -> httpx.AsyncClient:
    """An HTTP client for URLs that users give. `options` are those of `httpx.AsyncClient`.

    A request raises InvalidConfig when its host, or one that it is redirected to, lies inside the
    installation; no proxy, and nothing of the environment, is used.

    Raises:
        TypeError: an option would lead around the check.
    """
    if around := {"transport", "mounts", "proxy", "trust_env"} & options.keys():
        raise TypeError(f"not with a safe client: {', '.join(sorted(around))}")
    transport = PinnedTransport(allowed, verify=verify)
    return httpx.AsyncClient(transport=transport, trust_env=False, **options)


def _pinned(request: httpx.Request, address: str) -> httpx.Request:
    name = request.url.raw_host.decode("ascii")
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": name},
    )


def _reached(address: Address) -> Address:
    """The address that packets arrive at in the end."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in CLOSED_V4)
    return address in PUBLIC_V6 and not any(address in network for network in CLOSED_V6)


async def _lookup(host: str) -> list[Address]:
    try:
        with fail_after(LOOKUP_SECONDS):
            found = await to_thread.run_sync(_getaddrinfo, host, abandon_on_cancel=True)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise TransientError(
            f"host: the name '{host}' is unknown", hint="check the host for a typing error"
        ) from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _getaddrinfo(host: str) -> list[Any]:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
