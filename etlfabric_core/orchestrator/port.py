"""What the services ask of the orchestrator, in its own words. Airflow is the one behind it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

TERMINAL_STATES = frozenset({"success", "failed"})
Reprocess = Literal["none", "failed", "completed"]


class _Answer(BaseModel):
    """Part of an answer: what is not named here is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DagInfo(_Answer):
    """A DAG as the scheduler knows it now."""

    dag_id: str
    is_paused: bool
    is_stale: bool
    has_import_errors: bool = False
    bundle_name: str | None = None
    bundle_version: str | None = None
    relative_fileloc: str | None = None
    last_parsed_time: datetime | None = None
    next_dagrun_run_after: datetime | None = None


class DagRun(_Answer):
    """One run of a DAG."""

    dag_id: str
    run_id: str = Field(validation_alias=AliasChoices("dag_run_id", "run_id"))
    state: str
    run_type: str
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    run_after: datetime
    queued_at: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    conf: dict[str, Any] | None = None
    note: str | None = None
    bundle_version: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True)
class RunsQuery:
    """Which runs, newest first: those due at or before `until`, without the first `offset`."""

    limit: int
    state: str | None = None
    until: datetime | None = None
    offset: int = 0


class DagRunPage(_Answer):
    """Some runs, newest first, and how many there are in all."""

    dag_runs: tuple[DagRun, ...]
    total_entries: int


class TaskInstance(_Answer):
    """The newest try of one task of a run. `state` None: not looked at yet."""

    task_id: str
    map_index: int = -1
    state: str | None
    try_number: int
    max_tries: int
    start_date: datetime | None = None
    end_date: datetime | None = None
    duration: float | None = Field(None, description="seconds")


class LogPage(_Answer):
    """Lines of a task's log. `continuation` reads on; None at the end."""

    lines: tuple[dict[str, Any], ...]
    continuation: str | None


class BackfillRequest(_Answer):
    """Which windows of a DAG to run again."""

    dag_id: str
    from_date: datetime
    to_date: datetime
    reprocess: Reprocess = "none"
    conf: dict[str, Any] = Field(default_factory=dict, description="Of each of its runs.")
    max_active_runs: int = 1


class Backfill(_Answer):
    """A backfill that was started."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    created_at: datetime
    completed_at: datetime | None = None
    dag_run_conf: dict[str, Any] | None = None


class ImportProblem(_Answer):
    """Why a DAG file could not be read."""

    filename: str
    timestamp: datetime
    stack_trace: str


class Orchestrator(Protocol):
    """The one door to the scheduler.

    Every method raises `NotFound` for an unknown DAG, run or task, `Conflict` where the request
    collides with what runs, `InvalidConfig` where the orchestrator refuses the request and
    `UpstreamUnavailable` where it does not answer.
    """

    async def dag(self, dag_id: str) -> DagInfo: ...

    async def set_paused(self, dag_id: str, paused: bool) -> None: ...

    async def trigger(self, dag_id: str, conf: dict[str, Any], note: str | None) -> DagRun: ...

    async def run(self, dag_id: str, run_id: str) -> DagRun: ...

    async def runs(self, dag_ids: tuple[str, ...], page: RunsQuery) -> DagRunPage: ...

    async def tasks(self, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]: ...

    async def log(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        try_number: int,
        continuation: str | None = None,
    ) -> LogPage: ...

    async def retry(self, dag_id: str, run_id: str) -> tuple[str, ...]: ...

    async def cancel(self, dag_id: str, run_id: str, note: str) -> DagRun: ...

    async def plan_backfill(self, request: BackfillRequest) -> tuple[datetime, ...]: ...

    async def create_backfill(self, request: BackfillRequest) -> Backfill: ...

    async def backfills(self, dag_id: str, limit: int) -> tuple[Backfill, ...]: ...

    async def backfill(self, id: int) -> Backfill: ...

    async def cancel_backfill(self, id: int) -> Backfill: ...

    async def backfill_runs(self, backfill: Backfill) -> tuple[DagRun, ...]: ...

    async def ensure_pool(self, name: str, slots: int) -> None: ...

    async def import_problems(self, filename: str) -> tuple[ImportProblem, ...]: ...

    async def forget(self, org_slug: str) -> None: ...

    async def health(self) -> dict[str, str | None]: ...

    async def version(self) -> str: ...
