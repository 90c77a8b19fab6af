"""Start runs, follow them, read their logs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from cli.client.errors import ClientError
from cli.client.service import Service

FINISHED = frozenset({"success", "failed"})
Say = Callable[[str], None]


def workflow_named(service: Service, slug: str) -> dict[str, Any]:
    """The workflow of that slug.

    Raises:
        ClientError: there is none; the hint lists those that exist.
    """
    workflows = {item["slug"]: item for item in service.items("/workflows")}
    if slug not in workflows:
        known = ", ".join(sorted(workflows)) or "none yet"
        raise ClientError(f"there is no workflow '{slug}'", hint=f"known: {known}")
    return workflows[slug]


def start(service: Service, slug: str, select: tuple[str, ...]) -> dict[str, Any]:
    """Start a run of a workflow, or of some of its nodes.

    Raises:
        ClientError: the service refused.
    """
    workflow = workflow_named(service, slug)
    body = {"select": list(select)} if select else {}
    run: dict[str, Any] = service.post(f"/workflows/{workflow['id']}/runs", body)
    return run


def path_of(run: dict[str, Any]) -> str:
    """The run's path below /api/v1."""
    return f"/runs/{run['dag_id']}/{run['run_id']}"


def follow(service: Service, run: dict[str, Any], say: Say) -> dict[str, Any]:
    """Say what happens until the run ends; a cut stream is taken up where it stopped.

    Returns the run as it ended.

    Raises:
        ClientError: the service refused, or stayed away.
    """
    last_id, said, cuts = "", set[str](), 0
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        try:
            with service.stream(f"{path_of(run)}/events", headers) as lines:
                for event_id, event, data in events(lines):
                    last_id, cuts = event_id or last_id, 0
                    for line in describe(event, data):
                        if line not in said:
                            said.add(line)
                            say(line)
        except ClientError as error:
            cuts += 1
            if error.status is not None or cuts > 5:
                raise
        finished: dict[str, Any] = service.get(path_of(run))
        if finished["state"] in FINISHED:
            return finished


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(id, type, data) of every server-sent event."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                data = json.loads(fields["data"])
                yield fields.get("id", ""), fields.get("event", "message"), data
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = fields.get(name, "") + value.removeprefix(" ")


def describe(event: str, data: dict[str, Any]) -> Iterator[str]:
    """What an event tells a person, a line each."""
    if event == "state":
        for task_id, task in data["tasks"].items():
            if task["state"]:
                yield f"{task_id}: {task['state']}"
    elif event == "progress":
        rows = data.get("rows", {})
        counts = ", ".join(f"{table} {count:,}" for table, count in rows.items())
        yield f"{data.get('node')}: {data.get('stage')} {counts}"


def logs(service: Service, run: dict[str, Any], task_id: str, try_number: int | None) -> str:
    """The log of a task's try; the last try where none is named.

    Raises:
        ClientError: the service refused.
    """
    path, lines, continuation = f"{path_of(run)}/tasks/{task_id}/logs", [], None
    while True:
        page = service.get(path, try_number=try_number, continuation=continuation)
        lines += [_line(line) for line in page["lines"]]
        continuation = page["continuation"]
        if continuation is None or not page["lines"]:
            return "\n".join(lines)


def _line(line: dict[str, Any]) -> str:
    when, level = line["timestamp"] or "", (line["level"] or "").upper()
    return f"{when} {level:8} {line['event']}"
