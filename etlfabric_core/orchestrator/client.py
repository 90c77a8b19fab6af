"""Airflow's stable REST API v2, as the orchestrator."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.orchestrator.port import (
    Backfill,
    BackfillRequest,
    DagInfo,
    DagRun,
    DagRunPage,
    ImportProblem,
    LogPage,
    RunsQuery,
    TaskInstance,
)
from etlfabric_core.orchestrator.transport import AirflowTransport

PAGE = 100  # Airflow gives no more at once.
_TASKS = TypeAdapter(tuple[TaskInstance, ...])
_BACKFILLS = TypeAdapter(tuple[Backfill, ...])
_PROBLEMS = TypeAdapter(tuple[ImportProblem, ...])


class AirflowClient:
    """An `Orchestrator` (port.py), by HTTP with an account of Airflow's own."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._transport = AirflowTransport(url, username, password)

    async def close(self) -> None:
        """Ends all connections."""
        await self._transport.close()

    async def dag(self, dag_id: str) -> DagInfo:
        return DagInfo.model_validate(await self._get(_dag(dag_id)))

    async def set_paused(self, dag_id: str, paused: bool) -> None:
        await self._transport.json("PATCH", _dag(dag_id), json={"is_paused": paused})

    async def trigger(self, dag_id: str, conf: dict[str, Any], note: str | None) -> DagRun:
        # A run without a logical date has no data interval: a manual run has no window.
        body = {"logical_date": None, "conf": conf, "note": note}
        answer = await self._transport.json("POST", f"{_dag(dag_id)}/dagRuns", json=body)
        return DagRun.model_validate(answer)

    async def run(self, dag_id: str, run_id: str) -> DagRun:
        return DagRun.model_validate(await self._get(_run(dag_id, run_id)))

    async def runs(self, dag_ids: tuple[str, ...], page: RunsQuery) -> DagRunPage:
        """Runs of exactly these DAGs; none for no DAGs."""
        if not dag_ids:  # Airflow takes an empty list for "all".
            return DagRunPage(dag_runs=(), total_entries=0)
        body: dict[str, Any] = {
            "dag_ids": list(dag_ids),
            "order_by": "-run_after",
            "page_limit": page.limit,
            "page_offset": page.offset,
            "run_after_lte": page.until.isoformat() if page.until else None,
        }
        if page.state is not None:
            body["states"] = [page.state]
        answer = await self._transport.json("POST", "/dags/~/dagRuns/list", json=body)
        return DagRunPage.model_validate(answer)

    async def tasks(self, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
        found: tuple[TaskInstance, ...] = ()
        while True:
            page = await self._get(
                f"{_run(dag_id, run_id)}/taskInstances", limit=PAGE, offset=len(found)
            )
            found += _TASKS.validate_python(page["task_instances"])
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    async def log(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        try_number: int,
        continuation: str | None = None,
    ) -> LogPage:
        path = f"{_run(dag_id, run_id)}/taskInstances/{_part(task_id)}/logs/{try_number}"
        answer = await self._get(path, **({"token": continuation} if continuation else {}))
        lines = [line if isinstance(line, dict) else {"event": line} for line in answer["content"]]
        return LogPage(lines=tuple(lines), continuation=answer.get("continuation_token"))

    async def retry(self, dag_id: str, run_id: str) -> tuple[str, ...]:
        """Clears the failed tasks of a run, and those that wait behind them.

        Returns:
            The ids of the tasks that run again; none if none had failed.
        """
        failed = [
            task.task_id
            for task in await self.tasks(dag_id, run_id)
            if task.state in ("failed", "upstream_failed")
        ]
        if not failed:
            return ()
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": failed,
            "only_failed": True,
            "reset_dag_runs": True,
        }
        answer = await self._transport.json("POST", f"{_dag(dag_id)}/clearTaskInstances", json=body)
        return tuple(task["task_id"] for task in answer["task_instances"])

    async def cancel(self, dag_id: str, run_id: str, note: str) -> DagRun:
        """Sets a run to failed: running tasks are killed, the rest is skipped."""
        body = {"state": "failed", "note": note}
        return DagRun.model_validate(
            await self._transport.json("PATCH", _run(dag_id, run_id), json=body)
        )

    async def plan_backfill(self, request: BackfillRequest) -> tuple[datetime, ...]:
        """The logical dates that a backfill would run."""
        answer = await self._transport.json("POST", "/backfills/dry_run", json=_backfill(request))
        dates = (line["logical_date"] for line in answer["backfills"])
        return tuple(datetime.fromisoformat(date) for date in dates if date)

    async def create_backfill(self, request: BackfillRequest) -> Backfill:
        answer = await self._transport.json("POST", "/backfills", json=_backfill(request))
        return Backfill.model_validate(answer)

    async def backfills(self, dag_id: str, limit: int) -> tuple[Backfill, ...]:
        """The newest backfills of a DAG, newest first."""
        answer = await self._get("/backfills", dag_id=dag_id, order_by="-id", limit=limit)
        return _BACKFILLS.validate_python(answer["backfills"])

    async def backfill(self, id: int) -> Backfill:
        return Backfill.model_validate(await self._get(f"/backfills/{id}"))

    async def cancel_backfill(self, id: int) -> Backfill:
        """Begins no more runs of it; those that wait are set to failed."""
        return Backfill.model_validate(
            await self._transport.json("PUT", f"/backfills/{id}/cancel", json=None)
        )

    async def backfill_runs(self, backfill: Backfill) -> tuple[DagRun, ...]:
        """The runs in the period of a backfill that a backfill made, oldest date first."""
        found: tuple[DagRun, ...] = ()
        while True:
            page = await self._get(
                f"{_dag(backfill.dag_id)}/dagRuns",
                run_type="backfill",
                logical_date_gte=backfill.from_date.isoformat(),
                logical_date_lte=backfill.to_date.isoformat(),
                order_by="logical_date",
                limit=PAGE,
                offset=len(found),
            )
            runs = DagRunPage.model_validate(page)
            found += runs.dag_runs
            if not runs.dag_runs or len(found) >= runs.total_entries:
                return found

    async def ensure_pool(self, name: str, slots: int) -> None:
        """Makes the pool where there is none. One whose size an operator has changed stays so."""
        try:
            await self._get(f"/pools/{_part(name)}")
        except NotFound:
            body = {"name": name, "slots": slots, "include_deferred": True}
            with suppress(Conflict):  # Somebody made it meanwhile.
                await self._transport.json("POST", "/pools", json=body)

    async def import_problems(self, filename: str) -> tuple[ImportProblem, ...]:
        """Why the file of that name in a bundle could not be read; empty if it could."""
        answer = await self._get("/importErrors", filename=filename)
        return _PROBLEMS.validate_python(
            [found for found in answer["import_errors"] if found["filename"] == filename]
        )

    async def forget(self, org_slug: str) -> None:
        """Deletes all DAGs of an organization, with their runs and XComs.

        Raises:
            Conflict: a task of one still runs.
        """
        prefix, seen = f"{org_slug}.", 0
        own: list[str] = []
        while True:
            page = await self._get(
                "/dags", dag_id_pattern=prefix, exclude_stale="false", limit=PAGE, offset=seen
            )
            # The pattern also finds those of an organization whose slug ends with this one.
            own += [dag["dag_id"] for dag in page["dags"] if dag["dag_id"].startswith(prefix)]
            seen += len(page["dags"])
            if not page["dags"] or seen >= page["total_entries"]:
                break
        for dag_id in own:
            with suppress(NotFound):  # Somebody else was faster.
                await self._transport.json("DELETE", _dag(dag_id))

    async def health(self) -> dict[str, str | None]:
        """What each of its components says of itself."""
        found = await self._get("/monitor/health")
        return {name: (part or {}).get("status") for name, part in found.items()}

    async def version(self) -> str:
        return str((await self._get("/version"))["version"])

    async def _get(self, path: str, **query: Any) -> Any:
        return await self._transport.json("GET", path, params=query)


def _part(value: str) -> str:
    """One segment of a path: what a user sends cannot leave its place.

    Raises:
        NotFound: Airflow matches paths after decoding them, so no id may hold a slash.
    """
    if "/" in value or value in ("", ".", ".."):
        raise NotFound(f"'{value}' does not exist", hint="take the id from the list of runs")
    return quote(value, safe="")


def _dag(dag_id: str) -> str:
    return f"/dags/{_part(dag_id)}"


def _run(dag_id: str, run_id: str) -> str:
    return f"{_dag(dag_id)}/dagRuns/{_part(run_id)}"


def _backfill(request: BackfillRequest) -> dict[str, Any]:
    return {
        "dag_id": request.dag_id,
        "from_date": request.from_date.isoformat(),
        "to_date": request.to_date.isoformat(),
        "reprocess_behavior": request.reprocess,
        "max_active_runs": request.max_active_runs,
        "dag_run_conf": request.conf,
    }
