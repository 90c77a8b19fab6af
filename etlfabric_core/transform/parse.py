"""Parses a rendered dbt project in the sandbox: manifest, edges, problems with lines."""

import graphlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etlfabric_core import sandbox
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.sandbox import scratch
from etlfabric_core.transform import config_rules, invocation
from etlfabric_core.transform.lines import problem_of

MANIFEST_NAME = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_CHANGING: dict[str, Any] = {
    "created_at": 0,
    "generated_at": "1970-01-01T00:00:00Z",
    "invocation_started_at": None,
    "run_started_at": None,
    "invocation_id": None,
    "user_id": None,
    "env": {},
}
_ONLY_FOR_RUNNING = ("macros", "docs", "disabled", "parent_map", "child_map", "group_map")
_TABLE_PREFIXES = ("model.", "snapshot.")
_WALL_SECONDS = 60.0


@dataclass(frozen=True)
class ParsedProject:
    """What dbt made of a project; identical input gives identical bytes.

    `manifest` is what the DAG side reads (without dbt's own macros). `project_zip` is what
    `run_dbt` needs: the files and the whole manifest. `models` maps the `unique_id` of a model
    or snapshot to its node's slug, `loads` the `unique_id` of a source table to the slug of the
    pipeline that loads it, and `edges` are (upstream slug, downstream slug), sorted.
    """

    manifest: bytes
    project_zip: bytes
    models: dict[str, str]
    loads: dict[str, str]
    edges: tuple[tuple[str, str], ...]


def parse_project(files: Mapping[str, str]) -> ParsedProject:
    """Run `dbt parse` in the sandbox, without a database.

    Raises:
        InvalidConfig: dbt refuses the project; each problem has the node and the user's line.
        TerminalError: parsing went over a limit.
    """
    with scratch.folder() as work_dir:
        policy = sandbox.Policy(work_dir, wall_seconds=_WALL_SECONDS)
        try:
            manifest = sandbox.call(invocation.parse, dict(files), policy=policy)
        except InvalidConfig as error:
            problem = problem_of(error.message, files)
            raise InvalidConfig("dbt refuses the project", problems=[problem]) from error
    whole = _stable(manifest)
    models = {
        key: node["config"]["meta"]["node"]
        for key, node in sorted(whole["nodes"].items())
        if key.startswith(_TABLE_PREFIXES) and "node" in node["config"].get("meta", {})
    }
    loads = {
        key: source["config"]["meta"]["node"] for key, source in sorted(whole["sources"].items())
    }
    config_rules.check(files, whole)
    edges = _edges(whole, models, loads)
    _refuse_cycle(edges)
    small = {key: value for key, value in whole.items() if key not in _ONLY_FOR_RUNNING}
    return ParsedProject(
        manifest=_json(small | {"macros": {}, "docs": {}, "disabled": {}}),
        project_zip=_zip({**files, MANIFEST_NAME: _json(whole).decode()}),
        models=models,
        loads=loads,
        edges=edges,
    )


def _refuse_cycle(edges: tuple[tuple[str, str], ...]) -> None:
    graph: dict[str, set[str]] = {}
    for upstream, downstream in edges:
        graph.setdefault(downstream, set()).add(upstream)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        members = error.args[1]
        text = f"cycle: {' → '.join(members)}"
        problems = [Problem(text, node=slug) for slug in sorted(set(members))]
        raise InvalidConfig("the transformations read each other", problems=problems) from error


def _edges(
    manifest: Mapping[str, Any], models: Mapping[str, str], loads: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    slugs = {**models, **loads}
    edges = {
        (slugs[upstream], slug)
        for key, slug in models.items()
        for upstream in manifest["nodes"][key]["depends_on"]["nodes"]
        if upstream in slugs
    }
    return tuple(sorted(edges))


def _stable(value: Any) -> Any:
    """The same document for the same project: no clock, no random id, no environment."""
    if isinstance(value, dict):
        return {
            key: _CHANGING[key] if key in _CHANGING else _stable(item)
            for key, item in sorted(value.items())
        }
    return [_stable(item) for item in value] if isinstance(value, list) else value


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _zip(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
