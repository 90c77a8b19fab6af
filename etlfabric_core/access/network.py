"""Which hosts a connection may name: none of the inside of the installation, unless allowed."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from anyio import to_thread

from etlfabric_core.errors import InvalidConfig, Problem, TransientError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


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
        """Whether a connection may go to the address: a public one, or an opened one."""
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_global and not plain.is_multicast:
            return True
        return any(plain in network for network in self.networks)


async def check_host(host: str, allowed: AllowList) -> None:
    """Refuses a host any of whose addresses lies inside.

    Raises:
        InvalidConfig: it is loopback, link-local, private or otherwise not public.
        TransientError: the name cannot be resolved.
    """
    if host.lower() in allowed.hosts:
        return
    for address in await to_thread.run_sync(_addresses, host):
        if not allowed.permits(address):
            raise InvalidConfig(
                f"host: '{host}' is not a public address",
                hint="the operator can open it with ETLFABRIC_ALLOWED_PRIVATE_HOSTS",
                problems=[Problem("not a public address", field="config.host")],
            )


def _addresses(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TransientError(
            f"host: the name '{host}' is unknown", hint="check the host for a typing error"
        ) from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
