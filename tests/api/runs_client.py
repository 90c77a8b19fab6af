"""What a member does with runs: start one, read it and the list, wait until it is as wanted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.api.runs_world import Member

DEADLINE = 90  # seconds


async def start(member: Member, **body: Any) -> str:
    answer = await member.http.post(f"/api/v1/workflows/{member.workflow_id}/runs", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["dag_id"] == member.dag_id
    return str(answer.json()["run_id"])


def path(member: Member, run_id: str, tail: str = "") -> str:
    return f"/api/v1/runs/{member.dag_id}/{run_id}{tail}"


async def until(
    member: Member, run_id: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The run's detail, as soon as it is as wanted."""
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await member.http.get(path(member, run_id))
            assert answer.status_code == 200, answer.text
            detail: dict[str, Any] = answer.json()
            if fits(detail):
                return detail
            await asyncio.sleep(0.3)


def ended(detail: dict[str, Any]) -> bool:
    return detail["state"] in ("success", "failed")


def task(detail: dict[str, Any], task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in detail["tasks"] if t["task_id"] == task_id)
    return found


async def pages(member: Member, **query: Any) -> AsyncIterator[dict[str, Any]]:
    cursor = None
    while True:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        answer = await member.http.get("/api/v1/runs", params=params)
        assert answer.status_code == 200, answer.text
        for run in answer.json()["items"]:
            yield run
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return
