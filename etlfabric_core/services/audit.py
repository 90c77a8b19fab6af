"""The audit log: written in the transaction of the change it tells of."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.models import AuditEntry

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

    The client's address comes from the request's log context.
    """
    session.add(
        AuditEntry(
            org_id=principal.org_id,
            user_id=principal.user_id,
            action=action,
            resource_type=resource.__tablename__,
            resource_id=str(resource.id),
            old_values=None if old is None else dict(old),
            new_values=None if new is None else dict(new),
            address=structlog.contextvars.get_contextvars().get("client"),
        )
    )
    await session.flush()
