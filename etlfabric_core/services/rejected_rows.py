"""Rows that loads put aside, read from the quarantine of their table in the warehouse."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.pages import Page, PageRequest
from etlfabric_core.db.scope import OpenSession, org_select
from etlfabric_core.errors import InvalidConfig, Problem, TerminalError
from etlfabric_core.extract_load.shape.rejected import SUFFIX
from etlfabric_core.models import TaskResult
from etlfabric_core.services.tables import MAX_CELL, UNREADABLE, Place, one_table
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.transform.plan import WarehouseLogin

RunKey = tuple[str, str]  # dag_id, run_id
EXPORTED_AT_ONCE = 500
MAX_REASONS = 200
# In the order of the files; a quarantine has no index, so this reads it whole.
ORDER = "coalesce(file::text, ''), coalesce(line::bigint, 0), id::text"
# Everything is cast: nothing keeps an organization from making a table of that name itself.
ROWS = """
SELECT coalesce(id::text, '') AS id, rejected_at::timestamptz AS rejected_at,
       left("column"::text, {cell}) AS "column", left(reason::text, {cell}) AS reason,
       left(file::text, {cell}) AS file, line::bigint AS line,
       left(row::jsonb ->> "column"::text, {cell}) AS value, left(row::text, {cell}) AS row,
       length(row::text) > {cell} AS is_cut, _dlt_load_id::text AS load_id
FROM {table}
WHERE ($1::text IS NULL OR "column"::text = $1) AND ($2::text IS NULL OR reason::text = $2)
  AND ($3::text[] IS NULL OR _dlt_load_id::text = ANY ($3))
  AND ($4::text IS NULL OR ({order}) > (SELECT {order} FROM {table} WHERE id::text = $4))
ORDER BY {order} LIMIT $5
"""
REASONS = """
SELECT left("column"::text, {cell}) AS "column", left(reason::text, {cell}) AS reason,
       count(*) AS rows
FROM {table} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {most}
"""


@dataclass(frozen=True)
class Filter:
    """Which rows: those refused for a column, for a reason, in a run."""

    column: str | None = None
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class RejectedRow:
    """A row as the source had it, masked where its columns are, and why it was not loaded.

    `row` is JSON and `value` what it holds in `column`; both are cut at 10,000 characters.
    """

    id: str
    rejected_at: datetime | None
    column: str | None
    reason: str | None
    file: str | None
    line: int | None
    value: str | None
    row: str | None
    is_cut: bool | None
    load_id: str | None
    run: RunKey | None = None


@dataclass(frozen=True)
class Reason:
    """How many rows were refused for one reason."""

    column: str | None
    reason: str | None
    rows: int


@dataclass(frozen=True)
class Quarantine:
    """Where the rejected rows of a table are, and how they are read."""

    warehouse: Warehouse
    login: WarehouseLogin
    place: Place

    @classmethod
    def of(cls, warehouse: Warehouse, login: WarehouseLogin, table: Place) -> "Quarantine":
        """The quarantine of a table that pipelines load."""
        return cls(warehouse, login, replace(table, table=table.table + SUFFIX))

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Rows of a query on it.

        Raises:
            NotFound: there is none.
            TerminalError: it took too long, or the table is not of a load's making.
            UpstreamUnavailable: the warehouse cannot be reached.
        """
        async with one_table(self.warehouse, self.login, self.place) as (connection, table):
            sql = query.format(table=table, order=ORDER, cell=MAX_CELL, most=MAX_REASONS)
            try:
                return list(await connection.fetch(sql, *values))
            except UNREADABLE as error:
                raise TerminalError(
                    f"table {self.place.dataset}.{self.place.table} is not of a load's making",
                    hint="rename it: rejected rows are kept under this name",
                ) from error


async def list_page(
    open_session: OpenSession, quarantine: Quarantine, wanted: Filter, page: PageRequest
) -> Page[RejectedRow]:
    """Rejected rows in the order of their files and lines.

    Raises:
        NotFound: no load of this organization has put rows of such a table aside.
        InvalidConfig: the row that the cursor names is gone.
        TerminalError, UpstreamUnavailable: as `Quarantine.fetch`.
    """
    load_ids = None
    if wanted.run_id is not None:
        async with open_session() as session:
            load_ids = await _loads_of(session, wanted.run_id)
    if page.cursor is not None and not await _is_there(quarantine, page.cursor):
        raise InvalidConfig(
            "cursor: the row where this page begins has been loaded or replaced",
            hint="start again without a cursor",
            problems=[Problem("not there any more", field="cursor")],
        )
    values = (wanted.column, wanted.reason, load_ids, page.cursor, page.limit + 1)
    found = [RejectedRow(**row) for row in await quarantine.fetch(ROWS, *values)]
    more = len(found) > page.limit
    rows = found[: page.limit]
    async with open_session() as session:
        runs = await _runs_of(session, {row.load_id for row in rows if row.load_id})
    items = [replace(row, run=runs.get(row.load_id or "")) for row in rows]
    return Page(items, items[-1].id if more else None)


async def all_pages(
    open_session: OpenSession, quarantine: Quarantine, wanted: Filter, first: Page[RejectedRow]
) -> AsyncIterator[Sequence[RejectedRow]]:
    """The first page and all that follow it; the same errors as `list_page`."""
    page = first
    yield page.items
    while page.next_cursor is not None:
        request = PageRequest(EXPORTED_AT_ONCE, page.next_cursor)
        page = await list_page(open_session, quarantine, wanted, request)
        yield page.items


async def reasons(quarantine: Quarantine) -> list[Reason]:
    """Why rows were put aside, the most frequent first.

    Raises:
        NotFound, TerminalError, UpstreamUnavailable: as `Quarantine.fetch`.
    """
    return [Reason(**row) for row in await quarantine.fetch(REASONS)]


async def _is_there(quarantine: Quarantine, id: str) -> bool:
    query = "SELECT 1 FROM {table} WHERE id::text = $1 LIMIT 1"
    return bool(await quarantine.fetch(query, id))


async def _loads_of(session: AsyncSession, run_id: str) -> list[str]:
    query = org_select(TaskResult).where(TaskResult.run_id == run_id, TaskResult.load.is_not(None))
    results = [result.load or {} for result in await session.scalars(query)]
    return [load_id for load in results for load_id in load.get("load_ids", ())]


async def _runs_of(session: AsyncSession, load_ids: set[str]) -> dict[str, RunKey]:
    """The runs whose reports name these loads; the report of a run that was purged is gone."""
    if not load_ids:
        return {}
    named = TaskResult.load["load_ids"].has_any(array(sorted(load_ids)))
    results = list(await session.scalars(org_select(TaskResult).where(named)))
    return {
        load_id: (result.dag_id, result.run_id)
        for result in results
        for load_id in (result.load or {})["load_ids"]
    }
