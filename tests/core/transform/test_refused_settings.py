"""What SQL may say about itself: settings that reach beyond its node are refused."""

import pytest

from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.graph.configs import ModelConfig, SingularTest
from etlfabric_core.transform import parse
from etlfabric_core.transform.project import ProjectNode
from tests.core.transform import hostile_dbt
from tests.core.transform.hostile_projects import base


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
