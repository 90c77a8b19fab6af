"""`dbt parse` in the sandbox: maps, edges, identical bytes, and errors with a node and a line."""

import io
import json
import zipfile

import pytest

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.graph.configs import ColumnTest, ModelConfig, SingularTest, SnapshotConfig
from etlfabric_core.transform.parse import parse_project
from etlfabric_core.transform.project import ProjectNode, ProjectSource, render

RAW = ProjectSource("raw", "demo_raw", ("flights",), "load_flights")


def model(slug: str, sql: str, **config) -> ProjectNode:
    return ProjectNode(slug, "dbt_model", "demo_marts", ModelConfig(sql=sql, **config))


def files(*nodes: ProjectNode) -> dict[str, str]:
    return render("demo", nodes, [RAW])


def refusal(*nodes: ProjectNode):
    with pytest.raises(InvalidConfig) as refused:
        parse_project(files(*nodes))
    (problem,) = refused.value.problems
    return problem


def flights(**config) -> ProjectNode:
    return model("stg_flights", "select * from {{ source('raw', 'flights') }}", **config)


@pytest.mark.feature("G1", "F2")
def test_refs_and_sources_become_edges() -> None:
    daily = model("daily", "select count(*) as n from {{ ref('stg_flights') }}")
    sql = "select * from {{ ref('daily') }}"
    history = ProjectNode(
        "history", "dbt_snapshot", "demo_marts", SnapshotConfig(sql=sql, unique_key=("n",))
    )
    parsed = parse_project(files(flights(), daily, history))
    assert parsed.models == {
        "model.demo.daily": "daily",
        "model.demo.stg_flights": "stg_flights",
        "snapshot.demo.history": "history",
    }
    assert parsed.loads == {"source.demo.raw.flights": "load_flights"}
    assert parsed.edges == (
        ("daily", "history"),
        ("load_flights", "stg_flights"),
        ("stg_flights", "daily"),
    )


@pytest.mark.feature("F2")
def test_the_physical_schema_is_used_as_it_is() -> None:
    manifest = json.loads(parse_project(files(flights())).manifest)
    assert manifest["nodes"]["model.demo.stg_flights"]["schema"] == "demo_marts"
    assert manifest["sources"]["source.demo.raw.flights"]["schema"] == "demo_raw"


def test_the_same_project_gives_the_same_bytes() -> None:
    nodes = [
        flights(
            tests=(ColumnTest(type="unique", column="id"),),
            singular_tests=(SingularTest(name="x", sql="select * from {{ ref('stg_flights') }}"),),
        ),
        model("b", "select 1 as id"),
    ]
    assert parse_project(files(*nodes)) == parse_project(files(*nodes[::-1]))


def test_nothing_of_the_place_it_was_parsed_in_is_kept() -> None:
    parsed = parse_project(files(flights()))
    with zipfile.ZipFile(io.BytesIO(parsed.project_zip)) as archive:
        texts = [
            parsed.manifest.decode(),
            *(archive.read(name).decode() for name in archive.namelist()),
        ]
    assert not [text for text in texts if "etlfabric-parse-" in text]


@pytest.mark.feature("F5")
def test_broken_jinja_names_the_node_and_the_line() -> None:
    problem = refusal(model("broken", "select 1\nas id\n, {{ 2 }"))
    assert (problem.node, problem.line) == ("broken", 3)
    assert "unexpected '}'" in problem.message


@pytest.mark.feature("F5")
def test_broken_jinja_of_a_snapshot_names_the_line() -> None:
    config = SnapshotConfig(sql="select 1\n{% if %}", unique_key=("id",))
    problem = refusal(ProjectNode("history", "dbt_snapshot", "demo_marts", config))
    assert (problem.node, problem.line) == ("history", 2)


def test_broken_jinja_of_a_test_names_its_model_and_the_test() -> None:
    test = SingularTest(name="plausible", sql="select 1\n{{ x")
    problem = refusal(flights(singular_tests=(test,)))
    assert (problem.node, problem.field, problem.line) == ("stg_flights", "test plausible", 2)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from {{ ref('nothing') }}", "'nothing'"),
        ("select * from {{ source('raw', 'nothing') }}", "raw.nothing"),
        ("select {{ env_var('HOME2') }}", "HOME2"),
    ],
)
def test_what_dbt_does_not_know_is_named(sql, said) -> None:
    problem = refusal(model("broken", sql))
    assert said in problem.message
    assert problem.node == "broken"
    assert "/tmp" not in problem.message


def test_a_cycle_is_refused_with_its_members() -> None:
    with pytest.raises(InvalidConfig) as refused:
        parse_project(
            files(
                model("a", "select * from {{ ref('b') }}"),
                model("b", "select * from {{ ref('a') }}"),
            )
        )
    assert [problem.node for problem in refused.value.problems] == ["a", "b"]
    assert "a → b" in refused.value.problems[0].message


@pytest.mark.parametrize(
    "sql",
    [
        "{{ config(alias='other') }} select 1 as id",
        "{{ config(database='other') }} select 1 as id",
        "{{ config(enabled=false) }} select 1 as id",
        "{{ config(schema='rival_raw') }} select 1 as id",
        "{{ config(materialized='table') }} select 1 as id",
    ],
)
def test_sql_cannot_undo_where_the_table_goes(sql) -> None:
    assert refusal(model("one", sql)).node == "one"


def test_sql_cannot_define_a_second_node() -> None:
    sql = "select 1 as id {% endsnapshot %}{% snapshot hidden %}"
    sql += "{{ config(strategy='check', unique_key='id', check_cols='all') }}select 2 as id"
    config = SnapshotConfig(sql=sql, unique_key=("id",))
    assert refusal(ProjectNode("seen", "dbt_snapshot", "demo_marts", config)).node == "seen"
