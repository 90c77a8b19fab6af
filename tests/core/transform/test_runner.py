"""dbt really runs, on a real PostgreSQL, as a role that may create no schema."""

import logging
import threading

import psycopg
import pytest

from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.graph.configs import ColumnTest, ModelConfig, SingularTest, SnapshotConfig
from etlfabric_core.transform.project import ProjectNode
from etlfabric_core.transform.runner import TransformFailed
from tests.core.transform.conftest import Run
from tests.core.transform.warehouse import PASSWORD

SOURCE = "select * from {{ source('raw', 'flights') }}"


def model(slug: str, sql: str = SOURCE, **config) -> ProjectNode:
    return ProjectNode(slug, "dbt_model", "demo_marts", ModelConfig(sql=sql, **config))


def rows(admin: psycopg.Connection, sql: str) -> list[tuple]:
    return admin.execute(sql).fetchall()


@pytest.mark.feature("F1", "F6")
def test_a_table_is_built_in_its_schema_with_its_row_count(run: Run, admin) -> None:
    result = run([model("stg_flights", materialization="table")])
    (node,) = result.nodes
    assert (node.unique_id, node.status, node.rows) == ("model.demo.stg_flights", "success", 3)
    assert rows(admin, "select count(*) from demo_marts.stg_flights") == [(3,)]


@pytest.mark.feature("F1")
def test_only_what_is_selected_is_built(run: Run, admin) -> None:
    upstream, downstream = model("one"), model("one_more", "select * from {{ ref('one') }}")
    result = run([upstream, downstream], ["one"])
    assert [node.unique_id for node in result.nodes] == ["model.demo.one"]
    assert rows(admin, "select to_regclass('demo_marts.one_more')") == [(None,)]


@pytest.mark.feature("F1")
def test_an_ephemeral_model_is_inlined_and_running_it_does_nothing(run: Run, admin) -> None:
    nodes = [
        model("base", materialization="ephemeral"),
        model("top", "select * from {{ ref('base') }}", materialization="table"),
    ]
    assert run(nodes, ["base"]).nodes == ()
    run(nodes, ["top"])
    assert rows(admin, "select count(*) from demo_marts.top") == [(3,)]


@pytest.mark.feature("F7", "F8")
def test_every_kind_of_test_runs_with_its_model(run: Run) -> None:
    carriers = model("carriers", "select * from {{ source('raw', 'carriers') }}")
    flights = model(
        "stg_flights",
        tests=(
            ColumnTest(type="not_null", column="id"),
            ColumnTest(type="unique", column="id"),
            ColumnTest(type="accepted_values", column="carrier", values=("AA", "UA", "ZZ")),
            ColumnTest(
                type="relationships",
                column="carrier",
                to="ref('carriers')",
                field="code",
                where="carrier <> 'ZZ'",
            ),
        ),
        singular_tests=(
            SingularTest(
                name="plausible", sql="select * from {{ ref('stg_flights') }} where delay < -60"
            ),
        ),
    )
    result = run([carriers, flights])
    statuses = sorted(node.status for node in result.nodes)
    assert statuses == ["pass"] * 5 + ["success"] * 2


@pytest.mark.feature("F7", "F8")
def test_a_warning_keeps_its_rows_and_the_run_is_green(run: Run, admin) -> None:
    carriers = model("carriers", "select * from {{ source('raw', 'carriers') }}")
    flights = model(
        "stg_flights",
        tests=(
            ColumnTest(
                type="relationships",
                column="carrier",
                to="ref('carriers')",
                field="code",
                severity="warn",
            ),
        ),
        singular_tests=(
            SingularTest(
                name="no_early",
                sql="select * from {{ ref('stg_flights') }} where delay < 0",
                severity="warn",
            ),
        ),
    )
    result = run([carriers, flights])
    warned = [node for node in result.nodes if node.status == "warn"]
    assert [node.failures for node in warned] == [1, 1]
    found = {
        rows(admin, f"select * from {node.failures_relation}")[0]: node.unique_id for node in warned
    }
    assert ("ZZ",) in found
    assert any(row[:3] == (2, "UA", -3) for row in found)


@pytest.mark.feature("F7")
def test_a_failed_test_fails_the_task_and_says_how_many_rows(run: Run) -> None:
    flights = model("stg_flights", tests=(ColumnTest(type="not_null", column="delay"),))
    with pytest.raises(TransformFailed) as failed:
        run([flights])
    (problem,) = failed.value.problems
    assert (problem.node, problem.field) == ("stg_flights", "not_null_stg_flights_delay")
    assert "1 result" in problem.message
    tests = [node for node in failed.value.result.nodes if node.status == "fail"]
    assert tests[0].failures == 1
    assert tests[0].failures_relation.startswith("demo_test_failures.")


@pytest.mark.feature("F7")
def test_the_test_command_builds_nothing(run: Run, admin) -> None:
    flights = model("stg_flights", tests=(ColumnTest(type="unique", column="id"),))
    run([flights])
    admin.execute("insert into demo_raw.flights values (1, 'AA', 1, now())")
    with pytest.raises(TransformFailed):
        run([flights], command="test")
    assert run([flights, model("other")], ["other"], command="test").nodes == ()
    assert rows(admin, "select to_regclass('demo_marts.other')") == [(None,)]


@pytest.mark.feature("F1")
def test_an_incremental_model_adds_and_replaces_by_key(run: Run, admin) -> None:
    sql = (
        SOURCE + "\n{% if is_incremental() %}\n"
        "where updated_at >= (select max(updated_at) from {{ this }})\n{% endif %}"
    )
    flights = model("inc", sql, materialization="incremental", unique_key=("id",))
    run([flights])
    admin.execute("delete from demo_raw.flights where id = 2")
    admin.execute("update demo_raw.flights set delay = 99, updated_at = '2013-02-01' where id = 1")
    run([flights])
    assert rows(admin, "select id, delay from demo_marts.inc order by id") == [
        (1, 99),
        (2, -3),
        (3, None),
    ]


@pytest.mark.feature("F9")
@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "check", "check_columns": ("delay",)},
        {"strategy": "check"},
        {"strategy": "timestamp", "updated_at": "updated_at"},
    ],
)
def test_a_snapshot_keeps_the_old_version(run: Run, admin, settings) -> None:
    config = SnapshotConfig(sql=SOURCE, unique_key=("id",), **settings)
    history = ProjectNode("history", "dbt_snapshot", "demo_marts", config)
    run([history])
    admin.execute("update demo_raw.flights set delay = 7, updated_at = '2014-01-01' where id = 1")
    run([history])
    versions = rows(
        admin,
        "select delay, dbt_valid_to is null from demo_marts.history where id = 1 order by 2",
    )
    assert versions == [(5, False), (7, True)]


@pytest.mark.feature("F9")
def test_a_snapshot_can_have_a_key_of_two_columns_and_tests(run: Run, admin) -> None:
    config = SnapshotConfig(
        sql=SOURCE,
        unique_key=("id", "carrier"),
        tests=(ColumnTest(type="not_null", column="carrier"),),
    )
    result = run([ProjectNode("history", "dbt_snapshot", "demo_marts", config)])
    assert sorted(node.status for node in result.nodes) == ["pass", "success"]


@pytest.mark.parametrize("materialization", ["table", "view", "incremental"])
def test_an_sql_error_names_the_users_line(run: Run, materialization) -> None:
    sql = "{% set limit = 3 %}\nselect id\nfrom {{ source('raw', 'flights') }}\nwhere idd < 3"
    with pytest.raises(TransformFailed) as failed:
        run([model("broken", sql, materialization=materialization)])
    (problem,) = failed.value.problems
    assert (problem.node, problem.line) == ("broken", 4)
    assert 'column "idd" does not exist' in problem.message
    assert 'column "idd" does not exist' in failed.value.message
    assert "/tmp" not in failed.value.message


def test_a_failed_model_skips_its_descendants_and_reports_both(run: Run) -> None:
    nodes = [model("bad", "select 1/0 as x", materialization="table")]
    nodes.append(model("after", "select * from {{ ref('bad') }}"))
    with pytest.raises(TransformFailed) as failed:
        run(nodes)
    assert {node.unique_id: node.status for node in failed.value.result.nodes} == {
        "model.demo.bad": "error",
        "model.demo.after": "skipped",
    }


def test_an_unknown_node_is_refused(run: Run) -> None:
    with pytest.raises((InvalidConfig, TerminalError), match=r"model\.demo\.nothing"):
        run([model("one")], ["model.demo.nothing"])


def test_a_wrong_password_is_terminal_and_stays_out_of_the_message(run: Run, login) -> None:
    wrong = login.model_copy(update={"password": "wrong-secret"})
    with pytest.raises(TerminalError, match="password authentication failed") as failed:
        run([model("one")], login=wrong)
    assert "wrong-secret" not in str(failed.value.body())


def test_a_database_that_is_away_is_transient(run: Run, login) -> None:
    with pytest.raises(TransientError):
        run([model("one")], login=login.model_copy(update={"port": 21599}))


def test_a_connection_that_is_cut_is_transient(run: Run, admin) -> None:
    """The backend is terminated while the model sleeps in it."""
    ended: list[int] = []

    def cut() -> None:
        finder = "select pg_terminate_backend(pid) from pg_stat_activity where query ~ $$pg_sleep$$"
        finder += " and usename = 'org_demo'"
        for _ in range(300):
            ended.extend(len(row) for row in admin.execute(finder).fetchall())
            if ended or stop.wait(0.1):
                return

    stop = threading.Event()
    thread = threading.Thread(target=cut)
    thread.start()
    try:
        with pytest.raises(TransientError):
            run([model("slow", "select pg_sleep(60)::text as x", materialization="table")])
    finally:
        stop.set()
        thread.join()
    assert ended


def test_dbts_lines_reach_our_log_without_the_password(run: Run, caplog) -> None:
    caplog.set_level(logging.INFO)
    sql = "{{ log(adapter.config.credentials.password, info=true) }} select 1 as id"
    run([model("talkative", sql)])
    lines = [record.getMessage() for record in caplog.records]
    assert any("created sql view model demo_marts.talkative" in line for line in lines)
    assert PASSWORD not in "\n".join(lines)


def test_no_file_with_the_password_is_written(run: Run, tmp_path) -> None:
    run([model("one")])
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "run_results.json" for path in written)
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
