"""Lists in pages, by key: no page is skipped or repeated when rows come and go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from etlfabric_core.errors import InvalidConfig, Problem

Item = TypeVar("Item")


@dataclass(frozen=True)
class PageRequest:
    """How many rows, and after which cursor. `newest_first` turns the order around."""

    limit: int = 50
    cursor: str | None = None
    newest_first: bool = False


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list. `next_cursor` is None on the last."""

    items: Sequence[Item]
    next_cursor: str | None


async def fetch_page(
    session: AsyncSession,
    statement: Select[Item],
    key: InstrumentedAttribute[int],
    page: PageRequest,
) -> Page[Item]:
    """The page of a query, ordered by its key.

    Raises:
        InvalidConfig: the cursor is none that a page gave.
    """
    statement = statement.order_by(key.desc() if page.newest_first else key)
    if page.cursor is not None:
        after = _position(page.cursor)
        statement = statement.where(key < after if page.newest_first else key > after)
    rows = list(await session.scalars(statement.limit(page.limit + 1)))
    items, more = rows[: page.limit], len(rows) > page.limit
    last = getattr(items[-1], key.key) if more else None
    return Page(items, None if last is None else str(last))


def _position(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= 18:
        return int(cursor)
    raise InvalidConfig(
        "cursor: not one that a page gave",
        hint="start again without a cursor",
        problems=[Problem("not one that a page gave", field="cursor")],
    )
