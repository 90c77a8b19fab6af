"""Tenant Jinja and SQL that take memory, time, space or the warehouse are ended, with a reason."""

import json
import time

import psycopg
import pytest

from etlfabric_core import sandbox
from etlfabric_core.errors import TerminalError
from etlfabric_core.graph.configs import ModelConfig
from etlfabric_core.transform import check, parse
from etlfabric_core.transform.project import ProjectNode
from tests.core.transform.hostile_dbt import BOMBS, WAREHOUSE_BOMBS
from tests.core.transform.hostile_projects import base, in_models, loot

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
