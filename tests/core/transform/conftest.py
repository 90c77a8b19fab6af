"""The provisioned warehouse, projects that are published and run in it, and attacks on it."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.transform.parse import ParsedProject, parse_project
from etlfabric_core.transform.plan import TransformPlan, TransformResult, WarehouseLogin
from etlfabric_core.transform.project import ProjectNode, render
from etlfabric_core.transform.runner import run_dbt
from tests.core.transform.escape_scene import play, scene
from tests.core.transform.warehouse import FLIGHTS, FRESH_FLIGHTS, PASSWORD, SCHEMAS, WAREHOUSE

__all__ = ["play", "scene"]  # fixtures

Run = Callable[..., TransformResult]


def tests_of(parsed: ParsedProject) -> list[str]:
    """The `unique_id`s of a project's tests."""
    return [key for key in json.loads(parsed.manifest)["nodes"] if key.startswith("test.")]


@pytest.fixture(scope="session")
def admin_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for statement in filter(str.strip, WAREHOUSE.split(";")):
            connection.execute(statement)
    url = postgres.url("transform_tests")
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMAS)
    yield url
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE transform_tests WITH (FORCE)")
        connection.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        connection.execute("DROP ROLE org_demo")
        connection.execute("DROP ROLE org_rival")


@pytest.fixture
def admin(admin_url: str) -> Iterator[psycopg.Connection]:
    """The warehouse's owner, with the three flights freshly loaded."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(FRESH_FLIGHTS)
        yield connection


@pytest.fixture
def login(admin: psycopg.Connection, postgres: EmbeddedPostgres) -> WarehouseLogin:
    return WarehouseLogin(
        host="localhost",
        port=postgres.port,
        user="org_demo",
        password=PASSWORD,
        database="transform_tests",
        schema_name="demo_marts",
    )


@pytest.fixture
def run(tmp_path: Path, login: WarehouseLogin) -> Run:
    """Publish these nodes and run those that `select` names (slugs or ids), or everything."""
    numbers = itertools.count()

    def publish_and_run(
        nodes: list[ProjectNode], select: list[str] | None = None, command: str = "build", **plan
    ) -> TransformResult:
        parsed = parse_project(render("demo", nodes, [FLIGHTS]))
        archive = tmp_path / f"project{next(numbers)}.zip"
        archive.write_bytes(parsed.project_zip)
        by_slug = {slug: key for key, slug in parsed.models.items()}
        wanted = [by_slug.get(name, name) for name in select or by_slug]
        wanted += [] if select else tests_of(parsed)
        plan = {
            "command": command,
            "project_sha256": "0" * 64,
            "project_url": "/none",
            "select": tuple(wanted),
            "login": login,
        } | plan
        work_dir = tmp_path / f"work{next(numbers)}"
        return run_dbt(TransformPlan(**plan), project_zip=archive, work_dir=work_dir)

    return publish_and_run
