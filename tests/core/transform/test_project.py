"""The rendered project: what is in it, and what no name can do to it."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.graph.configs import ColumnTest, ModelConfig, SingularTest, SnapshotConfig
from etlfabric_core.slugs import SLUG
from etlfabric_core.transform.project import ProjectNode, ProjectSource, render

MODEL = ModelConfig(sql="select 1 as id")


def node(slug: str = "one", config=MODEL, **values) -> ProjectNode:
    return ProjectNode(slug, "dbt_model", "demo_marts", config, **values)


@pytest.mark.feature("F2")
def test_a_models_file_is_the_users_sql() -> None:
    files = render("demo", [node()], [])
    assert files["models/one.sql"] == "select 1 as id"


@pytest.mark.feature("F2")
def test_the_order_of_rows_changes_nothing() -> None:
    nodes = [node("b"), node("a", ModelConfig(sql="x", materialization="incremental"))]
    sources = [
        ProjectSource("raw", "demo_raw", ("t2", "t1"), "load"),
        ProjectSource("raw", "demo_raw", ("t0",), "other"),
    ]
    one = render("demo", nodes, sources)
    assert one == render("demo", nodes[::-1], sources[::-1])
    assert list(one.items()) == list(render("demo", nodes[::-1], sources[::-1]).items())


@pytest.mark.feature("F3")
def test_pipelines_that_load_one_dataset_share_a_source() -> None:
    sources = [
        ProjectSource("raw", "demo_raw", ("flights",), "facts"),
        ProjectSource("raw", "demo_raw", ("planes",), "reference"),
    ]
    (raw,) = yaml.safe_load(render("demo", [], sources)["models/sources.yml"])["sources"]
    assert (raw["name"], raw["schema"]) == ("raw", "demo_raw")
    assert {table["name"]: table["config"]["meta"]["node"] for table in raw["tables"]} == {
        "flights": "facts",
        "planes": "reference",
    }


@pytest.mark.feature("F7")
def test_columns_with_strange_names_are_quoted() -> None:
    config = ModelConfig(
        sql="x",
        tests=(
            ColumnTest(type="not_null", column="On time %"),
            ColumnTest(type="unique", column="id"),
        ),
    )
    properties = yaml.safe_load(render("demo", [node(config=config)], [])["models/properties.yml"])
    columns = {column["name"]: column for column in properties["models"][0]["columns"]}
    assert columns["On time %"]["quote"] is True
    assert "quote" not in columns["id"]


def test_a_description_never_reaches_dbt() -> None:
    files = render("demo", [node(description="{{ env_var('HOME') }}")], [])
    assert "env_var" not in "".join(files.values())


@pytest.mark.parametrize(
    ("nodes", "sources", "said"),
    [
        ([node("a"), node("a")], [], "'a' is there twice"),
        ([node("../../escape")], [], "is no slug"),
        ([], [ProjectSource("raw", "s", ("{{ 1 }}",), "load")], "dbt can read names of"),
        (
            [],
            [ProjectSource("raw", "s", ("t",), "one"), ProjectSource("raw", "s", ("t",), "two")],
            "already loaded by 'one'",
        ),
        (
            [
                node(
                    config=ModelConfig(
                        sql="x",
                        tests=(
                            ColumnTest(
                                type="relationships",
                                column="a",
                                to="ref('x') }} {{ env_var('A')",
                                field="b",
                            ),
                        ),
                    )
                )
            ],
            [],
            "write ref('model') or source('dataset', 'table')",
        ),
        (
            [
                node(
                    config=ModelConfig(
                        sql="x", singular_tests=(SingularTest(name="../x", sql="select 1"),)
                    )
                )
            ],
            [],
            "test name '../x'",
        ),
    ],
)
def test_what_cannot_be_written_is_said_with_its_node(nodes, sources, said) -> None:
    with pytest.raises(InvalidConfig) as refused:
        render("demo", nodes, sources)
    (problem,) = refused.value.problems
    assert said in problem.message
    assert problem.node


def test_a_broken_organization_slug_is_refused() -> None:
    with pytest.raises(InvalidConfig):
        render("../demo", [], [])


nasty = st.text(alphabet=string.printable + "äß😀\u2028", min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(
    slug=nasty,
    sql=nasty,
    column=nasty,
    value=nasty,
    where=nasty,
    description=nasty,
    snapshot=st.booleans(),
)
def test_any_text_stays_data(slug, sql, column, value, where, description, snapshot) -> None:
    """Whatever people write, the files are the expected ones and the YAML says what they wrote."""
    tests = (
        ColumnTest(type="accepted_values", column=column, values=(value,), where=where or None),
    )
    config = (
        SnapshotConfig(sql=sql, unique_key=(column,), tests=tests)
        if snapshot
        else ModelConfig(sql=sql, tests=tests)
    )
    rows = [node(slug, config, description=description)]
    if not SLUG.fullmatch(slug):
        with pytest.raises(InvalidConfig):
            render("demo", rows, [])
        return
    files = render("demo", rows, [])
    folder = "snapshots" if snapshot else "models"
    assert set(files) == {
        "dbt_project.yml",
        "macros/physical_names.sql",
        "models/sources.yml",
        "models/properties.yml",
        f"{folder}/{slug}.sql",
    }
    (entry,) = yaml.safe_load(files["models/properties.yml"])[folder]
    assert entry["name"] == slug
    (written,) = entry["columns"]
    assert written["name"] == column
    assert written["data_tests"][0]["accepted_values"]["arguments"]["values"] == [value]
