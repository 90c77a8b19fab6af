"""Requests that users cause go to public addresses only, and to those that were checked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from etlfabric_core.access import network
from etlfabric_core.access.network import AllowList, resolve_host, safe_client
from etlfabric_core.errors import InvalidConfig, TransientError
from tests.certificates import self_signed
from tests.core.outbound_targets import INSIDE, PUBLIC, TARGETS

NOBODY = AllowList.parse("")
HONEST, CANARY = "127.0.0.1", "127.0.0.2"
ONE = AllowList.parse(HONEST)


class Resolver:
    """A name service whose answers change from question to question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[tuple[object, ...]]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(None, None, None, "", (address, 0)) for address in answer]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resolver]:
    """Puts a resolver in the place of the system's."""

    def replace(*answers: list[str]) -> Resolver:
        resolver = Resolver(*answers)
        monkeypatch.setattr(network, "_getaddrinfo", resolver)
        return resolver

    return replace


class Listener:
    """Counts who connects, keeps what they send, and answers in HTTP."""

    def __init__(self, headers: str = "", status: str = "200 OK") -> None:
        self.received: list[str] = []
        self.port = 0
        self._answer = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n{headers}\r\nok".encode()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received.append("")
        self.received[-1] = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(self._answer)
        await writer.drain()
        writer.close()

    @property
    def hits(self) -> int:
        return len(self.received)


@asynccontextmanager
async def listening(
    address: str, port: int = 0, *, tls: ssl.SSLContext | None = None, **answer: str
) -> AsyncIterator[Listener]:
    made = Listener(**answer)
    async with await asyncio.start_server(made, address, port, ssl=tls) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    assert NOBODY.permits(ip_address(address))


@pytest.mark.feature("A20", "A21")
@pytest.mark.parametrize("host", TARGETS)
async def test_no_way_in(host: str) -> None:
    with pytest.raises((InvalidConfig, TransientError)):
        await resolve_host(host, NOBODY)


def test_there_are_enough_targets() -> None:
    assert len(TARGETS) >= 80
    assert len(set(TARGETS)) == len(TARGETS)


async def test_the_operator_opens_hosts_and_networks(resolve: Callable[..., Resolver]) -> None:
    allowed = AllowList.parse("db.internal, 10.0.0.0/8 ,127.0.0.1")
    assert await resolve_host("10.20.30.40", allowed) == ("10.20.30.40",)
    with pytest.raises(InvalidConfig, match=r"127\.0\.0\.2"):
        await resolve_host("127.0.0.2", allowed)
    assert await resolve_host("::ffff:10.0.0.1", allowed) == ("::ffff:a00:1",)
    resolve(["192.168.7.7"])
    assert await resolve_host("DB.internal", allowed) == ("192.168.7.7",)
    with pytest.raises(InvalidConfig):
        await resolve_host("other.internal", allowed)


async def test_an_unknown_name_is_told() -> None:
    with pytest.raises(TransientError, match="unknown"):
        await resolve_host("no-such-host.invalid", NOBODY)


async def test_every_address_of_a_name_must_be_open(resolve: Callable[..., Resolver]) -> None:
    resolve(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(InvalidConfig):
        await resolve_host("two.example", NOBODY)
    resolve(["8.8.8.8", "1.1.1.1", "8.8.8.8"])
    assert await resolve_host("two.example", NOBODY) == ("8.8.8.8", "1.1.1.1")


async def test_a_name_service_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(host: str) -> list[object]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
        return []

    monkeypatch.setattr(network, "_getaddrinfo", hang)
    monkeypatch.setattr(network, "LOOKUP_SECONDS", 0.1)
    with pytest.raises(TransientError):
        await resolve_host("slow.example", NOBODY)
    released.set()


@pytest.mark.feature("A20", "A21")
async def test_a_client_reaches_nothing_inside() -> None:
    async with (
        listening("0.0.0.0") as canary,
        safe_client(NOBODY, timeout=2) as client,
    ):
        for host in INSIDE:
            literal = f"[{host}]" if ":" in host else host
            with pytest.raises((InvalidConfig, TransientError, httpx.InvalidURL)):
                await client.get(f"http://{literal}:{canary.port}/")
        assert canary.hits == 0


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "unix", "ws", "data", "jdbc"])
async def test_only_the_web_is_spoken(scheme: str) -> None:
    async with safe_client(ONE) as client:
        with pytest.raises((InvalidConfig, httpx.UnsupportedProtocol)):
            await client.get(f"{scheme}://127.0.0.1/etc/passwd")


@pytest.mark.feature("A20", "A21")
async def test_a_name_that_answers_differently_the_second_time(
    resolve: Callable[..., Resolver],
) -> None:
    async with listening(HONEST) as honest, listening(CANARY, honest.port) as canary:
        resolver = resolve([HONEST], [CANARY])
        async with safe_client(ONE) as client:
            url = f"http://rebinding.example:{honest.port}/"
            assert (await client.get(url)).text == "ok"
            assert resolver.asked == ["rebinding.example"]
            assert f"host: rebinding.example:{honest.port}" in honest.received[0].lower()
            with pytest.raises(InvalidConfig):
                await client.get(url)
        assert (honest.hits, canary.hits) == (1, 0)


@pytest.mark.feature("A20", "A21")
@pytest.mark.parametrize("target", ["127.0.0.2", "localhost.example", "[::1]", "2130706434"])
async def test_a_redirect_is_checked_like_any_request(
    resolve: Callable[..., Resolver], target: str
) -> None:
    async with listening(CANARY) as canary:
        location = f"Location: http://{target}:{canary.port}/\r\n"
        async with listening(HONEST, headers=location, status="302 Found") as honest:
            resolve([HONEST], [CANARY if "[" not in target else "::1"])
            async with safe_client(ONE, follow_redirects=True) as client:
                with pytest.raises(InvalidConfig):
                    await client.get(f"http://first.example:{honest.port}/")
            assert (honest.hits, canary.hits) == (1, 0)


async def test_the_next_address_is_tried(resolve: Callable[..., Resolver]) -> None:
    async with listening(HONEST) as honest:
        resolve(["127.0.0.3", HONEST])
        async with safe_client(AllowList.parse("127.0.0.0/8")) as client:
            answer = await client.post(f"http://two.example:{honest.port}/", content=b"x")
        assert answer.text == "ok"
        assert honest.hits == 1


async def test_the_certificate_is_checked_for_the_name(
    resolve: Callable[..., Resolver], tmp_path: Path
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = self_signed("pinned.example").write(tmp_path)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with listening(HONEST, tls=server) as honest:
        resolve([HONEST])
        async with safe_client(ONE, verify=trusting) as client:
            assert (await client.get(f"https://pinned.example:{honest.port}/")).text == "ok"
            # The same address by another name: no kept connection serves it.
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get(f"https://other.example:{honest.port}/")


@pytest.mark.parametrize("option", ["transport", "mounts", "proxy", "trust_env"])
def test_no_option_leads_around(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        safe_client(NOBODY, **{option: None})
