"""Which hosts a connection may name."""

from ipaddress import ip_address

import pytest

from etlfabric_core.access.network import AllowList, check_host
from etlfabric_core.errors import InvalidConfig, TransientError


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
    ],
)
def test_only_public_addresses(address: str, public: bool) -> None:
    assert AllowList.parse("").permits(ip_address(address)) is public


async def test_the_operator_opens_hosts_and_networks() -> None:
    allowed = AllowList.parse("db.internal, 10.0.0.0/8 ,127.0.0.1")
    await check_host("10.20.30.40", allowed)
    await check_host("DB.internal", allowed)
    with pytest.raises(InvalidConfig):
        await check_host("127.0.0.2", allowed)
    with pytest.raises(TransientError):
        await check_host("no-such-host.invalid", allowed)
