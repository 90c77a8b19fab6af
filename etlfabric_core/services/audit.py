"""The audit log: what is noted stands and falls with the transaction of the change itself."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.services import audit_chain

Values = Mapping[str, Any]


class Recorded(Protocol):
    """A stored row with a key."""

    __tablename__: str
    id: Any


async def record(
    session: AsyncSession,
    principal: Principal,
    action: str,
    resource: Recorded,
    *,
    old: Values | None = None,
    new: Values | None = None,
) -> None:
    """Notes that the principal did `action` to a row. Name secret fields, never give their values.

    The client's address and the request's id come from the request's log context.
    """
    entry = {
        "org_id": principal.org_id,
        "user_id": principal.user_id,
        "api_key_id": principal.api_key_id,
        "action": action,
        "resource_type": resource.__tablename__,
        "resource_id": str(resource.id),
        "old_values": None if old is None else dict(old),
        "new_values": None if new is None else dict(new),
    }
    await _append(session, entry)


async def note(
    session: AsyncSession,
    *,
    action: str,
    resource_type: str,
    resource_id: str,
    org_id: int | None = None,
    user_id: int | None = None,
    api_key_id: int | None = None,
    new: Values | None = None,
) -> None:
    """Notes what is no change of a row, such as a sign-in that failed. Works in any session.

    Without an organization the entry belongs to the platform. It stands only if the session's
    transaction is committed: a request that is refused notes it in a session of its own.
    """
    entry = {
        "org_id": org_id,
        "user_id": user_id,
        "api_key_id": api_key_id,
        "action": action,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "old_values": None,
        "new_values": None if new is None else dict(new),
    }
    await _append(session, entry)


async def _append(session: AsyncSession, entry: dict[str, Any]) -> None:
    request = structlog.contextvars.get_contextvars()
    entry |= {"address": request.get("client"), "request_id": request.get("request_id")}
    await session.flush()  # what the database refuses is not noted
    await session.connection()  # without a transaction there would be nothing to roll back
    audit_chain.append(session, entry)
