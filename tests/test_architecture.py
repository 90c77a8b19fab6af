"""Imports point down: the walls of docs/architecture.md as one table, and a test of the test."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "etlfabric_core"


@dataclass(frozen=True)
class Wall:
    """No file below `folder` imports a module of `forbidden`; at the top level only, if so said.

    What lies below `door`, a folder inside, may.
    """

    folder: str
    forbidden: tuple[str, ...]
    top_level_only: bool = False
    door: str | None = None


AIRFLOW_SIDE = ("airflow", "cosmos", "etlfabric_airflow")
STORED = tuple(f"{DOMAIN}.{name}" for name in ("models", "db", "services", "access"))
ABOVE_SPECS = tuple(f"{DOMAIN}.{name}" for name in ("services",))

# They subclass dlt's classes, so they import it at the top; others import them inside functions.
BUILT_ON_DLT = tuple(
    f"{DOMAIN}.extract_load.{name}"
    for name in (
        *("cursors", "progress", "typing_step"),
        *("destinations.merging", "destinations.standing"),
        *("destinations.mssql_types", "destinations.mysql_types"),
        *("destinations.s3.client", "destinations.sql.client"),
        *("destinations.postgres.client", "destinations.postgres.copy_jobs"),
    )
)

WALLS = (
    Wall(DOMAIN, (*AIRFLOW_SIDE, "fastapi", "starlette", "flask", "api", "cli")),
    Wall(f"{DOMAIN}/extract_load", STORED),
    Wall(f"{DOMAIN}/transform", STORED),
    Wall(f"{DOMAIN}/sandbox", STORED),
    Wall(f"{DOMAIN}/files", STORED),
    Wall(f"{DOMAIN}/graph", STORED),
    Wall(f"{DOMAIN}/connectors", STORED),
    Wall(f"{DOMAIN}/specs", ABOVE_SPECS),
    Wall(f"{DOMAIN}/models", tuple(f"{DOMAIN}.{n}" for n in ("services", "specs", "db", "access"))),
    Wall(f"{DOMAIN}/db", (f"{DOMAIN}.services", f"{DOMAIN}.specs")),
    Wall(f"{DOMAIN}/access", (f"{DOMAIN}.services", f"{DOMAIN}.specs")),
    Wall(f"{DOMAIN}/orchestrator", (f"{DOMAIN}.services", f"{DOMAIN}.db")),
    Wall("api", (*AIRFLOW_SIDE, "cli")),
    Wall("cli", ("airflow", "cosmos", "api")),
    Wall("cli", (f"{DOMAIN}.services", f"{DOMAIN}.models"), door="cli/operator"),
    Wall("plugins", ("api", "cli", *STORED)),
    Wall("dags", ("api", "cli", DOMAIN)),
    Wall(
        DOMAIN,
        ("dlt", "dbt", "pandas", "catboost", "duckdb", *BUILT_ON_DLT),
        top_level_only=True,
    ),
    Wall("api", ("dlt", "dbt", "pandas", "catboost", "duckdb"), top_level_only=True),
    Wall("plugins", ("dlt", "dbt", "pandas", "catboost"), top_level_only=True),
)


def imported(tree: ast.Module, package: str, *, top_level_only: bool) -> Iterator[tuple[str, int]]:
    """Every imported module with its line. `package` resolves relative imports."""
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if node.level else []
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module, node.lineno
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def breaches(wall: Wall, source: str, package: str) -> list[str]:
    """The imports in `source` that the wall forbids, as `line: module`."""
    found = imported(ast.parse(source), package, top_level_only=wall.top_level_only)
    return [
        f"{line}: {module}"
        for module, line in found
        if any(module == name or module.startswith(f"{name}.") for name in wall.forbidden)
    ]


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: f"{wall.folder}-{wall.forbidden[0]}")
def test_imports_point_down(wall: Wall) -> None:
    files = sorted((ROOT / wall.folder).rglob("*.py"))
    assert files, f"{wall.folder} holds no code: the wall guards nothing"
    found = [
        f"{path.relative_to(ROOT)}:{breach}"
        for path in files
        for breach in breaches(wall, path.read_text(), _package(path))
        # The preload is there to import them early, in one place that says so.
        if path.name != "airflow_local_settings.py"
        if not (wall.top_level_only and _module(path) in BUILT_ON_DLT)
        if not (wall.door and path.is_relative_to(ROOT / wall.door))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "import airflow",
        "import airflow.sdk as sdk",
        "from airflow import settings",
        "from airflow.sdk import DAG",
        "def f():\n    import airflow",
        "if True:\n    from airflow import x",
    ],
)
def test_a_wall_sees_every_form_of_import(line: str) -> None:
    wall = Wall("etlfabric_core", ("airflow",))
    assert breaches(wall, line, "etlfabric_core.graph")
    assert not breaches(wall, line.replace("airflow", "airflow_like"), "etlfabric_core.graph")


def test_a_wall_resolves_relative_imports() -> None:
    wall = Wall("etlfabric_core/graph", ("etlfabric_core.models",))
    assert breaches(wall, "from ..models import node", "etlfabric_core.graph")
    assert breaches(wall, "from .. import models", "etlfabric_core.graph")
    assert not breaches(wall, "from .kinds import KINDS", "etlfabric_core.graph")


def test_functions_may_import_what_only_the_top_level_may_not() -> None:
    wall = Wall("etlfabric_core", ("dlt",), top_level_only=True)
    assert breaches(wall, "import dlt", "etlfabric_core")
    assert not breaches(wall, "def f():\n    import dlt", "etlfabric_core")


def _module(path: Path) -> str:
    return f"{_package(path)}.{path.stem}"


def _package(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts[:-1]
    return ".".join(part for part in parts if part != "plugins")
