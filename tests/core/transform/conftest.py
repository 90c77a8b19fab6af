"""A warehouse as it is provisioned: roles that own schemas and may create none, and two tenants."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.transform.parse import ParsedProject, parse_project
from etlfabric_core.transform.plan import TransformPlan, TransformResult, WarehouseLogin
from etlfabric_core.transform.project import ProjectNode, ProjectSource, render
from etlfabric_core.transform.runner import run_dbt

CANARY = f"CANARY_{uuid.uuid4().hex}"
PASSWORD = f"pw_{uuid.uuid4().hex}"
FLIGHTS = ProjectSource("raw", "demo_raw", ("carriers", "flights"), "load_flights")

_WAREHOUSE = f"""
CREATE ROLE org_demo LOGIN PASSWORD '{PASSWORD}' NOINHERIT;
CREATE ROLE org_rival LOGIN PASSWORD '{CANARY}' NOINHERIT;
CREATE DATABASE transform_tests;
REVOKE ALL ON DATABASE transform_tests FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE transform_tests TO org_demo, org_rival;
"""
_SCHEMAS = f"""
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA demo_raw AUTHORIZATION org_demo;
CREATE SCHEMA demo_marts AUTHORIZATION org_demo;
CREATE SCHEMA demo_test_failures AUTHORIZATION org_demo;
CREATE SCHEMA rival_raw AUTHORIZATION org_rival;
CREATE TABLE rival_raw.secrets AS SELECT '{CANARY}'::text AS secret;
ALTER TABLE rival_raw.secrets OWNER TO org_rival;
"""
_FLIGHTS = """
DROP SCHEMA demo_raw, demo_marts, demo_test_failures CASCADE;
CREATE SCHEMA demo_raw AUTHORIZATION org_demo;
CREATE SCHEMA demo_marts AUTHORIZATION org_demo;
CREATE SCHEMA demo_test_failures AUTHORIZATION org_demo;
CREATE TABLE demo_raw.carriers (code text, name text);
INSERT INTO demo_raw.carriers VALUES ('AA', 'American'), ('UA', 'United');
CREATE TABLE demo_raw.flights (id int, carrier text, delay int, updated_at timestamp);
INSERT INTO demo_raw.flights VALUES
    (1, 'AA', 5, '2013-01-01'), (2, 'UA', -3, '2013-01-01'), (3, 'ZZ', NULL, '2013-01-01');
ALTER TABLE demo_raw.carriers OWNER TO org_demo;
ALTER TABLE demo_raw.flights OWNER TO org_demo;
"""

Run = Callable[..., TransformResult]


def tests_of(parsed: ParsedProject) -> list[str]:
    """The `unique_id`s of a project's tests."""
    return [key for key in json.loads(parsed.manifest)["nodes"] if key.startswith("test.")]


@pytest.fixture(scope="session")
def admin_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for statement in filter(str.strip, _WAREHOUSE.split(";")):
            connection.execute(statement)
    url = postgres.url("transform_tests")
    with psycopg.connect(url) as connection:
        connection.execute(_SCHEMAS)
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
        connection.execute(_FLIGHTS)
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
