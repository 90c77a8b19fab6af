"""Makes an organization look like a project file: creates, changes, leaves alone, publishes."""

import hashlib
import re
from collections.abc import Callable, Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from cli.client.errors import ClientError
from cli.client.project import (
    ConnectionPart,
    PipelinePart,
    Project,
    TransformationPart,
    WorkflowPart,
    sql_of,
)
from cli.client.service import Service

REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")
Say = Callable[[str], None]


class Applier:
    """One application of a project; `say` gets a line for every thing it looked at."""

    def __init__(self, service: Service, folder: Path, say: Say) -> None:
        self._service = service
        self._folder = folder
        self._say = say

    def apply(self, project: Project) -> list[dict[str, Any]]:
        """Returns what publishing answered, a workflow each.

        Raises:
            ClientError: a file is missing, or the service refused a part; what came before it
                stays, and applying again goes on from there.
        """
        for workflow in project.workflows:
            for part in workflow.transformations:
                sql_of(part, self._folder)  # all files are there before anything is sent
        for connection in project.connections:
            self._connection(connection)
        return [self._workflow(workflow) for workflow in project.workflows]

    def _connection(self, part: ConnectionPart) -> None:
        config = dict(part.config)
        if part.files:
            config["uploads"] = [self._upload(Path(self._folder, name)) for name in part.files]
        body = {
            "name": part.title,
            "slug": part.slug,
            "connector": part.connector,
            "direction": part.direction,
            "config": config,
            "secrets": part.secrets,
        }
        existing = _by_slug(self._service.items("/connections")).get(part.slug)
        fixed = ("slug", "connector", "direction")
        self._save("connection", "/connections", body, existing, fixed=fixed)

    def _upload(self, file: Path) -> int:
        """The id of the upload with these bytes and this name; sent only when it is not there."""
        if not file.is_file():
            raise ClientError(f"{file} is not there", hint="check `files` of the connection")
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            for upload in self._service.items("/uploads"):
                if (upload["sha256"], upload["filename"]) == (sha256, file.name):
                    return int(upload["id"])
            content.seek(0)
            answer = self._service.call("POST", "/uploads", files={"file": (file.name, content)})
        self._say(f"uploaded    {file.name} ({answer['size']:,} bytes)")
        return int(answer["id"])

    def _workflow(self, part: WorkflowPart) -> dict[str, Any]:
        body = {"name": part.title, "slug": part.slug, "description": part.description}
        existing = _by_slug(self._service.items("/workflows")).get(part.slug)
        workflow = self._save("workflow", "/workflows", body, existing, fixed=("slug",))
        ids: dict[str, int] = {}
        connections = _by_slug(self._service.items("/connections"))
        for pipeline in part.pipelines:
            body = self._pipeline(pipeline, connections)
            ids[pipeline.slug] = self._node("pipeline", "/pipelines", body, workflow)
        for transformation in in_order(part.transformations, self._folder):
            body = self._transformation(transformation)
            ids[transformation.slug] = self._node(
                "transformation", "/transformations", body, workflow
            )
        self._edges(part, workflow, ids)
        self._schedules(part, workflow, ids)
        answer: dict[str, Any] = self._service.post(f"/workflows/{workflow['id']}/publish")
        verb = "published  " if answer["changed"] else "unchanged  "
        self._say(f"{verb} {part.slug}, revision {answer['revision']['number']}")
        return answer

    def _pipeline(self, part: PipelinePart, connections: dict[str, Any]) -> dict[str, Any]:
        body = {
            "name": part.title,
            "slug": part.slug,
            "description": part.description,
            "source_connection_id": _connection_id(part, part.source, connections),
            "dataset": part.dataset,
            "config": part.config,
            "retries": part.retries,
        }
        if part.destination:
            body["destination_connection_id"] = _connection_id(part, part.destination, connections)
        return body

    def _transformation(self, part: TransformationPart) -> dict[str, Any]:
        return {
            "kind": part.kind,
            "name": part.title,
            "slug": part.slug,
            "description": part.description,
            "dataset": part.dataset,
            "config": {**part.config, "sql": sql_of(part, self._folder)},
            "retries": part.retries,
        }

    def _node(self, noun: str, path: str, body: dict[str, Any], workflow: dict[str, Any]) -> int:
        nodes = _by_slug(self._service.items(path, workflow_id=workflow["id"]))
        fixed = ("slug", "kind", "workflow_id")
        body = {"workflow_id": workflow["id"], **body}
        return int(self._save(noun, path, body, nodes.get(body["slug"]), fixed=fixed)["id"])

    def _edges(self, part: WorkflowPart, workflow: dict[str, Any], ids: dict[str, int]) -> None:
        existing = {
            (edge["upstream_id"], edge["downstream_id"])
            for edge in self._service.items("/edges", workflow_id=workflow["id"])
        }
        for upstream, downstream in part.edges:
            for slug in (upstream, downstream):
                if slug not in ids:
                    raise ClientError(f"edges: '{slug}' is no node of workflow '{part.slug}'")
            pair = ids[upstream], ids[downstream]
            if pair not in existing:
                self._service.post("/edges", {"upstream_id": pair[0], "downstream_id": pair[1]})
                self._say(f"created     edge {upstream} -> {downstream}")

    def _schedules(self, part: WorkflowPart, workflow: dict[str, Any], ids: dict[str, int]) -> None:
        existing = _by_slug(self._service.items("/schedules", workflow_id=workflow["id"]))
        for schedule in part.schedules:
            body: dict[str, Any] = {
                "workflow_id": workflow["id"],
                **schedule.model_dump(exclude={"name", "node"}),
            }
            if schedule.node:
                if schedule.node not in ids:
                    raise ClientError(f"schedules: '{schedule.node}' is no node of the workflow")
                body["node_id"] = ids[schedule.node]
            fixed = ("slug", "workflow_id", "node_id")
            found = existing.get(schedule.slug)
            self._save("schedule", "/schedules", body, found, fixed=fixed)

    def _save(
        self,
        noun: str,
        path: str,
        body: dict[str, Any],
        existing: dict[str, Any] | None,
        *,
        fixed: tuple[str, ...],
    ) -> dict[str, Any]:
        """Create, or change what differs. `fixed` fields cannot be changed later."""
        if existing is None:
            made: dict[str, Any] = self._service.post(path, body)
            self._say(f"created     {noun} {body['slug']}")
            return made
        wanted = {name: value for name, value in body.items() if name not in fixed}
        if covers(existing, wanted):
            self._say(f"unchanged   {noun} {body['slug']}")
            return existing
        headers = {"If-Match": str(existing["version"])} if "version" in existing else {}
        target = f"{path}/{existing['id']}"
        changed: dict[str, Any] = self._service.call("PATCH", target, json=wanted, headers=headers)
        self._say(f"changed     {noun} {body['slug']}")
        return changed


def covers(stored: Any, wanted: Any) -> bool:
    """Whether what is stored already says all that is wanted (the service adds defaults)."""
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(
            # A secret is never read back: one that is given again is sent again.
            key in stored and covers(stored[key], value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(stored, list)
            and len(stored) == len(wanted)
            and all(covers(old, new) for old, new in zip(stored, wanted, strict=True))
        )
    return bool(stored == wanted)


def in_order(parts: Iterable[TransformationPart], folder: Path) -> list[TransformationPart]:
    """Upstream first: saving compiles, and a ref() must find what it names.

    Raises:
        ClientError: they refer to one another in a circle.
    """
    by_slug = {part.slug: part for part in parts}
    graph = {
        slug: (refs_of(part, folder) & by_slug.keys()) - {slug} for slug, part in by_slug.items()
    }
    try:
        return [by_slug[slug] for slug in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ClientError(f"transformations refer to one another in a circle: {circle}") from error


def refs_of(part: TransformationPart, folder: Path) -> set[str]:
    """The slugs that the SQL and the tests of a transformation refer to."""
    return set(REF.findall(sql_of(part, folder))) | set(REF.findall(str(part.config)))


def _by_slug(items: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["slug"]: item for item in items}


def _connection_id(part: PipelinePart, slug: str, connections: dict[str, Any]) -> int:
    if slug not in connections:
        raise ClientError(
            f"pipeline '{part.slug}': there is no connection '{slug}'",
            hint=f"one of: {', '.join(sorted(connections))}",
        )
    return int(connections[slug]["id"])
