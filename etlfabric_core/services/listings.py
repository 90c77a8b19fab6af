"""What a connection has: schemas, tables, columns, asked at the source and kept for a while.

The answers are kept in a table, not in memory: every process of the service then shows the same
list with the same time, a refresh holds for all of them, and row-level security keeps them inside
the organization.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.db.scope import org_select
from etlfabric_core.models import Connection, Listing
from etlfabric_core.services import connections, probe
from etlfabric_core.services.probe import Prober

KEPT_FOR = timedelta(hours=1)
MOST_KEPT = 200  # of one connection
LONGEST = 1_000_000  # characters of an answer that is kept


@dataclass(frozen=True)
class Listed:
    """An answer of the source and when it gave it."""

    answer: Any
    listed_at: datetime


async def ask(
    prober: Prober,
    id: int,
    question: Literal["schemas", "tables", "columns"],
    arguments: Mapping[str, Any],
    *,
    refresh: bool = False,
) -> Listed:
    """The kept answer, or the source's own, which is then kept. `refresh` forgets all kept ones.

    Raises:
        NotFound: no such connection, or an upload of it was deleted.
        InvalidConfig, TerminalError, TransientError, SecretUnreadable: the source cannot be asked,
            or refused.
    """
    text = json.dumps([question, arguments], sort_keys=True)
    async with prober.opened() as session:
        connection = await connections.get(session, id)
        fingerprint = _fingerprint(connection)
        if not refresh and (found := await _kept(session, id, text, fingerprint)):
            return found
        endpoint = await connections.resolve_endpoint(
            session, connection, box=prober.box, allowed=prober.allowed
        )
    answer = await probe.ask(prober, question, endpoint, **arguments)
    row = {"fingerprint": fingerprint, "answer": answer, "listed_at": clock.now()}
    async with prober.opened() as session:
        await _forget(session, id, fingerprint, everything=refresh)
        if len(json.dumps(answer)) <= LONGEST:
            await session.execute(
                insert(Listing)
                .values(org_id=prober.org_id, connection_id=id, question=text, **row)
                .on_conflict_do_update(
                    index_elements=["org_id", "connection_id", "question"], set_=row
                )
            )
    return Listed(answer, row["listed_at"])


def _fingerprint(connection: Connection) -> bytes:
    """Changes with all that decides what the source answers."""
    config = json.dumps([connection.connector, connection.config], sort_keys=True)
    return hashlib.sha256(config.encode() + b"\0" + (connection.secrets or b"")).digest()


async def _kept(
    session: AsyncSession, connection_id: int, question: str, fingerprint: bytes
) -> Listed | None:
    row = await session.scalar(
        org_select(Listing).where(
            Listing.connection_id == connection_id,
            Listing.question == question,
            Listing.fingerprint == fingerprint,
            Listing.listed_at > clock.now() - KEPT_FOR,
        )
    )
    return None if row is None else Listed(row.answer, row.listed_at)


async def _forget(
    session: AsyncSession, connection_id: int, fingerprint: bytes, *, everything: bool
) -> None:
    """Deletes what is old, what another config or secret gave, and what is one too many."""
    rows = delete(Listing).where(Listing.connection_id == connection_id)
    if not everything:
        newest = (
            org_select(Listing)
            .with_only_columns(Listing.id)
            .where(Listing.connection_id == connection_id)
            .order_by(Listing.listed_at.desc())
            .limit(MOST_KEPT - 1)
        )
        rows = rows.where(
            or_(
                Listing.fingerprint != fingerprint,
                Listing.listed_at <= clock.now() - KEPT_FOR,
                Listing.id.not_in(newest.scalar_subquery()),
            )
        )
    await session.execute(rows)
