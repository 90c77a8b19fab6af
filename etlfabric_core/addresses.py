"""Connections go to the addresses that the service looked up and checked, and to no others."""

from collections.abc import Sequence

from etlfabric_core.errors import InvalidConfig


def checked(host: str, addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses of a host.

    Raises:
        InvalidConfig: nobody looked the host up.
    """
    if not addresses:
        raise InvalidConfig(
            f"host: '{host}' was not looked up", hint="connections go to checked addresses only"
        )
    return tuple(addresses)
