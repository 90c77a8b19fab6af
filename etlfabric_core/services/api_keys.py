"""API keys: `etf_<id>_<secret>`, for automation that has no person to sign in."""

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.permissions import Permission
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import new_opaque, opaque_hash
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import (
    get_owned,
    org_select,
    org_session,
    platform_select,
    platform_session,
)
from etlfabric_core.errors import Forbidden, InvalidConfig, NotFound, Problem, Unauthenticated
from etlfabric_core.models import ApiKey
from etlfabric_core.services import audit, principals

PREFIX = "etf_"
_KEY = re.compile(r"etf_(\d{1,18})_([A-Za-z0-9_-]{43})")
# A key in constant use writes its last use once a minute, not with every request.
LAST_USE_STEP = timedelta(minutes=1)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `key` is shown this once and stored nowhere."""

    row: ApiKey
    key: str


async def create(
    session: AsyncSession,
    principal: Principal,
    *,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime | None,
) -> NewKey:
    """A new key of the principal's organization.

    Raises:
        InvalidConfig: it would be expired already.
        Forbidden: a scope goes beyond what the principal may do.
    """
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidConfig(
            "expires_at: lies in the past",
            hint="choose a later time, or leave it out",
            problems=[Problem("lies in the past", field="expires_at")],
        )
    if beyond := sorted(set(scopes) - principal.permissions):
        raise Forbidden(
            f"a key cannot do more than you: you lack {', '.join(beyond)}",
            hint="choose from your own permissions",
        )
    secret = new_opaque()
    row = ApiKey(
        org_id=principal.org_id,
        name=name,
        user_id=principal.user_id,
        secret_hash=opaque_hash(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    await audit.record(session, principal, "create", row, new=_audited(row))
    return NewKey(row, f"{PREFIX}{row.id}_{secret}")


async def list_page(session: AsyncSession, page: PageRequest) -> Page[ApiKey]:
    """The keys that are not revoked, oldest first; expired ones too."""
    living = org_select(ApiKey).where(ApiKey.revoked_at.is_(None))
    return await fetch_page(session, living, ApiKey.id, page)


async def revoke(session: AsyncSession, principal: Principal, id: int) -> None:
    """Ends a key for good.

    Raises:
        NotFound: no such key, or it was revoked before.
    """
    row = await get_owned(session, ApiKey, id)
    if row.revoked_at is not None:
        raise NotFound(f"API key {id} does not exist", hint="it was revoked")
    row.revoked_at = clock.now()
    await session.flush()
    await audit.record(session, principal, "delete", row, old=_audited(row))


async def revoke_all(session: AsyncSession, principal: Principal, user_id: int) -> None:
    """Ends every key that a member made; for when the member leaves."""
    rows = await session.scalars(
        org_select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    )
    for row in list(rows):
        await revoke(session, principal, row.id)


async def authenticate(sessions: Sessions, key: str) -> Principal:
    """Who a key stands for: its maker, with the scopes that the maker's role still covers.

    Raises:
        Unauthenticated: no such key, revoked, expired, or its maker is no member any more.
    """
    parts = _KEY.fullmatch(key)
    org_id = await _organization(sessions, int(parts[1]), parts[2]) if parts else None
    if parts is None or org_id is None:
        raise _refused()
    async with org_session(sessions, org_id) as session:
        row = await get_owned(session, ApiKey, int(parts[1]))
        if not _alive(row):
            raise _refused()
        maker = await principals.of_member(session, row.user_id)
        now = clock.now()
        if row.last_used_at is None or now - row.last_used_at > LAST_USE_STEP:
            row.last_used_at = now
        allowed = maker.permissions & {Permission(scope) for scope in row.scopes}
        return replace(maker, permissions=allowed, api_key_id=row.id)


async def _organization(sessions: Sessions, id: int, secret: str) -> int | None:
    """The organization whose key this is, before which the request has none."""
    async with platform_session(sessions) as session:
        row = await session.scalar(platform_select(ApiKey).where(ApiKey.id == id))
    if row is None or not hmac.compare_digest(row.secret_hash, opaque_hash(secret)):
        return None
    return row.org_id


def _alive(row: ApiKey) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > clock.now())


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "the API key is invalid, revoked or expired", hint="make a new one under API keys"
    )


def _audited(row: ApiKey) -> dict[str, object]:
    expires = row.expires_at.isoformat() if row.expires_at else None
    return {"name": row.name, "scopes": row.scopes, "expires_at": expires}
