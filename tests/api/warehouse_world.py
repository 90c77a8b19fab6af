"""Two organizations in the managed warehouse, each with a direct login as its own role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from fastapi import FastAPI

from api.deps import Wiring
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.models import Connection, Organization
from etlfabric_core.services import connections, warehouse
from etlfabric_core.transform.plan import WarehouseLogin
from tests.api.hostile_sql import CANARY, VICTIM

if TYPE_CHECKING:
    from tests.api.conftest import OrgClient, TwoOrgs

OTHERS_AT_WORK = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND backend_type = 'client backend' AND state <> 'idle'
"""
Session = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True)
class Wall:
    """The attacker A and the victim B, whose dataset `raw` is full of canaries."""

    wiring: Wiring
    a: "OrgClient"
    b: "OrgClient"
    attacker: Session
    victim: Session
    admin: Session

    def sql(self, text: str) -> bytes:
        return text.format(a=self.a.slug, b=self.b.slug).encode()

    @property
    def canary(self) -> str:
        return self.sql(CANARY).decode()

    async def alone(self) -> None:
        """Waits for what earlier tests left behind: a killed load's session ends its statement."""
        async with asyncio.timeout(60):
            while await (await self.admin.execute(OTHERS_AT_WORK)).fetchone():
                await asyncio.sleep(0.1)

    async def plant(self, text: str) -> None:
        """Runs a statement as the attacker."""
        await self.attacker.execute(self.sql(text))


@pytest.fixture
async def wall(
    app: FastAPI, two_orgs: "TwoOrgs", database: EmbeddedPostgres
) -> AsyncIterator[Wall]:
    wiring = app.state.wiring
    async with (
        direct(wiring, two_orgs.a) as attacker,
        direct(wiring, two_orgs.b) as victim,
        await Session.connect(database.url("warehouse"), autocommit=True) as admin,
    ):
        made = Wall(wiring, two_orgs.a, two_orgs.b, attacker, victim, admin)
        await made.alone()
        for statement in VICTIM:
            await victim.execute(made.sql(statement))
        await victim.execute(made.sql(f"/* {CANARY} */ SELECT 1"))
        await made.plant("CREATE TABLE {a}_raw.people AS SELECT 'own' AS name")
        yield made


async def login_of(wiring: Wiring, org: "OrgClient") -> WarehouseLogin:
    """How the organization's role signs in."""
    async with org_session(wiring.sessions, org.org_id) as session:
        organization = await session.get_one(Organization, org.org_id)
        return warehouse.login(wiring.warehouse, wiring.box, organization, "public")


async def endpoint_of(wiring: Wiring, org: "OrgClient") -> Endpoint:
    """The managed warehouse as a run of the organization gets it."""
    async with org_session(wiring.sessions, org.org_id) as session:
        managed = await session.scalar(org_select(Connection).where(Connection.managed))
        assert managed is not None
        return await connections.resolve_endpoint(
            session, managed, box=wiring.box, allowed=wiring.allowed
        )


@asynccontextmanager
async def direct(
    wiring: Wiring, org: "OrgClient", database: str | None = None
) -> AsyncIterator[Session]:
    """A session as the organization's own role, without any code of the service."""
    await warehouse.ensure_dataset(wiring.warehouse, org.slug, "raw")
    login = await login_of(wiring, org)
    made = await Session.connect(
        host=login.host,
        port=login.port,
        dbname=database or login.database,
        user=login.user,
        password=login.password,
        autocommit=True,
    )
    async with made:
        yield made
