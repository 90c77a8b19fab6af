"""The wall between organizations as dbt meets it: hostile SQL in models, tests and previews."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.graph.configs import ModelConfig, SingularTest
from etlfabric_core.sandbox import scratch
from etlfabric_core.transform.parse import parse_project
from etlfabric_core.transform.plan import TransformPlan, TransformResult
from etlfabric_core.transform.project import ProjectNode, render
from etlfabric_core.transform.runner import TransformFailed, run_dbt
from tests.api.hostile_sql import BLIND, REFUSED, Hostile
from tests.api.test_warehouse_wall import TRAP, TRAP_VIEW, prepared, state
from tests.api.warehouse_world import Wall, login_of

EVERYTHING = os.environ.get("ETLFABRIC_ESCAPES") == "all"
SLICE = 3  # of the corpus, where each statement costs seconds
QUERIES = [one for one in REFUSED if one.statement.startswith(("SELECT", "TABLE"))]


def literally(wall: Wall, sql: str) -> str:
    return "{% raw %}" + wall.sql(sql).decode() + "{% endraw %}"


def by_run_query(wall: Wall, hostile: Hostile) -> str:
    """A model that runs the statement when dbt compiles it, and keeps what came of it."""
    before = [f"{{% do run_query({name_of(wall, one)}) %}}" for one in hostile.setup]
    return (
        "{% if execute %}"
        + "".join(before)
        + f"{{% set found = run_query({name_of(wall, hostile.statement)}) %}}"
        + "select $loot${% if found %}{{ found.rows | list }}{% endif %}$loot$::text as loot"
        + "{% else %}select 1 as loot{% endif %}"
    )


def name_of(wall: Wall, sql: str) -> str:
    """The statement as a text in Jinja."""
    text = wall.sql(sql).decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


async def ran(wall: Wall, nodes: list[ProjectNode], command: str = "build") -> TransformResult:
    """What the product's own runner makes of these nodes, as the attacker."""
    login = await login_of(wall.wiring, wall.a)
    login = login.model_copy(update={"schema_name": f"{wall.a.slug}_raw"})

    def publish_and_run() -> TransformResult:
        files = render(wall.a.slug, nodes, [], failures_schema=f"{wall.a.slug}_raw")
        parsed = parse_project(files)
        with scratch.folder() as folder:
            archive = folder / "project.zip"
            archive.write_bytes(parsed.project_zip)
            everything = tuple(key for key in _ids(parsed.manifest))
            plan = TransformPlan(
                command=command,
                project_sha256="0" * 64,
                project_url="/none",
                select=everything,
                login=login,
            )
            try:
                return run_dbt(plan, project_zip=archive, work_dir=Path(folder) / "work")
            except TransformFailed as failed:
                return failed.result

    return await asyncio.to_thread(publish_and_run)


def _ids(manifest: bytes) -> list[str]:
    return sorted(json.loads(manifest)["nodes"])


def model(wall: Wall, number: int, config: ModelConfig) -> ProjectNode:
    return ProjectNode(f"s{number}", "dbt_model", f"{wall.a.slug}_raw", config)


@pytest.mark.feature("A19")
async def test_dbt_runs_nothing_against_a_neighbour(wall: Wall, caplog) -> None:
    caplog.set_level("DEBUG")
    before = await state(wall)
    nodes = [
        model(wall, number, ModelConfig(sql=by_run_query(wall, one), materialization="table"))
        for number, one in enumerate(REFUSED)
    ]
    result = await ran(wall, nodes)
    ended = {one.unique_id.rpartition(".s")[2]: one for one in result.nodes}
    assert len(ended) == len(REFUSED)
    answered = [REFUSED[int(key)].name for key, one in ended.items() if one.status != "error"]
    assert answered == []
    assert wall.canary not in caplog.text + str(result)
    assert await state(wall) == before


@pytest.mark.feature("A19")
async def test_dbt_is_shown_nothing_of_a_neighbour(wall: Wall, caplog) -> None:
    caplog.set_level("DEBUG")
    nodes = [
        model(wall, number, ModelConfig(sql=by_run_query(wall, one), materialization="table"))
        for number, one in enumerate(BLIND)
    ]
    result = await ran(wall, nodes)
    assert len(result.nodes) == len(BLIND)
    found = []
    for node in result.nodes:
        if node.status == "success":
            slug = node.unique_id.rpartition(".")[2]
            cursor = await wall.attacker.execute(wall.sql(f"SELECT loot FROM {{a}}_raw.{slug}"))
            found.append(str(await cursor.fetchall()))
    assert found
    assert wall.canary not in "".join([*found, caplog.text, str(result)])


@pytest.mark.feature("A19")
async def test_a_model_or_test_that_is_the_statement_itself_fails(wall: Wall, caplog) -> None:
    caplog.set_level("DEBUG")
    before = await state(wall)
    plain = [one for one in QUERIES if not one.setup]
    nodes = [
        model(
            wall,
            number,
            ModelConfig(
                sql="select 1 as id" if number % 2 else literally(wall, one.statement),
                materialization="table",
                singular_tests=(SingularTest(name="t", sql=literally(wall, one.statement)),),
            ),
        )
        for number, one in enumerate(plain)
    ]
    result = await ran(wall, nodes)
    passed = [one.unique_id for one in result.nodes if one.status in ("success", "pass", "fail")]
    fine = [f"model.{wall.a.slug}.s{number}" for number in range(1, len(plain), 2)]
    assert sorted(passed) == sorted(fine)
    assert wall.canary not in caplog.text + str(result)
    assert await state(wall) == before


@pytest.fixture
async def body(wall: Wall) -> dict[str, Any]:
    """A transformation of the attacker's that is still harmless."""
    workflow = (await wall.a.post("/api/v1/workflows", json={"name": "attack"})).json()
    return {
        "workflow_id": workflow["id"],
        "name": "hostile",
        "kind": "dbt_model",
        "dataset": "raw",
        "config": {"sql": "select 1 as id"},
    }


def part(corpus: Sequence[Hostile]) -> Sequence[Hostile]:
    return corpus if EVERYTHING else corpus[:: len(corpus) // SLICE]


@pytest.mark.feature("A19")
async def test_a_check_and_a_save_run_nothing_against_a_neighbour(wall: Wall, body) -> None:
    before, wrong = await state(wall), []
    created = await wall.a.post("/api/v1/transformations", json=body)
    assert created.status_code == 201, created.text
    address = f"/api/v1/transformations/{created.json()['id']}"
    for hostile in part(REFUSED):
        sql = {"config": {"sql": by_run_query(wall, hostile)}}
        checked = await wall.a.post(
            "/api/v1/transformations/check", json=body | sql | {"slug": "other"}
        )
        saved = await wall.a.patch(address, json=sql)
        told = checked.text + saved.text
        if not checked.json()["problems"] or saved.status_code != 422 or wall.canary in told:
            wrong.append((hostile.name, told[:400]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await state(wall) == before


@pytest.mark.feature("A19")
async def test_a_preview_runs_nothing_against_a_neighbour(wall: Wall, body) -> None:
    """The model reads a view of the attacker's that tries the statement as soon as it is read."""
    await wall.plant(TRAP % "RETURN")
    await wall.plant(TRAP_VIEW)
    sql = wall.sql("select t from {a}_raw.trap").decode()
    created = await wall.a.post("/api/v1/transformations", json=body | {"config": {"sql": sql}})
    assert created.status_code == 201, created.text
    address = f"/api/v1/transformations/{created.json()['id']}/preview"
    assert (await wall.a.post(address)).json()["rows"] == []
    before, wrong = await state(wall), []
    for hostile in part(REFUSED):
        await prepared(wall, hostile)
        await wall.attacker.execute("ROLLBACK; RESET ALL")
        verb = f"EXECUTE $t${hostile.statement}$t$"
        if hostile in QUERIES:
            verb = f"RETURN QUERY EXECUTE $t$SELECT t::text FROM ({hostile.statement}) t$t$"
        await wall.plant(TRAP % verb)
        answer = await wall.a.post(address)
        if answer.status_code != 422 or wall.canary in answer.text:
            wrong.append((hostile.name, answer.status_code, answer.text[:300]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await state(wall) == before
