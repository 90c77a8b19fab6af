"""Providers to sign on with, and services that know them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from etlfabric_core.settings import Settings
from tests.sso import github, hostile, node
from tests.sso.browser import PUBLIC_URL, SSO, Browser
from tests.sso.github import GitHubStandIn
from tests.sso.hostile import HostileProvider, Lie

CLIENT_ID = "etlfabric"
# Everything that a client must encode before it writes it into a header.
CLIENT_SECRET = "s:e/c r%t+1 of the tests"
# One for each test, which makes an account of it or must not.
ACCOUNTS = {
    "ada": {"email": "ada@sso.example", "email_verified": True, "name": "Ada Lovelace"},
    "bob": {"email": "bob@sso.example", "email_verified": True, "name": "Bob"},
    "cyd": {"email": "Cyd@SSO.example", "email_verified": True, "name": "Кид"},
    "eve": {"email": "eve@sso.example", "email_verified": False, "name": "Eve"},
    "nil": {"name": "Nobody"},
    **{
        name: {"email": f"{name}@sso.example", "email_verified": True, "name": name.title()}
        for name in (
            "fay",
            "gil",
            "hal",
            "ivy",
            "jon",
            "kim",
            "lou",
            "max",
            "ned",
            "oda",
            "pam",
            "quy",
            "rex",
            "sue",
            "tim",
        )
    },
}


MakeBrowser = Callable[[], Awaitable[Browser]]


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FastAPI]:
    """A service with these settings."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session")
def real_provider() -> Iterator[str]:
    """The issuer of a real OpenID Connect server with the accounts above."""
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [f"{PUBLIC_URL}{SSO}/oidc/callback"],
    }
    given = {"accounts": ACCOUNTS, "clients": [client]}
    with node.provider("provider.mjs", "oidc-provider", given) as issuer:
        yield issuer


@pytest.fixture(scope="session")
def github_stand_in() -> Iterator[GitHubStandIn]:
    """What stands in for GitHub."""
    provider = GitHubStandIn()
    provider.server.start()
    yield provider
    provider.server.stop()


@pytest.fixture(scope="session")
def hostile_provider() -> Iterator[HostileProvider]:
    """A provider that lies."""
    provider = HostileProvider()
    provider.server.start()
    yield provider
    provider.server.stop()


@pytest.fixture(scope="session")
async def sso_app(
    settings: Settings, real_provider: str, github_stand_in: GitHubStandIn
) -> AsyncIterator[FastAPI]:
    """A service that knows the real provider and the stand-in for GitHub."""
    known = {
        "public_url": PUBLIC_URL,
        "oidc_issuer": real_provider,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
    }
    async with running(with_values(settings, **known, **_github(github_stand_in))) as application:
        yield application


@pytest.fixture(scope="session")
async def hostile_app(
    settings: Settings, hostile_provider: HostileProvider, github_stand_in: GitHubStandIn
) -> AsyncIterator[FastAPI]:
    """A service whose operator trusted a provider that lies, and opened no private network."""
    known = {
        "public_url": PUBLIC_URL,
        "oidc_issuer": hostile_provider.issuer,
        "oidc_client_id": hostile.CLIENT_ID,
        "oidc_client_secret": hostile.CLIENT_SECRET,
        "allowed_private_hosts": "",
    }
    async with running(with_values(settings, **known, **_github(github_stand_in))) as application:
        yield application


@pytest.fixture
def honest_at_first(hostile_provider: HostileProvider) -> HostileProvider:
    """The provider that lies, before it does."""
    hostile_provider.lie, hostile_provider.requests = Lie(), []
    return hostile_provider


@pytest.fixture
async def browsers(sso_app: FastAPI) -> AsyncIterator[MakeBrowser]:
    """Makes browsers for the service that knows the real provider."""
    async with _browsers_of(sso_app) as make:
        yield make


@pytest.fixture
async def hostile_browsers(hostile_app: FastAPI) -> AsyncIterator[MakeBrowser]:
    """Makes browsers for the service whose provider lies."""
    async with _browsers_of(hostile_app) as make:
        yield make


@asynccontextmanager
async def _browsers_of(app: FastAPI) -> AsyncIterator[MakeBrowser]:
    async with AsyncExitStack() as stack:

        async def make() -> Browser:
            return await stack.enter_async_context(Browser(app))

        yield make


def _github(server: GitHubStandIn) -> dict[str, str]:
    return {
        "github_url": server.url,
        "github_client_id": github.CLIENT_ID,
        "github_client_secret": github.CLIENT_SECRET,
    }


def with_values(settings: Settings, **values: Any) -> Settings:
    """The settings with others in place of some; one address signs on as often as it likes."""
    often = {
        "rate_limits": settings.rate_limits | dict.fromkeys(("sso", "sso_return"), "100000/minute")
    }
    return Settings(_env_file=None, **(settings.model_dump() | often | values))
