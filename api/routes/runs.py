"""Runs of workflows."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.datamodels.runs import LogOut, RetriedOut, RunDetailOut, RunIn, RunOut, RunState
from api.deps import OpenSessionDep, RunsExecute, RunsRead, WiringDep
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.db.pages import Page
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TransientError,
    Unauthenticated,
    UpstreamUnavailable,
)
from etlfabric_core.orchestrator.port import DagRun
from etlfabric_core.services import run_details, run_events, run_pages, runs

router = APIRouter(tags=["runs"])
RUN = "/runs/{dag_id}/{run_id}"
GUARDED = (Unauthenticated, Forbidden, NotFound, UpstreamUnavailable)
# Airflow's tokens are; others, percent-encoded, could be longer than a server takes a URL.
URL_SAFE = r"^[A-Za-z0-9._-]+$"
STREAM_SECONDS = 600.0  # Then a viewer comes back, and shows again who it is.


def run_key(dag_id: str, run_id: str) -> runs.RunKey:
    """The run that a path names."""
    return dag_id, run_id


RunKeyDep = Annotated[runs.RunKey, Depends(run_key)]


@router.post(
    "/workflows/{id}/runs",
    status_code=201,
    response_model=RunOut,
    responses=errors(*GUARDED, Conflict, InvalidConfig, TransientError),
)
async def start(
    id: int, body: RunIn, principal: RunsExecute, opened: OpenSessionDep, wiring: WiringDep
) -> DagRun:
    """Runs the published revision now. Waits until Airflow has it, at most 15 s."""
    return await runs.start(
        opened,
        wiring.orchestrator,
        principal,
        id,
        select=body.select,
        pool_slots=wiring.settings.organization_pool_slots,
    )


@router.get("/runs", response_model=PageOut[RunOut], responses=errors(*GUARDED, InvalidConfig))
async def list_runs(
    principal: RunsRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
    page: PageDep,
    workflow_id: int | None = None,
    state: RunState | None = None,
) -> Page[DagRun]:
    """Runs of the organization, newest first."""
    return await run_pages.list_page(
        opened, wiring.orchestrator, principal, workflow_id=workflow_id, state=state, page=page
    )


@router.get(RUN, response_model=RunDetailOut, responses=errors(*GUARDED))
async def get(
    key: RunKeyDep, principal: RunsRead, opened: OpenSessionDep, wiring: WiringDep
) -> RunDetailOut:
    """One run: states, rows per table, dbt results, and why it failed."""
    return RunDetailOut.of(await run_details.detail(opened, wiring.orchestrator, principal, key))


@router.get(f"{RUN}/tasks/{{task_id}}/logs", response_model=LogOut, responses=errors(*GUARDED))
async def get_log(
    key: RunKeyDep,
    task_id: str,
    principal: RunsRead,
    opened: OpenSessionDep,
    wiring: WiringDep,
    try_number: Annotated[int | None, Query(ge=0, le=1000)] = None,
    continuation: Annotated[str | None, Query(max_length=10_000, pattern=URL_SAFE)] = None,
) -> LogOut:
    """The log of a task's try; of the newest when none is named."""
    wanted = runs.LogRequest(key, task_id, try_number, continuation)
    return LogOut.of(await runs.log(opened, wiring.orchestrator, principal, wanted))


@router.post(f"{RUN}/retry", response_model=RetriedOut, responses=errors(*GUARDED, Conflict))
async def retry(
    key: RunKeyDep, principal: RunsExecute, opened: OpenSessionDep, wiring: WiringDep
) -> RetriedOut:
    """Runs the failed tasks of a run again."""
    tasks = await runs.retry(opened, wiring.orchestrator, principal, key)
    return RetriedOut(tasks=list(tasks))


@router.post(f"{RUN}/cancel", response_model=RunOut, responses=errors(*GUARDED, Conflict))
async def cancel(
    key: RunKeyDep, principal: RunsExecute, opened: OpenSessionDep, wiring: WiringDep
) -> DagRun:
    """Ends a run."""
    return await runs.cancel(opened, wiring.orchestrator, principal, key)


async def existing_run(
    key: RunKeyDep, principal: RunsRead, opened: OpenSessionDep, wiring: WiringDep
) -> runs.RunKey:
    """The run, once it is known to be the caller's and to exist: a stream cannot answer 404.

    Raises:
        NotFound: no such run in this organization.
        UpstreamUnavailable: Airflow does not answer.
    """
    await runs.own(opened, principal, key)
    await wiring.orchestrator.run(*key)
    return key


@router.get(
    f"{RUN}/events", response_class=EventSourceResponse, responses=errors(*GUARDED, InvalidConfig)
)
async def events(
    key: Annotated[runs.RunKey, Depends(existing_run)],
    opened: OpenSessionDep,
    wiring: WiringDep,
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """What happens in a run: `state`, `progress`, `result` and at last `end`.

    Goes on behind `Last-Event-ID`. A stream without an `end` was cut: open it again.
    """
    look = run_events.looking(opened, wiring.orchestrator, key)
    async with wiring.run_feeds.follow(key, look) as feed:
        async for event in run_events.stream(
            feed, opened, key, last_event_id, seconds=STREAM_SECONDS
        ):
            yield ServerSentEvent(
                event=event.kind,
                data=event.data,
                id=None if event.id is None else str(event.id),
            )
