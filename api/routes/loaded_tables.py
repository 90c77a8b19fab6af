"""Tables that a pipeline has loaded, at whatever destination."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.datamodels.listings import FirstRowsOut
from api.datamodels.loaded_tables import LoadedTableOut, LoadedTablesOut
from api.deps import ProberDep, SessionDep, TablesRead
from api.errors import errors
from etlfabric_core.errors import (
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.services import loaded_tables

router = APIRouter(prefix="/pipelines/{id}/tables", tags=["pipelines"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
ROW_ERRORS = READ_ERRORS | errors(InvalidConfig, TerminalError, TransientError)
LOADED = r"^[A-Za-z0-9_]+$"  # what loads make of names


@router.get("", responses=READ_ERRORS)
async def list_tables(id: int, principal: TablesRead, session: SessionDep) -> LoadedTablesOut:
    """The tables that loads of the pipeline have written, by name."""
    found = await loaded_tables.list_all(session, principal, id)
    return LoadedTablesOut(items=[LoadedTableOut.model_validate(one) for one in found])


@router.get("/{table}/rows", responses=ROW_ERRORS)
async def first_rows(
    id: int,
    table: Annotated[str, Path(max_length=128, pattern=LOADED)],
    principal: TablesRead,
    prober: ProberDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> FirstRowsOut:
    """The first rows of one of them; rejected ones are in the table that ends in `__rejected`."""
    found = await loaded_tables.first_rows(prober, principal, id, table, limit=limit)
    return FirstRowsOut.model_validate(found)
