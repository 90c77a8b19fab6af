"""dbt itself. These functions run inside the sandbox, where a call's own process is all there is.

They take and give JSON-able values; `parse.py`, `check.py` and `runner.py` call them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.graph.configs import ColumnTest, ModelConfig, SingularTest, SnapshotConfig
from etlfabric_core.transform.dbt_entry import PROJECT, UNKNOWN_DATABASE, invoke
from etlfabric_core.transform.project import ProjectNode, ProjectSource, render

_PROJECT = Path(PROJECT)


def warm_up() -> None:
    """Parse a smallest project, so that a later call finds what dbt remembers about itself.

    It triples the speed of the next parse. Called once, in the fork server, without tenant data.
    """
    test = ColumnTest(type="not_null", column="id")
    sql = "select * from {{ source('raw', 'things') }}"
    extra = (SingularTest(name="none", sql="select 1 as id"),)
    model = ModelConfig(sql=sql, tests=(test,), singular_tests=extra)
    snapshot = SnapshotConfig(sql="select * from {{ ref('one') }}", unique_key=("id",))
    nodes = (
        ProjectNode("one", "dbt_model", "none", model),
        ProjectNode("two", "dbt_snapshot", "none", snapshot),
    )
    parse(render("warm", nodes, [ProjectSource("raw", "none", ("things",), "load")]))
    shutil.rmtree(_PROJECT)


def parse(files: dict[str, str]) -> dict[str, Any]:
    """`dbt parse`: the manifest.

    Raises:
        InvalidConfig: the project is wrong; the message is dbt's.
    """
    _write(files)
    manifest = invoke(["parse"], None)
    writable: dict[str, Any] = json.loads(json.dumps(manifest.writable_manifest().to_dict()))
    return writable


def compile_node(files: dict[str, str], slug: str, login: dict[str, Any] | None) -> dict[str, Any]:
    """`dbt compile` of one node, and the relations that the project knows.

    Raises:
        InvalidConfig: the project is wrong; the message is dbt's.
    """
    _write(files)
    manifest = invoke(["parse"], login)
    unique_id = next(
        (key for key, node in manifest.nodes.items() if node.name == slug and _is_table(node)), None
    )
    if unique_id is None:
        raise InvalidConfig(f"dbt does not find '{slug}' in its project; is it disabled?")
    offline = [] if login else ["--no-introspect", "--no-populate-cache"]
    select = ["--select", _selector(manifest.nodes[unique_id]), "--indirect-selection", "empty"]
    invoke(["compile", *select, *offline], login, manifest)
    known = [*manifest.nodes.values(), *manifest.sources.values()]
    return {
        "compiled": manifest.nodes[unique_id].compiled_code or "",
        "relations": sorted({node.relation_name for node in known if _has_relation(node)}),
    }


def run(
    files: dict[str, str],
    manifest: str,
    command: str,
    select: list[str],
    login: dict[str, Any],
    variables: dict[str, Any],
) -> list[dict[str, Any]]:
    """`dbt build` or `dbt test` on exactly these nodes.

    Raises:
        InvalidConfig: a node does not exist.
        TerminalError: dbt stopped before it ran anything.
    """
    _write(files)
    loaded = _loaded(json.loads(manifest))
    _move(loaded, login["database"])
    chosen = _chosen(loaded, command, select)
    if not chosen:
        return []
    selectors = [_selector(loaded.nodes[unique_id]) for unique_id in chosen]
    args = [command, "--select", *selectors, "--indirect-selection", "empty"]
    if variables:
        args += ["--vars", json.dumps(variables)]
    results = invoke(args, login, loaded)
    return [_result(result) for result in results.results]


def command(files: dict[str, str], args: list[str], login: dict[str, Any] | None) -> dict[str, str]:
    """Any dbt command on a whole project: the artifacts that it left, by name.

    Raises:
        InvalidConfig, TerminalError: dbt stopped; the message is dbt's.
    """
    _write(files)
    invoke(args, login)
    return {path.name: path.read_text() for path in (_PROJECT / "target").glob("*.json")}


def _loaded(document: dict[str, Any]) -> Any:
    """The manifest as dbt's parser would have made it."""
    from dbt.artifacts.schemas.manifest import WritableManifest
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import GenericTestNode

    manifest = Manifest.from_writable_manifest(WritableManifest.from_dict(document))
    for unique_id, node in document["nodes"].items():
        if "test_metadata" in node:  # dbt reads it back as a singular test
            manifest.nodes[unique_id] = GenericTestNode.from_dict(node)
    return manifest


def _move(manifest: Any, database: str) -> None:
    """Point every relation at the database of this run."""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        node.database = database
        if _has_relation(node):
            rest = node.relation_name.removeprefix(f'"{UNKNOWN_DATABASE}".')
            node.relation_name = f'"{database}".{rest}'


def _chosen(manifest: Any, command: str, select: list[str]) -> list[str]:
    if unknown := sorted(set(select) - set(manifest.nodes)):
        raise InvalidConfig(f"the project has no {', '.join(unknown)}")
    tests_only = command == "test"
    return sorted(
        unique_id
        for unique_id in select
        if not _is_ephemeral(manifest.nodes[unique_id])
        and not (tests_only and _is_table(manifest.nodes[unique_id]))
    )


def _selector(node: Any) -> str:
    return f"fqn:{'.'.join(node.fqn)},resource_type:{node.resource_type}"


def _is_table(node: Any) -> bool:
    return node.resource_type in ("model", "snapshot")


def _is_ephemeral(node: Any) -> bool:
    return bool(node.config.materialized == "ephemeral")


def _has_relation(node: Any) -> bool:
    return bool(getattr(node, "relation_name", None))


def _result(result: Any) -> dict[str, Any]:
    node = result.node
    rows = (result.adapter_response or {}).get("rows_affected")
    return {
        "unique_id": node.unique_id,
        "resource_type": str(node.resource_type),
        "name": node.name,
        "slug": node.config.meta.get("node"),
        "status": str(result.status),
        "message": result.message,
        "rows": rows if isinstance(rows, int) and rows >= 0 else None,
        "failures": result.failures,
        "relation": f"{node.schema}.{node.alias}" if result.failures else None,
        "seconds": result.execution_time,
        "raw": node.raw_code,
        "compiled": node.compiled_code,
        "executed": _executed(node),
    }


def _executed(node: Any) -> str:
    """The whole statement as it went to the database, which its line numbers refer to."""
    path = _PROJECT / "target" / "run" / node.package_name / node.original_file_path
    return path.read_text() if path.is_file() else ""


def _write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = _PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
