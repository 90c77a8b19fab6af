"""A neighbour to be robbed, a way to play any attack, and a look for what came out of it."""

import base64
import json
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etlfabric_core import sandbox
from etlfabric_core.errors import FabricError
from etlfabric_core.sandbox import scratch
from etlfabric_core.transform import invocation
from etlfabric_core.transform import login as login_of
from etlfabric_core.transform.plan import WarehouseLogin
from tests.core.transform.hostile_projects import Files
from tests.core.transform.warehouse import CANARY, PASSWORD

MARK = f"CANARY_{uuid.uuid4().hex}"


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
