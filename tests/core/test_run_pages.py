"""How a list of runs goes on."""

from datetime import UTC, datetime

import pytest

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.orchestrator.port import DagRun
from etlfabric_core.services import run_pages

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _run(minute: int) -> DagRun:
    return DagRun(
        dag_id="demo.main",
        run_id="r",
        state="success",
        run_type="manual",
        run_after=NOON.replace(minute=minute),
    )


def test_cursor_goes_on_behind_runs_of_the_same_moment() -> None:
    first = run_pages._next_cursor([_run(3), _run(2), _run(2)], None, 0)
    assert run_pages._position(first) == (NOON.replace(minute=2), 2)
    second = run_pages._next_cursor([_run(2), _run(2)], *run_pages._position(first))
    assert run_pages._position(second) == (NOON.replace(minute=2), 4)
    third = run_pages._next_cursor([_run(2), _run(1)], *run_pages._position(second))
    assert run_pages._position(third) == (NOON.replace(minute=1), 1)


@pytest.mark.parametrize("cursor", ["", "x", "5", "2026-01-01T00:00:00~1", f"{NOON.isoformat()}~"])
def test_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidConfig):
        run_pages._position(cursor)
