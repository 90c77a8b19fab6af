"""Bodies of runs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.datamodels.base import Answer
from etlfabric_core.extract_load.plan import LoadResult, TableLoad
from etlfabric_core.models import TaskResult
from etlfabric_core.orchestrator.port import LogPage
from etlfabric_core.services.run_details import RunDetail, Task
from etlfabric_core.transform.plan import DbtNodeResult, TransformResult

RunState = Literal["queued", "running", "success", "failed"]


class RunIn(BaseModel):
    """What to run: the whole workflow, or only the nodes with these slugs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"select": ["flights"]}]}
    )

    select: Annotated[list[str], Field(max_length=1000)] = []


class RunOut(Answer):
    """One run, as Airflow has it."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    note: str | None
    conf: dict[str, Any] | None


class TaskOut(Answer):
    """One task. `node` and `unique_id` say whose it is, where that can be told."""

    task_id: str
    node: str | None
    unique_id: str | None
    state: str | None
    try_number: int
    max_tries: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None = Field(description="seconds")

    @classmethod
    def of(cls, task: Task) -> "TaskOut":
        """From a task and its place."""
        values = task.instance.model_dump(exclude={"map_index"})
        return cls(node=task.node, unique_id=task.unique_id, **values)


class ResultOut(Answer):
    """What the last try of a node reported."""

    node: str
    try_number: int
    outcome: Literal["success", "failed"]
    rows: dict[str, int] = Field(description="Rows loaded in this run, by table.")
    tables: tuple[TableLoad, ...]
    skipped: tuple[str, ...] = Field(description="Resources that a backfill leaves alone.")
    replay: bool = Field(description="What was extracted were rejected rows.")
    dbt: tuple[DbtNodeResult, ...]
    seconds: float | None
    error: dict[str, Any] | None

    @classmethod
    def of(cls, result: TaskResult) -> "ResultOut":
        """From the stored report."""
        load = LoadResult.model_validate(result.load) if result.load else None
        dbt = TransformResult.model_validate(result.transform) if result.transform else None
        timed = load or dbt
        return cls.model_validate(
            {
                "node": result.node,
                "try_number": result.try_number,
                "outcome": result.outcome,
                "rows": {table.table: table.loaded for table in load.tables} if load else {},
                "tables": load.tables if load else (),
                "skipped": load.skipped if load else (),
                "replay": load.replay if load else False,
                "dbt": dbt.nodes if dbt else (),
                "seconds": timed.seconds if timed else None,
                "error": result.error,
            }
        )


class RunDetailOut(RunOut):
    """A run with its tasks and results. `error` says why it failed, and what to do."""

    tasks: list[TaskOut]
    results: list[ResultOut]
    error: dict[str, Any] | None

    @classmethod
    def of(cls, detail: RunDetail) -> "RunDetailOut":
        """From what the service found."""
        return cls(
            **RunOut.model_validate(detail.run).model_dump(),
            tasks=[TaskOut.of(task) for task in detail.tasks],
            results=[ResultOut.of(result) for result in detail.results],
            error=dict(detail.error) if detail.error else None,
        )


class LogLineOut(BaseModel):
    """One line of a log."""

    timestamp: datetime | None
    level: str | None
    event: str


class LogOut(BaseModel):
    """A part of a log. Ask again with `continuation` until it is null."""

    lines: list[LogLineOut]
    continuation: str | None

    @classmethod
    def of(cls, page: LogPage) -> "LogOut":
        """From Airflow's structured lines."""
        lines = [_line(line) for line in page.lines if _is_for_users(line)]
        return cls(lines=lines, continuation=page.continuation)


def _is_for_users(line: Mapping[str, Any]) -> bool:
    """Where the log lies and how the DAG was found are matters of the installation."""
    logger = str(line.get("logger", ""))
    return bool(line.get("timestamp")) and not logger.startswith("airflow.dag_processing")


def _line(line: Mapping[str, Any]) -> LogLineOut:
    failures = [
        f"{failure.get('exc_type')}: {failure.get('exc_value')}"
        for failure in line.get("error_detail") or ()
    ]
    event = "\n".join([str(line.get("event", "")), *failures])
    return LogLineOut(timestamp=line.get("timestamp"), level=line.get("level"), event=event)


class RetriedOut(BaseModel):
    """The tasks that run again."""

    tasks: list[str]
