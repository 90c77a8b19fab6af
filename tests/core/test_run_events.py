"""The shared poller survives faults, tells when a run is gone, ends with its last viewer."""

import asyncio
from datetime import UTC, datetime

import pytest

from etlfabric_core.errors import NotFound, UpstreamUnavailable
from etlfabric_core.orchestrator.port import DagRun
from etlfabric_core.services.run_events import Glance, RunFeeds

KEY = ("demo.main", "r1")


def glance(state: str) -> Glance:
    run = DagRun(
        dag_id=KEY[0],
        run_id=KEY[1],
        state=state,
        run_type="manual",
        run_after=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Glance(run, (), 0)


class Looks:
    """Answers one thing after the other, the last one for ever."""

    def __init__(self, *answers: Glance | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    async def __call__(self) -> Glance:
        answer = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_fault_of_airflow_does_not_end_the_feed() -> None:
    look = Looks(glance("queued"), UpstreamUnavailable("away"), OSError("cut"), glance("running"))
    async with asyncio.timeout(5), RunFeeds(0.01).follow(KEY, look) as feed:
        version, first = await feed.after(0)
        _, second = await feed.after(version)
    assert (first.run.state, second.run.state) == ("queued", "running")


async def test_deleted_run_wakes_its_viewers() -> None:
    look = Looks(glance("running"), NotFound("gone"))
    async with asyncio.timeout(5), RunFeeds(0.01).follow(KEY, look) as feed:
        version, _ = await feed.after(0)
        with pytest.raises(NotFound):
            await feed.after(version)


async def test_feed_ends_with_its_last_viewer() -> None:
    look, feeds = Looks(glance("running")), RunFeeds(0.01)
    async with asyncio.timeout(5):
        async with feeds.follow(KEY, look) as one:
            async with feeds.follow(KEY, look) as other:
                assert one is other
                await one.after(0)
            assert len(feeds) == 1
        assert len(feeds) == 0
        await asyncio.sleep(0)  # the cancelled poller ends at its next step
        ended = look.count
        async with feeds.follow(KEY, look) as anew:
            assert anew is not one
            await anew.after(0)
    assert look.count > ended
