"""Tenant Jinja against the sandbox, in every dbt command: nothing of others comes out."""

import base64
import json
import logging
import os
import re
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etlfabric_core import sandbox
from etlfabric_core.errors import FabricError, InvalidConfig, Problem, TerminalError
from etlfabric_core.graph.configs import ModelConfig, SingularTest
from etlfabric_core.sandbox import bubblewrap, scratch
from etlfabric_core.transform import check, invocation, parse
from etlfabric_core.transform import login as login_of
from etlfabric_core.transform.plan import WarehouseLogin
from etlfabric_core.transform.project import ProjectNode, render
from tests.core.transform import hostile_dbt
from tests.core.transform.conftest import CANARY, FLIGHTS, PASSWORD, Run
from tests.core.transform.hostile_dbt import ATTACKS, BASIC, BOMBS, WAREHOUSE_BOMBS, armed

EVERYTHING = os.environ.get("ETLFABRIC_ESCAPES") == "all"
MARK = f"CANARY_{uuid.uuid4().hex}"
Files = dict[str, str]
Attacks = dict[str, str]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch) -> dict[str, str]:
    """A neighbour's project, a place where nothing may appear, secrets in our environment."""
    neighbour = tmp_path / "neighbour"
    for folder in ("models", "macros", "seeds", "tests"):
        (neighbour / folder).mkdir(parents=True)
    (neighbour / "profiles.yml").write_text(f"password,{MARK}\nsecret,{MARK}\n")
    (neighbour / "dbt_project.yml").write_text("name: neighbour\nversion: '1'\n")
    (neighbour / "models" / "m.sql").write_text(f"select '{MARK}' as secret")
    (neighbour / "macros" / "m.sql").write_text(f"{{% macro m() %}}{MARK}{{% endmacro %}}")
    (neighbour / "seeds" / "s.csv").write_text(f"secret\n{MARK}\n")
    (neighbour / "tests" / "t.sql").write_text(f"select '{MARK}' as secret")
    for name in ("TRANSFORM_TEST_CANARY", "ETLFABRIC_ENCRYPTION_KEYS", "DBT_ENV_CUSTOM_ENV_CANARY"):
        monkeypatch.setenv(name, MARK)
    return {
        "neighbour": str(neighbour),
        "secret": str(neighbour / "profiles.yml"),
        "drop": str(neighbour / "dropped.py"),
        "pid": str(os.getpid()),
        "rival_schema": "rival_raw",
        "rival_role": "org_rival",
    }


@pytest.fixture
def play(scene, login: WarehouseLogin, admin: psycopg.Connection, caplog) -> Callable[..., str]:
    """Run any dbt command on any files; give all that came out of it, after a look for canaries."""
    caplog.set_level(logging.DEBUG)
    untouched = listing(scene)

    def run_command(args: list[str], files: Files, **limits: Any) -> str:
        said = []
        with scratch.folder() as work_dir:
            policy = login_of.policy(work_dir, login, **{"wall_seconds": 90.0, **limits})
            told = login_of.inside(login)
            answer = outcome(
                lambda: sandbox.call(invocation.command, files, args, told, policy=policy)
            )
            said += [file.read_text(errors="replace") for file in left_in(work_dir)]
        said += [answer, *tables(admin), caplog.text]
        assert_contained("\n".join(said))
        assert listing(scene) == untouched
        return answer

    return run_command


def outcome(function: Callable[[], Any]) -> str:
    """What an attacker gets to see: the answer, or the error."""
    try:
        return json.dumps(function(), default=str)
    except FabricError as error:
        return json.dumps(error.body())


def left_in(work_dir: Path) -> list[Path]:
    return [file for file in work_dir.rglob("*") if file.is_file() and not file.is_symlink()]


def listing(scene: dict[str, str]) -> list[str]:
    return sorted(str(path) for path in Path(scene["neighbour"]).rglob("*"))


def tables(admin: psycopg.Connection) -> list[str]:
    """All rows of the attacker's schemas."""
    found = admin.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('demo_marts', 'demo_test_failures')"
        " union select format('%I.%I', schemaname, viewname) from pg_views"
        " where schemaname in ('demo_marts', 'demo_test_failures')"
    ).fetchall()
    return [str(admin.execute(f"select * from {name}").fetchall()) for (name,) in found]


def assert_contained(said: str) -> None:
    for secret in (MARK, CANARY, PASSWORD):
        for shape in (secret, secret[::-1], base64.b64encode(secret.encode()).decode()):
            assert shape not in said


# --- where an attack can stand in a project ------------------------------------------------------


def guarded(words: str) -> str:
    """dbt reads the project first, without a connection; the attack waits until there is one."""
    return "{% if execute %}" + words + "{% endif %}"


def loot(words: str) -> str:
    return f"select $${words}$$::text as loot"


def base(*nodes: ProjectNode) -> Files:
    plain = ProjectNode("plain", "dbt_model", "demo_marts", ModelConfig(sql="select 1 as id"))
    return render("demo", [plain, *nodes], [FLIGHTS])


def in_models(attacks: Attacks) -> Files:
    return base() | {
        f"models/a{number}.sql": "{{ config(materialized='table') }}" + loot(guarded(words))
        for number, words in enumerate(attacks.values())
    }


def in_tests(attacks: Attacks) -> Files:
    return base() | {
        f"tests/a{number}.sql": "{{ config(store_failures=true, schema='demo_test_failures') }}"
        + loot(guarded(words))
        for number, words in enumerate(attacks.values())
    }


def in_snapshots(attacks: Attacks) -> Files:
    head = "{{ config(unique_key='loot', strategy='check', check_cols='all') }}"
    return base() | {
        f"snapshots/a{number}.sql": f"{{% snapshot a{number} %}}{head}"
        f"{loot(guarded(words))}{{% endsnapshot %}}"
        for number, words in enumerate(attacks.values())
    }


def in_sources(attacks: Attacks) -> Files:
    """Freshness evaluates `loaded_at_query` and `filter`."""
    tables_ = [
        {
            "name": f"a{number}",
            "identifier": "flights",
            "loaded_at_query": "select now() -- " + guarded(words),
            "freshness": {"warn_after": {"count": 1, "period": "day"}, "filter": guarded(words)},
        }
        for number, words in enumerate(attacks.values())
    ]
    source = {"name": "attacked", "schema": "demo_raw", "tables": tables_}
    return base() | {"models/attacked.yml": json.dumps({"version": 2, "sources": [source]})}


# Here dbt goes on after a node that failed, so one project holds all attacks.
IN_ONE_PROJECT = {
    "run": (["run"], in_models),
    "build": (["build"], in_models),
    "test": (["test"], in_tests),
    "snapshot": (["snapshot"], in_snapshots),
    "freshness": (["source", "freshness"], in_sources),
}


@pytest.mark.feature("A19")
@pytest.mark.parametrize("command", IN_ONE_PROJECT)
def test_attacks_are_contained_where_dbt_goes_on(command, scene, play, caplog) -> None:
    args, place = IN_ONE_PROJECT[command]
    attacks = everything_armed(scene) if EVERYTHING else basic_armed(scene)
    play(args, place(attacks))
    begun = set(re.findall(r"START .*\ba(\d+) \.", caplog.text))
    assert begun == {str(number) for number in range(len(attacks))}


@pytest.mark.feature("A19")
@pytest.mark.skipif(not bubblewrap.works(), reason="bubblewrap is not usable here")
def test_attacks_are_contained_by_bubblewrap_alone(scene, play, caplog, monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "level", lambda: "bubblewrap")
    attacks = everything_armed(scene)
    play(["run"], in_models(attacks))
    begun = set(re.findall(r"START .*\ba(\d+) \.", caplog.text))
    assert begun == {str(number) for number in range(len(attacks))}
    assert "OK created sql view model demo_marts.plain" in caplog.text


def everything_armed(scene: dict[str, str]) -> Attacks:
    return {name: armed(words, scene) for name, words in ATTACKS.items()}


def basic_armed(scene: dict[str, str]) -> Attacks:
    return {name: armed(words, scene) for name, words in BASIC.items()}


def in_description(words: str) -> Files:
    models = [{"name": "plain", "description": words}]
    return base() | {"models/a.yml": json.dumps({"models": models})}


def in_packages(words: str) -> Files:
    return base() | {"packages.yml": json.dumps({"packages": [{"local": words}]})}


def in_macro(words: str) -> Files:
    body = f"{{% set x %}}{words}{{% endset %}}{{{{ log(x, info=true) }}}}"
    return base() | {"macros/a.sql": f"{{% macro a() %}}{body}{{% endmacro %}}"}


# Here the first node that fails ends the command, so each attack has a project of its own.
ONE_BY_ONE: dict[str, Callable[[str], tuple[list[str], Files]]] = {
    "parse": lambda words: (["parse"], base() | {"models/a.sql": loot(words)}),
    "compile": lambda words: (["compile"], in_models({"a": words})),
    "docs": lambda words: (["docs", "generate"], in_models({"a": words})),
    "deps": lambda words: (["deps"], in_packages(words)),
}
# The product has no use for these.
OTHERS: dict[str, Callable[[str], tuple[list[str], Files]]] = {
    "descriptions": lambda words: (["parse"], in_description(words)),
    "show": lambda words: (["show", "--inline", loot(guarded(words))], base()),
    "run-operation": lambda words: (["run-operation", "a"], in_macro(words)),
}


@pytest.mark.feature("A19")
@pytest.mark.parametrize("command", [*ONE_BY_ONE, *(OTHERS if EVERYTHING else ())])
def test_attacks_are_contained_where_dbt_stops(command, scene, play) -> None:
    attacks = everything_armed(scene) if EVERYTHING else basic_armed(scene)
    for words in attacks.values():
        play(*(ONE_BY_ONE | OTHERS)[command](words))


def test_words_that_dbt_does_not_know_are_contained(scene, play) -> None:
    for words in hostile_dbt.GRAMMAR.values():
        answer = play(*ONE_BY_ONE["compile"](armed(words, scene)))
        assert "error" in json.loads(answer), words


PROJECT_COMMANDS = (["build"], ["docs", "generate"], ["deps"], ["seed"], ["clean"], ["parse"])


@pytest.mark.feature("A19")
@pytest.mark.parametrize("project", hostile_dbt.PROJECT_FILES)
def test_a_project_that_nobody_can_write_is_contained(project, scene, play) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        written = hostile_dbt.PROJECT_FILES[project]
        own = {name: armed(text, scene | {"port": port}) for name, text in written.items()}
        needs_deps = own.keys() & {"packages.yml", "dependencies.yml"}
        quick = (["deps"] if needs_deps else ["build"] if runs(own) else ["parse"],)
        for args in PROJECT_COMMANDS if EVERYTHING else quick:
            answer = play(args, base() | own)
            assert "error" in json.loads(answer) or not needs_deps
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def runs(files: Files) -> bool:
    """Whether something in these files only happens while dbt works on the database."""
    return any(name.endswith((".py", ".sql")) or "on-run" in text for name, text in files.items())


# --- what the product itself runs ----------------------------------------------------------------


@pytest.mark.feature("A19")
def test_attacks_are_contained_in_check(scene, login, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    attacks = list(everything_armed(scene).values())
    for words in attacks if EVERYTHING else attacks[: len(BASIC) : 3]:  # compile has tried all
        files = base(thief(0, words))
        said = outcome(lambda files=files: asdict(check.check_model(files, "thief0", login)))
        assert_contained(said + caplog.text)
    assert not Path(scene["drop"]).exists()


@pytest.mark.feature("A19")
def test_attacks_are_contained_in_publish_and_run(scene, run: Run, admin, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    attacks = everything_armed(scene).values()
    nodes = [thief(number, words) for number, words in enumerate(attacks)]
    said = outcome(lambda: run(nodes).nodes)
    assert_contained("\n".join([said, caplog.text, *tables(admin)]))
    assert not Path(scene["drop"]).exists()
    begun = set(re.findall(r"START .*\bthief(\d+) \.", caplog.text))
    assert len(begun) == len(nodes)


def thief(number: int, words: str) -> ProjectNode:
    """A model that attacks, and so does its test."""
    test = SingularTest(name="too", sql=loot(guarded(words)))
    model = ModelConfig(sql=loot(guarded(words)), materialization="table", singular_tests=(test,))
    return ProjectNode(f"thief{number}", "dbt_model", "demo_marts", model)


def test_the_attacks_are_real(scene, login, monkeypatch, tmp_path) -> None:
    """Where only the walls around files are missing, the same words steal and destroy."""
    monkeypatch.setattr(sandbox, "level", lambda: "process")
    monkeypatch.setenv(sandbox.OPT_OUT, "true")
    stolen = []
    for name in ("read a file", "read a file and raise", "the caller's environment"):
        files = in_models({name: armed(ATTACKS[name], scene)})
        policy = login_of.policy(tmp_path, login)
        told = login_of.inside(login)
        stolen.append(
            outcome(lambda: sandbox.call(invocation.command, files, ["run"], told, policy=policy))  # noqa: B023
        )
        stolen += [file.read_text(errors="replace") for file in left_in(tmp_path)]
    assert MARK in "".join(stolen)
    files = in_models({"drop": armed(BASIC["write a file"], scene)})
    sandbox.call(invocation.command, files, ["run"], told, policy=policy)
    assert Path(scene["drop"]).exists()


# --- bombs ---------------------------------------------------------------------------------------

SMALL = {"memory_bytes": 1 << 30, "answer_bytes": 8 << 20, "disk_bytes": 64 << 20}


def limits_for(reason: str) -> dict[str, float]:
    """Small limits, and time for what shall meet another one."""
    return SMALL | {"wall_seconds": 2.0 if "longer" in reason else 60.0}


@pytest.mark.feature("A19")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_ended_and_the_error_says_why(bomb, play) -> None:
    words, reason = BOMBS[bomb]
    sandbox.server.ensure()
    started = time.monotonic()
    files = base() | {"models/a.sql": loot(words)}
    answer = json.loads(play(["parse"], files, **limits_for(reason)))
    assert reason in answer["message"]
    assert time.monotonic() - started < (10 if "longer" in reason else 60)


@pytest.mark.feature("A19")
@pytest.mark.parametrize("bomb", WAREHOUSE_BOMBS)
def test_a_bomb_in_the_warehouse_is_ended_too(bomb, play, admin) -> None:
    words, reason = WAREHOUSE_BOMBS[bomb]
    limits = limits_for(reason)
    limits["wall_seconds"] *= 2  # time to come to the query
    answer = json.loads(play(["compile"], in_models({bomb: words}), **limits))
    assert reason in answer["message"]
    deadline = time.monotonic() + 15
    while sessions_of_dbt(admin):
        assert time.monotonic() < deadline, "the query goes on after dbt was ended"
        time.sleep(0.2)


def sessions_of_dbt(admin: psycopg.Connection) -> int:
    query = "select count(*) from pg_stat_activity where usename = 'org_demo'"
    return admin.execute(query).fetchone()[0]


@pytest.mark.parametrize("where", ["parse", "check"])
def test_the_product_limits_the_time_of_an_endless_loop(where, monkeypatch) -> None:
    monkeypatch.setattr(parse, "_WALL_SECONDS", 2.0)
    monkeypatch.setattr(check, "_WALL_SECONDS", 2.0)
    endless = ModelConfig(sql=BOMBS["an endless loop"][0] + "select 1")
    files = base(ProjectNode("endless", "dbt_model", "demo_marts", endless))
    with pytest.raises(TerminalError, match="took longer than 2 seconds"):
        parse.parse_project(files) if where == "parse" else check.check_model(
            files, "endless", None
        )


# --- what SQL may say about itself ---------------------------------------------------------------


def test_settings_that_are_not_allowed_are_refused_with_their_lines() -> None:
    settings = list(hostile_dbt.REFUSED_SETTINGS.values())
    nodes = [
        ProjectNode(f"n{number}", "dbt_model", "demo_marts", bold(words))
        for number, words in enumerate(settings)
    ]
    with pytest.raises(InvalidConfig) as refusal:
        parse.parse_project(base(*nodes))
    problems = {problem.node: problem for problem in refusal.value.problems}
    assert set(problems) == {node.slug for node in nodes}
    off = f"n{settings.index('enabled=false')}"
    assert {problem.line for node, problem in problems.items() if node != off} == {2}
    assert "full_refresh" in (refusal.value.hint or "")


def bold(words: str) -> ModelConfig:
    return ModelConfig(sql=f"select 1 as id\n{{{{ config({words}) }}}}")


@pytest.mark.parametrize(
    "words",
    ["schema='rival_raw'", "alias='x'", "severity='warn'", "enabled=false", "meta={'node': 'x'}"],
)
def test_a_test_may_not_say_where_its_rows_go(words) -> None:
    test = SingularTest(name="sly", sql=f"select 1 as id\n{{{{ config({words}) }}}}")
    model = ModelConfig(sql="select 1 as id", singular_tests=(test,))
    problem = refused(ProjectNode("bold", "dbt_model", "demo_marts", model))
    assert problem.node == "bold"


def test_what_is_allowed_is_accepted() -> None:
    sql = (
        "{{ config(tags=['daily'], indexes=[{'columns': ['id']}], full_refresh=false,"
        " incremental_strategy='merge', on_schema_change='append_new_columns') }}select 1 as id"
    )
    test = SingularTest(name="fine", sql="{{ config(limit=10, warn_if='>3') }}select 1 as id")
    model = ModelConfig(
        sql=sql, materialization="incremental", unique_key=("id",), singular_tests=(test,)
    )
    parsed = parse.parse_project(base(ProjectNode("fine", "dbt_model", "demo_marts", model)))
    assert "fine" in parsed.models.values()


def refused(node: ProjectNode) -> Problem:
    with pytest.raises(InvalidConfig) as refusal:
        parse.parse_project(base(node))
    (problem,) = refusal.value.problems
    return problem
