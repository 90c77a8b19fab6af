"""Schedules."""

from fastapi import APIRouter

from api.datamodels.schedules import (
    PreviewIn,
    PreviewOut,
    ScheduleIn,
    ScheduleOut,
    SchedulePatch,
)
from api.deps import SchedulesDelete, SchedulesRead, SchedulesWrite, SessionDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.errors import Conflict, Forbidden, InvalidConfig, NotFound, Unauthenticated
from etlfabric_core.models import Schedule
from etlfabric_core.services import schedules
from etlfabric_core.services.schedules import Preview, ScheduleDraft

router = APIRouter(prefix="/schedules", tags=["schedules"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
WRITE_ERRORS = READ_ERRORS | errors(Conflict, InvalidConfig)


@router.get("", response_model=PageOut[ScheduleOut], responses=READ_ERRORS)
async def list_schedules(
    principal: SchedulesRead, session: SessionDep, page: PageDep, workflow_id: int | None = None
) -> PageOut[ScheduleOut]:
    """The organization's schedules, or those of one workflow."""
    found = await schedules.list_page(session, page, workflow_id)
    return PageOut(items=[_out(row) for row in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201, response_model=ScheduleOut, responses=WRITE_ERRORS)
async def create(body: ScheduleIn, principal: SchedulesWrite, session: SessionDep) -> ScheduleOut:
    """Makes a schedule; it counts when the workflow is published."""
    return _out(await schedules.create(session, principal, ScheduleDraft(**body.model_dump())))


@router.post(
    "/preview",
    response_model=PreviewOut,
    responses=errors(Unauthenticated, Forbidden, InvalidConfig),
)
async def preview(body: PreviewIn, principal: SchedulesRead) -> Preview:
    """What a schedule means, and its next five runs."""
    return schedules.preview(body.cron, body.timezone)


@router.get("/{id}", response_model=ScheduleOut, responses=READ_ERRORS)
async def get(id: int, principal: SchedulesRead, session: SessionDep) -> ScheduleOut:
    """One schedule."""
    return _out(await schedules.get(session, id))


@router.patch("/{id}", response_model=ScheduleOut, responses=WRITE_ERRORS)
async def change(
    id: int, body: SchedulePatch, principal: SchedulesWrite, session: SessionDep
) -> ScheduleOut:
    """Changes a schedule; it counts when the workflow is published."""
    given = body.model_dump(exclude_unset=True)
    return _out(await schedules.change(session, principal, id, given))


@router.delete("/{id}", status_code=204, responses=READ_ERRORS)
async def delete(id: int, principal: SchedulesDelete, session: SessionDep) -> None:
    """Deletes a schedule."""
    await schedules.delete(session, principal, id)


def _out(row: Schedule) -> ScheduleOut:
    meaning = schedules.preview(row.cron, row.timezone)
    columns = {key: getattr(row, key) for key in ScheduleOut.model_fields.keys() & vars(row).keys()}
    return ScheduleOut(
        **columns, description=meaning.description, next_runs=list(meaning.next_runs)
    )
