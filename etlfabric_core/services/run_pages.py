"""The list of runs, page by page: Airflow pages by numbers, we go on at a due time."""

from collections.abc import Sequence
from datetime import datetime

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest
from etlfabric_core.db.scope import OpenSession
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.orchestrator.port import DagRun, Orchestrator, RunsQuery
from etlfabric_core.services import dag_ids

CURSOR_SEPARATOR = "~"
PAGE = 99  # Airflow gives 100 runs at once, and one more than a page tells whether there is more.


async def list_page(
    open_session: OpenSession,
    orchestrator: Orchestrator,
    principal: Principal,
    *,
    workflow_id: int | None,
    state: str | None,
    page: PageRequest,
) -> Page[DagRun]:
    """Runs of the organization's DAGs alone, newest first.

    Raises:
        NotFound: no such workflow.
        InvalidConfig: the cursor is none that a page gave.
        UpstreamUnavailable: Airflow does not answer.
    """
    async with open_session() as session:
        ids = await dag_ids.listed(session, principal.org_slug, workflow_id)
    until, offset = _position(page.cursor)
    limit = min(page.limit, PAGE)
    query = RunsQuery(limit=limit + 1, state=state, until=until, offset=offset)
    found = (await orchestrator.runs(ids, query)).dag_runs
    runs = found[:limit]
    return Page(runs, _next_cursor(runs, until, offset) if len(found) > limit else None)


def _position(cursor: str | None) -> tuple[datetime | None, int]:
    """A page goes on at a due time, behind the runs of that very time that were shown."""
    if cursor is None:
        return None, 0
    moment, _, shown = cursor.partition(CURSOR_SEPARATOR)
    try:
        until = datetime.fromisoformat(moment)
        if until.tzinfo is None or not shown.isdigit():
            raise ValueError("incomplete")
        return until, int(shown)
    except ValueError as error:
        raise InvalidConfig(
            "cursor: not one that a page gave",
            hint="start again without a cursor",
            problems=[Problem("not one that a page gave", field="cursor")],
        ) from error


def _next_cursor(runs: Sequence[DagRun], until: datetime | None, offset: int) -> str:
    last = runs[-1].run_after
    shown = sum(run.run_after == last for run in runs) + (offset if until == last else 0)
    return f"{last.isoformat()}{CURSOR_SEPARATOR}{shown}"
