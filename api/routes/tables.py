"""What lies in the organization's part of the managed warehouse."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.datamodels.tables import CountOut, RevealIn, RevealOut, RowsOut, TableOut, TablesOut
from api.deps import OpenSessionDep, SessionDep, TablesRead, TablesReveal, WiringDep
from api.errors import errors
from etlfabric_core.errors import (
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.services import mask_keys, tables
from etlfabric_core.services.tables import Rows

router = APIRouter(prefix="/tables", tags=["tables"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound, TerminalError, UpstreamUnavailable)


@router.get("", responses=READ_ERRORS)
async def list_tables(
    principal: TablesRead, opened: OpenSessionDep, wiring: WiringDep
) -> TablesOut:
    """Tables and views with their columns and estimated rows."""
    async with opened() as session:
        login = await tables.reader(session, principal, wiring.warehouse, wiring.box)
    found = await tables.list_all(wiring.warehouse, login, principal)
    return TablesOut(items=[TableOut.model_validate(table) for table in found])


@router.get("/{dataset}/{table}/rows", response_model=RowsOut, responses=READ_ERRORS)
async def first_rows(
    dataset: Annotated[str, Path(max_length=63)],
    table: Annotated[str, Path(max_length=63)],
    principal: TablesRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Rows:
    """The first rows of one table."""
    async with opened() as session:
        login = await tables.reader(session, principal, wiring.warehouse, wiring.box)
    place = tables.Place(principal.org_slug, dataset, table)
    return await tables.first_rows(wiring.warehouse, login, place, limit=limit)


@router.get("/{dataset}/{table}/count", responses=READ_ERRORS)
async def count_rows(
    dataset: Annotated[str, Path(max_length=63)],
    table: Annotated[str, Path(max_length=63)],
    principal: TablesRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> CountOut:
    """How many rows a table has: counted, where the list has estimates."""
    async with opened() as session:
        login = await tables.reader(session, principal, wiring.warehouse, wiring.box)
    place = tables.Place(principal.org_slug, dataset, table)
    return CountOut(rows=await tables.count_rows(wiring.warehouse, login, place))


@router.post("/reveal", responses=errors(Unauthenticated, Forbidden, InvalidConfig))
async def reveal(
    body: RevealIn, principal: TablesReveal, session: SessionDep, wiring: WiringDep
) -> RevealOut:
    """The values behind texts that the mask `encrypt` has made. How many is audited."""
    values = await mask_keys.reveal(session, wiring.box, principal, body.values)
    return RevealOut(values=values)
