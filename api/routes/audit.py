"""The audit log of the organization, for its owners and admins."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.datamodels.audit import CSV_COLUMNS, AuditEntryOut, AuditReportOut
from api.deps import AuditRead, OpenSessionDep, SessionDep, WiringDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.access.throttle import Rule
from etlfabric_core.db.scope import OpenSession
from etlfabric_core.errors import Forbidden, InvalidConfig, Unauthenticated
from etlfabric_core.files.csv_lines import csv_lines
from etlfabric_core.services import audit_check, audit_entries
from etlfabric_core.services.audit_entries import Filter

router = APIRouter(tags=["audit"])

Text = Annotated[str | None, Query(max_length=200)]


def audit_filter(
    action: Text = None,
    resource_type: Text = None,
    resource_id: Text = None,
    user_id: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    since: AwareDatetime | None = None,
    until: Annotated[AwareDatetime | None, Query(description="Itself outside.")] = None,
) -> Filter:
    """What the query string asks for."""
    return Filter(action, resource_type, resource_id, user_id, since, until)


FilterDep = Annotated[Filter, Depends(audit_filter)]


@router.get("/audit", responses=errors(Unauthenticated, Forbidden, InvalidConfig))
async def list_entries(
    wanted: FilterDep, principal: AuditRead, session: SessionDep, page: PageDep
) -> PageOut[AuditEntryOut]:
    """Who did what, newest first."""
    found = await audit_entries.list_page(session, wanted, page)
    items = [AuditEntryOut.of(named) for named in found.items]
    return PageOut(items=items, next_cursor=found.next_cursor)


@router.get(
    "/audit.csv",
    response_class=StreamingResponse,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig)
    | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(
    wanted: FilterDep, principal: AuditRead, opened: OpenSessionDep
) -> StreamingResponse:
    """The same as a file for a spreadsheet."""
    headers = {"Content-Disposition": f'attachment; filename="audit-{principal.org_slug}.csv"'}
    return StreamingResponse(_csv(opened, wanted), media_type="text/csv", headers=headers)


@router.get("/audit/verify", responses=errors(Unauthenticated, Forbidden))
async def verify(principal: AuditRead, session: SessionDep, wiring: WiringDep) -> AuditReportOut:
    """Whether an entry was changed, removed or added behind the service's back."""
    await wiring.throttle.admit(Rule.AUDIT_CHECK, principal.org_id)
    return AuditReportOut.of(await audit_check.verify(session, principal.org_id))


async def _csv(opened: OpenSession, wanted: Filter) -> AsyncIterator[str]:
    yield csv_lines([CSV_COLUMNS])
    async for batch in audit_entries.all_pages(opened, wanted):
        yield csv_lines(AuditEntryOut.of(named).cells() for named in batch)
