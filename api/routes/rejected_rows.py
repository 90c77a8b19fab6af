"""Rows that loads put aside instead of loading them."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from api.datamodels.rejected_rows import CSV_COLUMNS, ReasonOut, ReasonsOut, RejectedRowOut
from api.deps import OpenSessionDep, TablesRead, WiringDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import PageRequest
from etlfabric_core.errors import (
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.extract_load.shape.rejected import SUFFIX
from etlfabric_core.files.csv_lines import csv_lines
from etlfabric_core.services import rejected_rows, tables
from etlfabric_core.services.rejected_rows import Filter, Quarantine, RejectedRow

router = APIRouter(prefix="/tables/{dataset}/{table}", tags=["tables"])

READ_ERRORS = errors(
    Unauthenticated, Forbidden, NotFound, InvalidConfig, TerminalError, UpstreamUnavailable
)
Text = Annotated[str | None, Query(max_length=500)]


async def quarantine_of(
    dataset: Annotated[str, Path(max_length=63)],
    table: Annotated[str, Path(max_length=63 - len(SUFFIX))],
    principal: TablesRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
) -> Quarantine:
    """The quarantine that a path names, for those who may read tables."""
    async with opened() as session:
        login = await tables.reader(session, principal, wiring.warehouse, wiring.box)
    place = tables.Place(principal.org_slug, dataset, table)
    return Quarantine.of(wiring.warehouse, login, place)


def row_filter(column: Text = None, reason: Text = None, run_id: Text = None) -> Filter:
    """What the query string asks for."""
    return Filter(column, reason, run_id)


QuarantineDep = Annotated[Quarantine, Depends(quarantine_of)]
FilterDep = Annotated[Filter, Depends(row_filter)]


@router.get("/rejected", responses=READ_ERRORS)
async def list_rows(
    quarantine: QuarantineDep,
    wanted: FilterDep,
    page: PageDep,
    principal: TablesRead,
    opened: OpenSessionDep,
) -> PageOut[RejectedRowOut]:
    """Rows of a loaded table that were put aside, by file and line."""
    found = await rejected_rows.list_page(opened, quarantine, wanted, page)
    items = [RejectedRowOut.of(row) for row in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.get("/rejected/reasons", responses=READ_ERRORS)
async def list_reasons(quarantine: QuarantineDep, principal: TablesRead) -> ReasonsOut:
    """Why rows of a loaded table were put aside, and how many."""
    found = await rejected_rows.reasons(quarantine)
    return ReasonsOut(items=[ReasonOut.model_validate(reason) for reason in found])


@router.get(
    "/rejected.csv",
    response_class=StreamingResponse,
    responses=READ_ERRORS | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(
    quarantine: QuarantineDep, wanted: FilterDep, principal: TablesRead, opened: OpenSessionDep
) -> StreamingResponse:
    """The same as a file for a spreadsheet."""
    request = PageRequest(rejected_rows.EXPORTED_AT_ONCE, None)
    first = await rejected_rows.list_page(opened, quarantine, wanted, request)
    pages = rejected_rows.all_pages(opened, quarantine, wanted, first)
    headers = {"Content-Disposition": 'attachment; filename="rejected-rows.csv"'}
    return StreamingResponse(_csv(pages), media_type="text/csv", headers=headers)


async def _csv(pages: AsyncIterator[Sequence[RejectedRow]]) -> AsyncIterator[str]:
    yield csv_lines([CSV_COLUMNS])
    async for rows in pages:
        yield csv_lines(RejectedRowOut.of(row).cells() for row in rows)
