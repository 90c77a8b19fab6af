"""A real metadata service on a real database, and organizations that are signed in to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI

from api.app import create_app
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access.throttle import Rule
from etlfabric_core.settings import Settings
from migrations.bootstrap import bootstrap
from migrations.upgrade import upgrade
from tests.api.runs_world import airflow, orchestrator, runs_members, runs_world, world
from tests.api.warehouse_world import wall
from tests.sso.saml import identity_provider, saml_app, saml_browser
from tests.sso.world import (
    browsers,
    github_stand_in,
    honest_at_first,
    hostile_app,
    hostile_browsers,
    hostile_provider,
    real_provider,
    sso_app,
)

__all__ = [
    "airflow",
    "browsers",
    "github_stand_in",
    "honest_at_first",
    "hostile_app",
    "hostile_browsers",
    "hostile_provider",
    "identity_provider",
    "orchestrator",
    "real_provider",
    "runs_members",
    "runs_world",
    "saml_app",
    "saml_browser",
    "sso_app",
    "wall",
    "world",
]  # fixtures

PASSWORDS = {
    "service": "service-test-password",
    "owner": "owner-test-password",
    "warehouse": "warehouse-test-password",
    "airflow": "airflow-test-password",
}
USER_PASSWORD = "a long enough password"
INTERNAL_TOKEN = "internal-token-of-the-tests-0123456789"


class OrgClient(httpx.AsyncClient):
    """A client that is signed in as a member of one organization."""

    email: str = ""
    organization: dict[str, Any]
    role: str = ""

    @property
    def slug(self) -> str:
        """The slug of its organization."""
        return str(self.organization["slug"])

    @property
    def org_id(self) -> int:
        """The id of its organization."""
        return int(self.organization["id"])


@dataclass(frozen=True)
class TwoOrgs:
    """Two organizations that must not notice each other."""

    a: OrgClient
    b: OrgClient


MakeOrg = Callable[..., Awaitable[OrgClient]]
MakeMember = Callable[..., Awaitable[OrgClient]]


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The server with its roles, databases and all tables, made by the real migrations."""
    bootstrap(postgres.url(), PASSWORDS)
    upgrade(postgres.url("etlfabric", "etlfabric_owner", PASSWORDS["owner"]))
    return postgres


@pytest.fixture(scope="session")
def settings(database: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the service under test. Connections may name the test server's own address."""
    folder: Path = tmp_path_factory.mktemp("service")
    return Settings(
        _env_file=None,
        database_url=database.url("etlfabric", "etlfabric_service", PASSWORDS["service"]),
        migration_database_url=database.url("etlfabric", "etlfabric_owner", PASSWORDS["owner"]),
        warehouse_url=database.url("warehouse", "etlfabric_warehouse", PASSWORDS["warehouse"]),
        airflow_password="airflow-account-password",
        internal_token=INTERNAL_TOKEN,
        encryption_keys=Fernet.generate_key().decode(),
        audit_keys="audit-key-of-the-tests-" + "0123456789" * 5,
        jwt_secret="jwt-secret-of-the-tests-" + "0123456789" * 5,
        storage_url=str(folder / "storage"),
        databases_dir=folder / "databases",
        web_dir=folder / "no-web",
        allowed_private_hosts="127.0.0.1",
        upload_max_bytes=1 << 20,
        rate_limits=dict.fromkeys(Rule, "1000000/minute"),  # all tests come from one address
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that nobody has signed in."""
    async with _client(httpx.AsyncClient, app) as anonymous:
        yield anonymous


@pytest.fixture(scope="session")
def _numbers() -> Any:
    return count(1)


@pytest.fixture
async def make_org(app: FastAPI, _numbers: Any) -> AsyncIterator[MakeOrg]:
    """Registers a new organization of that name (made unique) and signs its owner in."""
    async with AsyncExitStack() as stack:

        async def make(name: str = "acme") -> OrgClient:
            number = next(_numbers)
            made = await stack.enter_async_context(_client(OrgClient, app))
            made.email = f"owner{number}@example.com"
            body = {
                "email": made.email,
                "password": USER_PASSWORD,
                "name": "Owner",
                "organization": f"{name}{number}",
            }
            return _signed_in(made, await made.post("/api/v1/auth/register", json=body))

        yield make


@pytest.fixture
async def make_member(app: FastAPI, _numbers: Any) -> AsyncIterator[MakeMember]:
    """Invites somebody new to an organization, who accepts by the link and is signed in to it."""
    async with AsyncExitStack() as stack:

        async def make(owner: OrgClient, role: str) -> OrgClient:
            made = await stack.enter_async_context(_client(OrgClient, app))
            made.email = f"member{next(_numbers)}@example.com"
            body = {"token": await invite(owner, made.email, role), "name": "Member"}
            body["password"] = USER_PASSWORD
            return _signed_in(made, await made.post("/api/v1/auth/invitations/accept", json=body))

        yield make


async def invite(owner: OrgClient, email: str, role: str) -> str:
    """The token of a new invitation; there is no mail server, so the answer has the link."""
    invited = await owner.post("/api/v1/invitations", json={"email": email, "role": role})
    assert invited.status_code == 201, invited.text
    return str(invited.json()["link"]).partition("#token=")[2]


@pytest.fixture
def airflow_side(settings: Settings) -> dict[str, str]:
    """The headers of Airflow's side."""
    return {"Authorization": f"Bearer {settings.internal_token.get_secret_value()}"}


@pytest.fixture
async def two_orgs(make_org: MakeOrg) -> TwoOrgs:
    """Two organizations, each with its owner signed in."""
    return TwoOrgs(await make_org("north"), await make_org("south"))


@pytest.fixture
async def service_connection(database: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """The metadata database as the service's own role, without any code of the service."""
    url = database.url("etlfabric", "etlfabric_service", PASSWORDS["service"])
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


def _client(kind: Any, app: FastAPI) -> Any:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return kind(transport=transport, base_url="http://service.test")


def _signed_in(made: OrgClient, response: httpx.Response) -> OrgClient:
    assert response.status_code in (200, 201), response.text
    answer = response.json()
    made.organization, made.role = answer["organization"], answer["role"]
    made.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return made
