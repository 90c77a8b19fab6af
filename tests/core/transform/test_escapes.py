"""Tenant Jinja against the sandbox, in every dbt command: nothing of others comes out."""

import json
import logging
import os
import re
import socket
from dataclasses import asdict
from pathlib import Path

import pytest

from etlfabric_core import sandbox
from etlfabric_core.graph.configs import ModelConfig, SingularTest
from etlfabric_core.sandbox import bubblewrap
from etlfabric_core.transform import check, invocation
from etlfabric_core.transform import login as login_of
from etlfabric_core.transform.project import ProjectNode
from tests.core.transform import hostile_dbt
from tests.core.transform.conftest import Run
from tests.core.transform.escape_scene import MARK, assert_contained, left_in, outcome, tables
from tests.core.transform.hostile_dbt import ATTACKS, BASIC, armed
from tests.core.transform.hostile_projects import (
    IN_ONE_PROJECT,
    ONE_BY_ONE,
    OTHERS,
    Attacks,
    Files,
    base,
    guarded,
    in_models,
    loot,
)

EVERYTHING = os.environ.get("ETLFABRIC_ESCAPES") == "all"


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
