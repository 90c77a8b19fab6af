"""Tests of connections, and their history: how each went is kept, the newest few of each."""

import time
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.connectors.record import Direction
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.models import Connection, ConnectionTest
from etlfabric_core.services import connections, probe
from etlfabric_core.services.probe import Prober

MOST_KEPT = 50  # of one connection


async def run(prober: Prober, id: int) -> ConnectionTest:
    """Tests a saved connection and keeps how it went. A refusal is an answer.

    Raises:
        NotFound: no such connection, or an upload of it was deleted.
        InvalidConfig: the host lies inside the installation by now.
        SecretUnreadable: the key of a secret is gone.
    """
    started = time.monotonic()
    try:
        async with prober.opened() as session:
            endpoint = await connections.probed_endpoint(
                session, id, box=prober.box, allowed=prober.allowed
            )
        result = await probe.ask(prober, "test", endpoint)
    except (TerminalError, TransientError) as error:
        result = {
            "ok": False,
            "message": error.message,
            "hint": error.hint,
            "latency_ms": round((time.monotonic() - started) * 1000),
            "server_version": None,
            "missing": [],
        }
    async with prober.opened() as session:
        return await _keep(session, id, result)


async def list_page(session: AsyncSession, id: int, page: PageRequest) -> Page[ConnectionTest]:
    """The tests of a connection, newest first.

    Raises:
        NotFound: no such connection.
    """
    await connections.get(session, id)
    statement = org_select(ConnectionTest).where(ConnectionTest.connection_id == id)
    return await fetch_page(session, statement, ConnectionTest.id, page)


async def _keep(session: AsyncSession, id: int, result: dict[str, Any]) -> ConnectionTest:
    connection = await connections.get(session, id)
    connection.status = "connected" if result["ok"] else "error"
    connection.status_message = result["message"]
    missing = [right for right in result["missing"] if _matters(connection, right["direction"])]
    test = ConnectionTest(
        org_id=connection.org_id, connection_id=id, **{**result, "missing": missing}
    )
    session.add(test)
    await session.flush()
    newest = (
        org_select(ConnectionTest)
        .with_only_columns(ConnectionTest.id)
        .where(ConnectionTest.connection_id == id)
        .order_by(ConnectionTest.id.desc())
        .limit(MOST_KEPT)
    )
    await session.execute(
        delete(ConnectionTest).where(
            ConnectionTest.connection_id == id,
            ConnectionTest.id.not_in(newest.scalar_subquery()),
        )
    )
    await session.refresh(test)
    return test


def _matters(connection: Connection, direction: str) -> bool:
    """The managed warehouse is provisioned by the platform: its user creates no schemas."""
    if connection.managed and direction == Direction.DESTINATION:
        return False
    return connection.direction in ("both", direction)
