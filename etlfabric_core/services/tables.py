"""What lies in the organization's part of the managed warehouse, read as its own role."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.errors import NotFound, TerminalError
from etlfabric_core.services import organizations, warehouse
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import SLUG, STAGING_SUFFIX, physical_dataset
from etlfabric_core.transform.plan import WarehouseLogin

MAX_CELL = 10_000
MAX_CHARACTERS = 8_000_000  # of an answer; the service holds all of it in memory
PREFETCHED_ROWS = 10
# What the driver says of types and values that Python has not.
UNREADABLE = (
    asyncpg.InternalClientError,
    asyncpg.UnsupportedClientFeatureError,
    OverflowError,
    ValueError,
)
# Types of small values that JSON can say, or that we write our own way. Others come as text, cut
# by the server: one value can have a gigabyte.
PLAIN_TYPES = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8"}
    | {"date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid"}
)
# Another organization's table is refused for lack of privilege: told in the same words.
NO_SUCH_TABLE = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
)
CATALOG = """
SELECT n.nspname AS schema, c.relname AS name,
       CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind,
       CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS row_estimate,
       array_agg(a.attname::text ORDER BY a.attnum) AS names,
       array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE pg_get_userbyid(n.nspowner) = current_user
  AND c.relkind IN ('r', 'p', 'v', 'm')
  AND n.nspname NOT LIKE '%\\_staging'
  AND c.relname NOT LIKE '\\_dlt\\_%' AND c.relname NOT LIKE '\\_etlfabric\\_%'
GROUP BY n.nspname, c.relname, c.relkind, c.reltuples
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True)
class Column:
    """A column and its PostgreSQL type."""

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """A table or view. `row_estimate` is the planner's; None before the first analysis."""

    dataset: str
    name: str
    kind: str
    row_estimate: int | None
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Place:
    """Which table of which organization."""

    organization: str
    dataset: str
    table: str

    def is_possible(self) -> bool:
        """Whether such a dataset can be at all."""
        dataset = SLUG.fullmatch(self.dataset) and not self.dataset.endswith(STAGING_SUFFIX)
        return bool(dataset) and "\0" not in self.table


@dataclass(frozen=True)
class Rows:
    """The first rows of a table, in no particular order; fewer when they are very large."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]


async def reader(
    session: AsyncSession, principal: Principal, managed: Warehouse, box: SecretBox
) -> WarehouseLogin:
    """How to read as the organization's role.

    Raises:
        NotFound: the organization was deleted.
    """
    organization = await organizations.get(session, principal)
    return warehouse.login(managed, box, organization, "public")


async def list_all(managed: Warehouse, login: WarehouseLogin, principal: Principal) -> list[Table]:
    """Every table and view of the organization, without those that loading keeps for itself.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
        TerminalError: it took too long.
    """
    async with _reading(managed, login) as connection:
        found = await connection.fetch(CATALOG)
    prefix = f"{principal.org_slug}_"
    return [
        Table(
            row["schema"].removeprefix(prefix),
            row["name"],
            row["kind"],
            row["row_estimate"],
            tuple(Column(*pair) for pair in zip(row["names"], row["types"], strict=True)),
        )
        for row in found
    ]


async def first_rows(
    managed: Warehouse, login: WarehouseLogin, place: Place, *, limit: int
) -> Rows:
    """The first rows of one table, cells cut at 10,000 characters.

    Raises:
        NotFound: no such dataset or table in this organization.
        UpstreamUnavailable: the warehouse cannot be reached.
        TerminalError: it took too long.
    """
    async with one_table(managed, login, place) as (connection, table):
        return await read_rows(connection, table, limit=limit)


async def count_rows(managed: Warehouse, login: WarehouseLogin, place: Place) -> int:
    """How many rows a table or view has now, counted.

    Raises:
        NotFound: no such dataset or table in this organization.
        UpstreamUnavailable: the warehouse cannot be reached.
        TerminalError: it took too long.
    """
    async with one_table(managed, login, place) as (connection, table):
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


@asynccontextmanager
async def one_table(
    managed: Warehouse, login: WarehouseLogin, place: Place
) -> AsyncIterator[tuple[Any, str]]:
    """A reading connection and the table's name, quoted by PostgreSQL itself.

    Raises:
        NotFound: no such dataset or table in this organization.
        UpstreamUnavailable, TerminalError: as `_reading`.
    """
    if not place.is_possible():
        raise _no_table(place)
    schema = physical_dataset(place.organization, place.dataset)
    async with _reading(managed, login) as connection:
        table = await connection.fetchval(
            "SELECT format('%I.%I', $1::text, $2::text)", schema, place.table
        )
        try:
            yield connection, table
        except NO_SUCH_TABLE as error:
            raise _no_table(place) from error


async def read_rows(connection: Any, source: str, *, limit: int) -> Rows:
    """The first rows of what may follow FROM, within bounds of memory.

    Raises:
        asyncpg.PostgresError: the server refused.
        TerminalError: a column is of a type, or holds a value, that cannot be read.
    """
    try:
        return await _read_rows(connection, source, limit)
    except UNREADABLE as error:
        raise TerminalError(
            "a column holds what cannot be shown, such as a date beyond the year 9999",
            hint="cast it to text",
        ) from error


async def _read_rows(connection: Any, source: str, limit: int) -> Rows:
    whole = await connection.prepare(f"SELECT * FROM {source}")  # noqa: S608
    attributes = whole.get_attributes()
    chosen = ", ".join(map(_chosen, attributes))
    query = f"SELECT {chosen} FROM {source} LIMIT {int(limit)}"  # noqa: S608
    rows: list[list[Any]] = []
    characters = 0
    async for row in connection.cursor(query, prefetch=PREFETCHED_ROWS):
        rows.append([_cell(value) for value in row.values()])
        characters += sum(len(value) for value in rows[-1] if isinstance(value, str))
        if characters > MAX_CHARACTERS:
            break
    return Rows(tuple(Column(a.name, a.type.name) for a in attributes), rows)


def _chosen(attribute: asyncpg.Attribute) -> str:
    name = '"' + str(attribute.name).replace('"', '""') + '"'
    if attribute.type.schema == "pg_catalog" and attribute.type.name in PLAIN_TYPES:
        return name
    return f"left({name}::text, {MAX_CELL}) AS {name}"


def _cell(value: Any) -> Any:
    """A value as JSON can say it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


@asynccontextmanager
async def _reading(managed: Warehouse, login: WarehouseLogin) -> AsyncIterator[Any]:
    try:
        async with warehouse.reading(managed, login) as connection:
            yield connection
    except asyncpg.QueryCanceledError as error:
        raise TerminalError(
            f"reading took longer than {warehouse.READ_TIMEOUT_MS // 1000} s",
            hint="if it is a view, make it a table, or give it fewer rows",
        ) from error
    except asyncpg.PostgresError as error:
        raise TerminalError(f"the warehouse answered: {error}") from error


def _no_table(place: Place) -> NotFound:
    return NotFound(
        f"table {place.dataset}.{place.table} does not exist", hint="GET /tables lists them"
    )
