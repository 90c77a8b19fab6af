"""Tenant Jinja against the sandbox, in parse, check and run: no canary comes out."""

import json
import logging
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from etlfabric_core.errors import FabricError
from etlfabric_core.graph.configs import ModelConfig
from etlfabric_core.transform import check, parse
from etlfabric_core.transform.project import ProjectNode, render
from tests.core.transform.conftest import CANARY, FLIGHTS, Run

MARK = f"CANARY_{uuid.uuid4().hex}"
TABLE = "run_query('select 1 as a')"

ATTACKS = {
    "read a neighbour's file": "{{ " + TABLE + ".from_csv('%(secret)s').columns }}",
    "read it with its rows": "{{ " + TABLE + ".from_csv('%(secret)s').print_json() }}",
    "read our environment": "{{ " + TABLE + ".from_csv('/proc/self/environ').columns }}",
    "read the parent's environment": "{{ "
    + TABLE
    + ".from_csv('/proc/%(pid)s/environ').columns }}",
    "read the system's users": "{{ " + TABLE + ".from_csv('/etc/shadow').columns }}",
    "write anywhere": "{{ " + TABLE + ".to_csv('%(drop)s') }}",
    "write json anywhere": "{{ " + TABLE + ".to_json('%(drop)s') }}",
    "the environment": "{{ env_var('TRANSFORM_TEST_CANARY', 'nothing') }}",
    "the encryption keys": "{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'nothing') }}",
    "modules": "{{ modules.datetime.sys.modules['os'].environ }}",
    "dunder walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "include a file": "{%% include '%(secret)s' %%}",
    "another schema": "{{ run_query('select secret from rival_raw.secrets').columns[0].values() }}",
    "a server file": "{{ run_query(\"select pg_read_file('%(secret)s')\").columns[0].values() }}",
    "a program": "{{ run_query(\"copy (select 1) to program 'cp %(secret)s %(drop)s'\") }}",
    "another role": "{{ run_query('set role org_rival') }}"
    "{{ run_query('select secret from rival_raw.secrets').columns[0].values() }}",
}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch) -> dict[str, str]:
    """A neighbour's file, a place where nothing may appear, and a secret in our environment."""
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir()
    secret = neighbour / "profiles.yml"
    secret.write_text(f"password,{MARK}\nsecret,{MARK}\n")
    monkeypatch.setenv("TRANSFORM_TEST_CANARY", MARK)
    monkeypatch.setenv("ETLFABRIC_ENCRYPTION_KEYS", MARK)
    return {
        "secret": str(secret),
        "drop": str(neighbour / "dropped.py"),
        "pid": str(os.getpid()),
    }


def assert_contained(said: str, scene: dict[str, str]) -> None:
    assert MARK not in said
    assert CANARY not in said
    assert not Path(scene["drop"]).exists()


@pytest.mark.parametrize("attack", ATTACKS)
def test_contained_in_parse_check_and_run(attack, scene, run: Run, login, admin, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    sql = armed(ATTACKS[attack] % scene)
    model = ModelConfig(sql=sql, materialization="table")
    nodes = [ProjectNode("thief", "dbt_model", "demo_marts", model)]
    files = render("demo", nodes, [FLIGHTS])
    said = [
        outcome(parse.parse_project, files),
        outcome(check.check_model, files, "thief", login),
        outcome(run, nodes),
    ]
    if admin.execute("select to_regclass('demo_marts.thief')").fetchone() != (None,):
        said.append(str(admin.execute("select loot from demo_marts.thief").fetchall()))
    assert_contained("\n".join([*said, caplog.text]), scene)


def armed(attack: str) -> str:
    """A model that attacks where dbt has a connection and carries the loot out in a column."""
    return "select $$ {% if execute %}" + attack + "{% endif %} $$::text as loot"


def outcome(function, *args) -> str:
    """What an attacker gets to see: the answer, or the error."""
    try:
        return str(function(*args))
    except FabricError as error:
        return str(error.body())


def test_the_file_theft_works_where_there_is_no_sandbox(scene, login, tmp_path) -> None:
    """The corpus is real: the same words read the file when only the sandbox is missing."""
    attack = "{{ " + TABLE + f".from_csv('{scene['secret']}').columns[1].name }}}}"
    node = ProjectNode("thief", "dbt_model", "demo_marts", ModelConfig(sql=armed(attack)))
    arguments = [render("demo", [node], [FLIGHTS]), "thief", login.model_dump()]
    program = (
        "import json, sys; from etlfabric_core.transform.invocation import compile_node;"
        "print(compile_node(*json.load(sys.stdin))['compiled'])"
    )
    stolen = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(arguments),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert MARK in stolen.stdout


@pytest.mark.parametrize("where", ["parse", "check"])
def test_an_endless_loop_is_ended(where, monkeypatch) -> None:
    monkeypatch.setattr(parse, "_WALL_SECONDS", 3.0)
    monkeypatch.setattr(check, "_WALL_SECONDS", 3.0)
    sql = "{% for i in modules.itertools.count() %}{% endfor %}select 1"
    node = ProjectNode("endless", "dbt_model", "demo_marts", ModelConfig(sql=sql))
    files = render("demo", [node], [])
    started = time.monotonic()
    with pytest.raises(FabricError, match="longer than 3 s"):
        parse.parse_project(files) if where == "parse" else check.check_model(
            files, "endless", None
        )
    assert time.monotonic() - started < 8


def test_memory_is_bounded() -> None:
    sql = "{% set x = 'a' * 20000000000 %}select 1"
    node = ProjectNode("greedy", "dbt_model", "demo_marts", ModelConfig(sql=sql))
    with pytest.raises(FabricError):
        parse.parse_project(render("demo", [node], []))
