"""A change of the encryption keys while the service serves: everything sealed is sealed anew."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from etlfabric_core.crypto import SecretBox, SecretUnreadable
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import org_session, platform_session
from etlfabric_core.errors import TransientError
from etlfabric_core.models import Connection, Organization
from etlfabric_core.services import audit, connections, mask_keys, warehouse

BATCH = 100
POLL_SECONDS = 0.2
# Of the service's own sessions: what they sealed before that time is committed when there are none.
_OLDEST = text("""
SELECT min(xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
  AND xact_start < :since
""")


@dataclass(frozen=True)
class Sealed:
    """A column of sealed values, and the column that says which organization a row belongs to."""

    column: InstrumentedAttribute[Any]
    org_id: InstrumentedAttribute[int]
    field: str


SEALED = (
    Sealed(Connection.secrets, Connection.org_id, connections.SECRETS_FIELD),
    Sealed(Organization.mask_key, Organization.id, mask_keys.FIELD),
    Sealed(Organization.warehouse_password, Organization.id, warehouse.PASSWORD_FIELD),
)


@dataclass
class Resealed:
    """How many values got a new seal, and which could not be opened."""

    rows: int = 0
    unreadable: list[str] = field(default_factory=list)


async def count(sessions: Sessions, box: SecretBox) -> Counter[str | None]:
    """How many values each key has sealed, by its id; None: no key opens them."""
    found: Counter[str | None] = Counter()
    async for org_id in _organizations(sessions):
        async with org_session(sessions, org_id) as session:
            for sealed in SEALED:
                values: Sequence[bytes] = (
                    await session.scalars(
                        select(sealed.column).where(sealed.org_id == org_id, _is_set(sealed))
                    )
                ).all()
                found.update(box.key_of(value) for value in values)
    return found


async def reseal(sessions: Sessions, box: SecretBox) -> Resealed:
    """Seals with the newest key what another one has sealed, in short transactions.

    It can be stopped and called again at any time. Deleted rows are included: they may come back.
    """
    done = Resealed()
    async for org_id in _organizations(sessions):
        for sealed in SEALED:
            last: int | None = 0
            while last is not None:
                last = await _reseal_batch(sessions, box, (org_id, sealed), last, done)
    if done.rows:
        async with platform_session(sessions) as session:
            await audit.note(
                session,
                action="reseal",
                resource_type="encryption_key",
                resource_id=box.keys.newest().id,
                new={"rows": done.rows},
            )
    return done


async def settled(sessions: Sessions, *, timeout_s: float) -> None:
    """Waits until every transaction is over that is running now: it may have used an older key.

    Raises:
        TransientError: one goes on for longer than the timeout, in seconds.
    """
    async with platform_session(sessions) as session:
        since = await session.scalar(select(func.clock_timestamp()))
    try:
        async with asyncio.timeout(timeout_s):
            while await _oldest(sessions, since):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise TransientError(
            f"a transaction of the service has been open for more than {timeout_s:g} s",
            hint="nothing is lost: run the command again",
        ) from None


async def _oldest(sessions: Sessions, since: datetime | None) -> datetime | None:
    async with sessions.begin() as session:
        found: datetime | None = await session.scalar(_OLDEST, {"since": since})
    return found


async def _reseal_batch(
    sessions: Sessions, box: SecretBox, place: tuple[int, Sealed], after: int, done: Resealed
) -> int | None:
    """One transaction for the rows after that id; the id of the last one, None at the end."""
    org_id, sealed = place
    async with org_session(sessions, org_id) as session:
        rows = await _under_other_keys(session, box, place, after)
        for row in rows:
            try:
                value = box.open(getattr(row, sealed.column.key), org_id=org_id, field=sealed.field)
            except SecretUnreadable:
                done.unreadable.append(f"{sealed.field} of id {row.id}")
                continue
            again = box.seal(value, org_id=org_id, field=sealed.field)
            setattr(row, sealed.column.key, again)
            done.rows += 1
    return rows[-1].id if rows else None


async def _under_other_keys(
    session: AsyncSession, box: SecretBox, place: tuple[int, Sealed], after: int
) -> Sequence[Any]:
    org_id, sealed = place
    model, prefix = sealed.column.class_, box.newest_prefix()
    rows: Sequence[Any] = (
        await session.scalars(
            select(model)
            .where(sealed.org_id == org_id, model.id > after, _is_set(sealed))
            .where(func.substring(sealed.column, 1, len(prefix)) != prefix)
            .order_by(model.id)
            .limit(BATCH)
            .with_for_update(key_share=True)
        )
    ).all()
    return rows


def _is_set(sealed: Sealed) -> Any:
    return func.length(sealed.column) > 0


async def _organizations(sessions: Sessions) -> AsyncIterator[int]:
    async with platform_session(sessions) as session:
        ids = list(await session.scalars(select(Organization.id).order_by(Organization.id)))
    for id in ids:
        yield id
