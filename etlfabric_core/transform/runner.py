"""Runs dbt on selected nodes of a published project, in the sandbox, as the organization's role."""

import time
import zipfile
from pathlib import Path
from typing import Any

from etlfabric_core import sandbox
from etlfabric_core.errors import (
    FabricError,
    Problem,
    TerminalError,
    TransientError,
)
from etlfabric_core.transform import invocation
from etlfabric_core.transform import login as login_of
from etlfabric_core.transform.faults import is_transient
from etlfabric_core.transform.lines import cleaned, sql_line
from etlfabric_core.transform.parse import MANIFEST_NAME
from etlfabric_core.transform.plan import DbtNodeResult, TransformPlan, TransformResult

_SIX_HOURS = 6 * 3600
_BAD = ("error", "fail", "runtime error")


class TransformFailed(TerminalError):
    """A node or an error-severity test failed. `result` tells how all of them ended."""

    def __init__(
        self, message: str, *, result: TransformResult, problems: tuple[Problem, ...]
    ) -> None:
        super().__init__(
            message, hint="mend the SQL or the data, then run the task again", problems=problems
        )
        self.result = result


def run_dbt(plan: TransformPlan, *, project_zip: Path, work_dir: Path) -> TransformResult:
    """Run `plan.command` on exactly what `plan.select` names: models, snapshots and tests.

    `work_dir` is private to this try and may be removed afterwards. dbt's log lines go to the
    logger `etlfabric_core.transform`.

    Raises:
        TransformFailed: a node or an error-severity test failed; problems have node and line.
        TerminalError: dbt could not begin, or a node went over a limit.
        TransientError: the warehouse was away, or the transaction lost a lock or a race.
    """
    started = time.monotonic()
    files = _unpacked(project_zip)
    manifest = files.pop(MANIFEST_NAME)
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy = login_of.policy(work_dir, plan.login, wall_seconds=_SIX_HOURS, cpu_seconds=_SIX_HOURS)
    select, login = list(plan.select), login_of.inside(plan.login)
    try:
        lines = sandbox.call(
            invocation.run,
            files,
            manifest,
            plan.command,
            select,
            login,
            plan.variables,
            policy=policy,
        )
    except TransientError:
        raise
    except FabricError as error:
        raise _by_kind(error) from error
    nodes = tuple(_node(line) for line in lines)
    result = TransformResult(nodes=nodes, seconds=time.monotonic() - started)
    _raise_failures([line for line in lines if line["status"] in _BAD], result)
    return result


def _unpacked(project_zip: Path) -> dict[str, str]:
    try:
        with zipfile.ZipFile(project_zip) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise TransientError("the project could not be read; it is fetched again") from error


def _by_kind(error: FabricError) -> FabricError:
    message = cleaned(error.message)
    if is_transient(message):
        return TransientError(message, hint="the warehouse did not answer; the task tries again")
    return TerminalError(message, hint=error.hint, problems=error.problems)


def _node(line: dict[str, Any]) -> DbtNodeResult:
    status = "error" if line["status"] == "runtime error" else line["status"]
    status = {"partial success": "error", "no-op": "success"}.get(status, status)
    return DbtNodeResult(
        unique_id=line["unique_id"],
        status=status,
        message=cleaned(line["message"]) if line["message"] else None,
        rows=line["rows"],
        failures=line["failures"],
        failures_relation=line["relation"],
        seconds=line["seconds"],
    )


def _raise_failures(failed: list[dict[str, Any]], result: TransformResult) -> None:
    if not failed:
        return
    problems = tuple(_problem(line) for line in failed)
    errors = [line for line in failed if line["status"] != "fail"]
    message = "; ".join(f"{line['name']}: {_first_line(line)}" for line in failed)
    if errors and all(is_transient(line["message"] or "") for line in errors):
        raise TransientError(message, problems=problems)
    raise TransformFailed(message, result=result, problems=problems)


def _problem(line: dict[str, Any]) -> Problem:
    message = line["message"] or "failed"
    return Problem(
        message=cleaned(message),
        node=line["slug"],
        field=line["name"] if line["resource_type"] == "test" else None,
        line=sql_line(message, line["executed"], line["compiled"] or "", line["raw"]),
    )


def _first_line(line: dict[str, Any]) -> str:
    """The sentence that says it: dbt puts its own heading in the first line."""
    lines = [text.strip() for text in cleaned(line["message"] or "failed").splitlines()]
    return lines[1] if len(lines) > 1 and " Error in " in lines[0] else lines[0]
