"""What connections have to load, and what is in it, before anything is created."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.datamodels.listings import (
    FirstRowsIn,
    FirstRowsOut,
    ProfileIn,
    ProfileOut,
    SchemasOut,
    SourceColumnOut,
    SourceColumnsOut,
    SourceTableOut,
    SourceTablesOut,
)
from api.deps import ConnectionsRead, ConnectionsWrite, ProberDep
from api.errors import errors
from etlfabric_core.errors import (
    Forbidden,
    InvalidConfig,
    NotFound,
    Problem,
    TerminalError,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.services import listings, samples

router = APIRouter(prefix="/connections/{id}", tags=["connections"])

ERRORS = errors(Unauthenticated, Forbidden, NotFound, InvalidConfig, TerminalError, TransientError)
NO_NUL = r"^[^\x00]*$"
Refresh = Annotated[bool, Query(description="Forget what was listed before, and ask the source.")]
Schema = Annotated[str | None, Query(max_length=255, pattern=NO_NUL)]
Search = Annotated[str, Query(max_length=255, pattern=NO_NUL, description="A part of the name.")]
Table = Annotated[str, Query(min_length=1, max_length=1024, pattern=NO_NUL)]


@router.get("/schemas", responses=ERRORS)
async def list_schemas(
    id: int, principal: ConnectionsRead, prober: ProberDep, refresh: Refresh = False
) -> SchemasOut:
    """The schemas in which there is something to read."""
    found = await listings.ask(prober, id, "schemas", {}, refresh=refresh)
    return SchemasOut(items=found.answer, listed_at=found.listed_at)


@router.get("/tables", responses=ERRORS)
async def list_tables(
    id: int,
    principal: ConnectionsRead,
    prober: ProberDep,
    schema: Schema = None,
    search: Search = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    refresh: Refresh = False,
) -> SourceTablesOut:
    """One page of the tables, views or files that the connection may read."""
    query = {"schema": schema, "search": search, "limit": limit, "after": _position(cursor)}
    found = await listings.ask(prober, id, "tables", query, refresh=refresh)
    items = [SourceTableOut.model_validate(table) for table in found.answer["tables"]]
    last = items[-1] if found.answer["more"] else None
    return SourceTablesOut(
        items=items,
        next_cursor=json.dumps([last.schema_, last.name]) if last else None,
        listed_at=found.listed_at,
    )


@router.get("/columns", responses=ERRORS)
async def list_columns(
    id: int, table: Table, principal: ConnectionsRead, prober: ProberDep, refresh: Refresh = False
) -> SourceColumnsOut:
    """The columns of one table, and which of them can be key and cursor."""
    found = await listings.ask(prober, id, "columns", {"table": table}, refresh=refresh)
    items = [SourceColumnOut.model_validate(column) for column in found.answer]
    return SourceColumnsOut(
        items=items,
        primary_key=[column.name for column in items if column.primary_key],
        cursor_candidates=[column.name for column in items if column.cursor_candidate],
        listed_at=found.listed_at,
    )


@router.post("/preview", responses=ERRORS)
async def preview(
    id: int, body: FirstRowsIn, principal: ConnectionsWrite, prober: ProberDep
) -> FirstRowsOut:
    """The first rows of one table. For those who may load it: a source has no masks."""
    arguments = {"table": body.table, "limit": body.limit}
    found = await samples.ask(prober, principal, id, "preview", arguments)
    return FirstRowsOut.model_validate(found)


@router.post("/profile", responses=ERRORS)
async def profile(
    id: int, body: ProfileIn, principal: ConnectionsWrite, prober: ProberDep
) -> ProfileOut:
    """Counts what the first 100,000 rows of one table hold. For those who may load it."""
    arguments = {"table": body.table, "key": body.key}
    found = await samples.ask(prober, principal, id, "profile", arguments)
    return ProfileOut.model_validate(found)


def _position(cursor: str | None) -> list[str] | None:
    """The schema and name after which the page begins."""
    if cursor is None:
        return None
    try:
        place: Any = json.loads(cursor)
    except (ValueError, RecursionError):
        place = None
    match place:
        case [str(schema), str(name)] if "\0" not in schema + name and _is_text(schema + name):
            return [schema, name]
    raise InvalidConfig(
        "cursor: not one that a page gave",
        hint="start again without a cursor",
        problems=[Problem("not one that a page gave", field="cursor")],
    )


def _is_text(value: str) -> bool:
    """JSON can say halves of characters that no database takes."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
