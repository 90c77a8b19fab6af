"""What happens in a run, as a stream: one poller per run, however many people watch it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import OpenSession, org_select
from etlfabric_core.errors import FabricError, NotFound
from etlfabric_core.models import RunEvent
from etlfabric_core.orchestrator.port import DagRun, Orchestrator, TaskInstance
from etlfabric_core.services.runs import RunKey

log = structlog.get_logger()

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """One message of the stream. `id` is set for what is stored, and is where to go on."""

    kind: str
    data: dict[str, Any]
    id: int | None = None


@dataclass(frozen=True)
class Glance:
    """A run at one moment. What is stored up to `last_event` was so before the states were read
    or while they were: a run that is over has nothing behind it.
    """

    run: DagRun
    tasks: tuple[TaskInstance, ...]
    last_event: int


class RunFeed:
    """Looks at one run about once a second and wakes those who wait for a change."""

    def __init__(self, look: Callable[[], Awaitable[Glance]], seconds: float) -> None:
        self._look, self._seconds = look, seconds
        self._changed = asyncio.Condition()
        self._glance: Glance | None = None
        self._version = 0
        self._gone = False
        self.viewers = 0

    async def after(self, version: int) -> tuple[int, Glance]:
        """The newest glance, as soon as there is one that is newer than `version`.

        Raises:
            NotFound: the run was deleted.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._version > version or self._gone)
            if self._gone or self._glance is None:
                raise NotFound("the run was deleted", hint="see the list of runs")
            return self._version, self._glance

    async def poll(self) -> None:
        """Looks until it is cancelled or the run is gone. A fault is logged and outlived."""
        while not self._gone:
            try:
                await self._publish(await self._look())
            except NotFound:
                async with self._changed:
                    self._gone = True
                    self._changed.notify_all()
            except (FabricError, OSError) as error:
                log.warning("run_feed_failed", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(self._seconds)

    async def _publish(self, glance: Glance) -> None:
        async with self._changed:
            if glance != self._glance:
                self._glance = glance
                self._version += 1
                self._changed.notify_all()


class RunFeeds:
    """The feeds of the runs that somebody watches right now."""

    def __init__(self, seconds: float = POLL_SECONDS) -> None:
        self._seconds = seconds
        self._feeds: dict[RunKey, tuple[RunFeed, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    @asynccontextmanager
    async def follow(
        self, key: RunKey, look: Callable[[], Awaitable[Glance]]
    ) -> AsyncIterator[RunFeed]:
        """The run's one feed; it ends with its last viewer."""
        if key not in self._feeds:
            feed = RunFeed(look, self._seconds)
            self._feeds[key] = (feed, asyncio.create_task(feed.poll()))
        feed, task = self._feeds[key]
        feed.viewers += 1
        try:
            yield feed
        finally:
            feed.viewers -= 1
            if feed.viewers == 0:
                del self._feeds[key]
                task.cancel()


def looking(
    open_session: OpenSession, orchestrator: Orchestrator, key: RunKey
) -> Callable[[], Awaitable[Glance]]:
    """How a feed looks at its run: states first, then the newest stored event."""

    async def look() -> Glance:
        run = await orchestrator.run(*key)
        tasks = await orchestrator.tasks(*key)
        async with open_session() as session:
            return Glance(run, tasks, await _last_event(session, key))

    return look


async def stream(
    feed: RunFeed, open_session: OpenSession, key: RunKey, last_id: int, *, seconds: float
) -> AsyncIterator[Event]:
    """Everything stored after `last_id` and every change of state, until the run is over.

    After `seconds` it stops where it is, without an `end`.
    """
    version, shown = 0, None
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                version, glance = await feed.after(version)
        except TimeoutError:
            return
        except NotFound as error:
            yield Event("end", {"state": None, **error.body()})
            return
        if glance.last_event > last_id:
            async with open_session() as session:
                stored = await _events(session, key, last_id)
            for event in stored:
                last_id = event.id
                yield Event(event.kind, _told(event), event.id)
        if (state := states(glance.run, glance.tasks)) != shown:
            shown = state
            yield Event("state", state)
        if glance.run.ended:
            yield Event("end", {"state": glance.run.state})
            return


def states(run: DagRun, tasks: Sequence[TaskInstance]) -> dict[str, Any]:
    """The states of a run and its tasks, with their times."""
    fields = {"state", "try_number", "max_tries", "start_date", "end_date"}
    return {
        "state": run.state,
        "start_date": run.start_date and run.start_date.isoformat(),
        "end_date": run.end_date and run.end_date.isoformat(),
        "tasks": {task.task_id: task.model_dump(mode="json", include=fields) for task in tasks},
    }


async def _last_event(session: AsyncSession, key: RunKey) -> int:
    newest = _of_run(key).with_only_columns(func.max(RunEvent.id))
    return (await session.scalar(newest)) or 0


async def _events(session: AsyncSession, key: RunKey, after: int) -> Sequence[RunEvent]:
    query = _of_run(key).where(RunEvent.id > after).order_by(RunEvent.id)
    return list(await session.scalars(query))


def _of_run(key: RunKey) -> Any:
    return org_select(RunEvent).where(RunEvent.dag_id == key[0], RunEvent.run_id == key[1])


def _told(event: RunEvent) -> dict[str, Any]:
    return {"node": event.node, "try_number": event.try_number, **event.payload}
