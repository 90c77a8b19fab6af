"""Checking a transformation before it is saved, with and without a database."""

import pytest

from etlfabric_core.errors import InvalidConfig, TransientError
from etlfabric_core.graph.configs import ModelConfig, SnapshotConfig
from etlfabric_core.transform.check import check_model
from etlfabric_core.transform.project import ProjectNode, render
from tests.core.transform.warehouse import FLIGHTS

UPSTREAM = ProjectNode(
    "not_built",
    "dbt_model",
    "demo_marts",
    ModelConfig(sql="select 1 as id", materialization="table"),
)


def check(sql: str, login=None):
    config = ModelConfig(sql=sql)
    nodes = [ProjectNode("edited", "dbt_model", "demo_marts", config), UPSTREAM]
    return check_model(render("demo", nodes, [FLIGHTS]), "edited", login)


@pytest.mark.feature("F5")
def test_good_sql_is_compiled_without_a_database() -> None:
    checked = check("select id\nfrom {{ source('raw', 'flights') }}")
    assert checked.problems == ()
    assert checked.compiled_sql.endswith('"demo_raw"."flights"')


@pytest.mark.feature("F5")
@pytest.mark.parametrize(
    ("sql", "line", "said"),
    [
        ("select 1\nfrom {{ ref('nothing') }}", 2, "nothing"),
        ("select 1,\n\n{{ oops }", 3, "unexpected '}'"),
        ("{% set a = 1 %}\n\nselect (1\nfrom {{ ref('not_built') }} x y z", 3, ""),
        ("select 1\n;\nselect 2", None, "one query"),
        ("select\n{{ no_such_macro(1) }}", 2, "no_such_macro"),
    ],
)
def test_what_is_wrong_has_the_users_line(sql, line, said) -> None:
    (problem,) = check(sql).problems
    assert said in problem.message
    assert problem.node == "edited"
    assert problem.line == line or (line == 3 and problem.line in (3, 4))


@pytest.mark.feature("F5")
def test_an_unknown_column_is_found_with_its_line(login) -> None:
    (problem,) = check(
        "{% set x = 1 %}\nselect id,\n  dellay\nfrom {{ source('raw', 'flights') }}", login
    ).problems
    assert problem.line == 3
    assert 'column "dellay" does not exist' in problem.message


def test_an_upstream_model_that_is_not_built_yet_is_no_problem(login) -> None:
    assert check("select id from {{ ref('not_built') }}", login).problems == ()


def test_a_table_that_nobody_makes_is_a_problem(login) -> None:
    (problem,) = check("select 1\nfrom demo_raw.nothing", login).problems
    assert problem.line == 2
    assert 'relation "demo_raw.nothing" does not exist' in problem.message


def test_checking_runs_nothing(login, admin) -> None:
    sql = "with gone as (delete from demo_raw.flights returning 1) select * from gone"
    check(sql, login)
    assert admin.execute("select count(*) from demo_raw.flights").fetchone() == (3,)


def test_introspection_sees_the_warehouse(login) -> None:
    query = "run_query('select max(id) from demo_raw.flights')"
    sql = f"select {{{{ {query}.columns[0].values()[0] if execute else 0 }}}} as top"
    assert check(sql, login).compiled_sql == "select 3 as top"


def test_a_snapshot_is_checked_too(login) -> None:
    config = SnapshotConfig(sql="select id,\nnope from demo_raw.flights", unique_key=("id",))
    node = ProjectNode("history", "dbt_snapshot", "demo_marts", config)
    (problem,) = check_model(render("demo", [node], [FLIGHTS]), "history", login).problems
    assert problem.line == 2


def test_a_warehouse_that_is_away_is_no_verdict(login) -> None:
    away = login.model_copy(update={"port": 21598})
    with pytest.raises(TransientError):
        check("select id from {{ source('raw', 'flights') }}", away)


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(InvalidConfig):
        check_model(render("demo", [UPSTREAM], []), "other", None)
