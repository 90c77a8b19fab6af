"""The audit log as it is read: filtered, newest first, with the names of who acted."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import OpenSession, org_select, platform
from etlfabric_core.models import ApiKey, AuditEntry, User

CSV_BATCH = 250


@dataclass(frozen=True)
class Filter:
    """What is looked for; None: anything. `until` itself is outside."""

    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    user_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Actor:
    """Who acted. None where the row is gone that knew the name."""

    id: int
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class NamedEntry:
    """An entry with the names of the user and of the API key."""

    entry: AuditEntry
    user: Actor | None
    api_key: Actor | None


async def list_page(session: AsyncSession, wanted: Filter, page: PageRequest) -> Page[NamedEntry]:
    """A page of the organization's entries, newest first.

    Raises:
        InvalidConfig: the cursor is none that a page gave.
    """
    found = await fetch_page(
        session, _matching(wanted), AuditEntry.id, replace(page, newest_first=True)
    )
    return Page(await _named(session, found.items), found.next_cursor)


async def all_pages(opened: OpenSession, wanted: Filter) -> AsyncIterator[Sequence[NamedEntry]]:
    """Every matching entry, newest first, a batch at a time, each in a transaction of its own."""
    page = PageRequest(CSV_BATCH)
    while True:
        async with opened() as session:
            found = await list_page(session, wanted, page)
        yield found.items
        if found.next_cursor is None:
            return
        page = replace(page, cursor=found.next_cursor)


def _matching(wanted: Filter) -> Select[AuditEntry]:
    statement = org_select(AuditEntry)
    for name in ("action", "resource_type", "resource_id", "user_id"):
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(getattr(AuditEntry, name) == value)
    if wanted.since is not None:
        statement = statement.where(AuditEntry.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditEntry.created_at < wanted.until)
    return statement


async def _named(session: AsyncSession, entries: Sequence[AuditEntry]) -> list[NamedEntry]:
    users = await actors(session, {entry.user_id for entry in entries} - {None})
    keys = await _api_keys(session, {entry.api_key_id for entry in entries} - {None})
    return [
        NamedEntry(
            entry,
            None if entry.user_id is None else users.get(entry.user_id, Actor(entry.user_id)),
            None
            if entry.api_key_id is None
            else keys.get(entry.api_key_id, Actor(entry.api_key_id)),
        )
        for entry in entries
    ]


async def actors(session: AsyncSession, ids: set[Any]) -> dict[int, Actor]:
    """Users by their ids, also those who have left."""
    if not ids:
        return {}
    # Who has left is seen through no membership any more, but acted here all the same.
    async with platform(session):
        rows = await session.execute(select(User.id, User.name, User.email).where(User.id.in_(ids)))
    return {row.id: Actor(row.id, row.name, row.email) for row in rows}


async def _api_keys(session: AsyncSession, ids: set[Any]) -> dict[int, Actor]:
    if not ids:
        return {}
    rows = await session.scalars(org_select(ApiKey).where(ApiKey.id.in_(ids)))
    return {row.id: Actor(row.id, row.name) for row in rows}
