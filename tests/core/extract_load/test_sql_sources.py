"""PostgreSQL and SQLite arrive value for value."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint, FileRef, Window
from tests.loading import Warehouse, new_warehouse, plan, run


@pytest.fixture
def source(postgres):
    """Another database as the source; its tables are in `demo_raw`."""
    with new_warehouse(postgres) as made:
        yield made


def endpoint(source: Warehouse, **changes) -> Endpoint:
    return source.endpoint(schema=source.dataset, **changes)


def grant(source: Warehouse) -> None:
    source.execute(f"grant select on all tables in schema demo_raw to {source.role}")


FIDELITY = Path(__file__).with_name("fidelity.sql").read_text()


@pytest.mark.feature("C3")
@pytest.mark.parametrize("how", ["append", "replace", "merge"])
def test_no_value_changes_on_the_way(warehouse, source, tmp_path, how):
    source.execute(FIDELITY)
    grant(source)
    key = {"primary_key": ["id"]} if how == "merge" else {}
    load_plan = plan(
        warehouse, endpoint(source), {"name": "fidelity", "write_disposition": how, **key}
    )
    run(load_plan, tmp_path, {})
    types = (
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = "
        "'demo_raw.fidelity'::regclass and attnum > 0 and attname <> '_dlt_load_id' order by 1"
    )
    enum_as_text = [(name, "text" if name == "m" else kind) for name, kind in source.execute(types)]
    assert warehouse.execute(types) == enum_as_text
    names = ", ".join(f"{name}::text" for name, _ in enum_as_text)
    query = f"select {names} from fidelity order by id"
    assert warehouse.execute(query) == source.execute(query)


@pytest.mark.feature("C3")
def test_full_database_all_tables_or_some(warehouse, source, tmp_path):
    source.execute(
        "create table a (x int); create table b (y text); create view v as select 1 as one;"
        "insert into a values (1), (2); insert into b values ('')"
    )
    grant(source)
    run(plan(warehouse, endpoint(source), mode="full_database", table_names=["b"]), tmp_path, {})
    tables = (
        "select table_name from information_schema.tables where table_schema = 'demo_raw' "
        "and table_name !~ '^_' order by 1"
    )
    assert warehouse.execute(tables) == [("b",)]
    for epoch in (2, 3):
        run(plan(warehouse, endpoint(source), mode="full_database"), tmp_path, {}, epoch)
    assert warehouse.execute(tables) == [("a",), ("b",)]
    assert (warehouse.count("a"), warehouse.count("b")) == (2, 1)


@pytest.mark.feature("C4", "C7")
@pytest.mark.parametrize("type_", ["timestamptz", "timestamp", "date", "int"])
def test_a_cursor_reads_only_what_is_new(warehouse, source, tmp_path, type_):
    first, second, third = (
        ("1", "2", "10") if type_ == "int" else ("2024-01-01", "2024-01-02", "2024-01-10")
    )
    source.execute(f"create table t (at {type_} not null, v text)")
    source.execute(f"insert into t values ('{first}', 'a'), ('{second}', 'b')")
    grant(source)
    load_plan = plan(
        warehouse, endpoint(source), {"name": "t", "cursor": {"column": "at"}}, batch_size=1
    )
    run(load_plan, tmp_path, {}, 1)
    source.execute(f"insert into t values ('{second}', 'c'), ('{third}', 'd')")
    result = run(load_plan, tmp_path, {}, 2)
    assert result.tables[0].loaded == 2
    assert run(load_plan, tmp_path, {}, 3).tables[0].loaded == 0
    assert [row[0] for row in warehouse.execute("select v from t order by v")] == list("abcd")


@pytest.mark.feature("C4")
@pytest.mark.parametrize("type_", ["timestamptz", "timestamp", "date"])
def test_a_window_bounds_the_source_query(warehouse, source, tmp_path, type_):
    source.execute(f"create table t (at {type_} not null, v int)")
    source.execute(
        f"insert into t select ('2024-01-' || lpad(n::text, 2, '0'))::{type_}, n "
        "from generate_series(1, 9) n"
    )
    grant(source)
    window = Window(start=datetime(2024, 1, 3, tzinfo=UTC), end=datetime(2024, 1, 5, tzinfo=UTC))
    resource = {"name": "t", "cursor": {"column": "at"}}
    for epoch in (1, 2):
        run(plan(warehouse, endpoint(source), resource, window=window), tmp_path, {}, epoch)
        assert warehouse.execute("select v from t order by v") == [(3,), (4,)]


def test_a_new_column_arrives_and_an_old_one_stays(warehouse, source, tmp_path):
    source.execute("create table t (id int); insert into t values (1)")
    grant(source)
    load_plan = plan(warehouse, endpoint(source), {"name": "t", "write_disposition": "append"})
    run(load_plan, tmp_path, {}, 1)
    source.execute("alter table t add column more text default 'x'")
    result = run(load_plan, tmp_path, {}, 2)
    assert result.tables[0].new_columns == ("more",)
    assert warehouse.execute("select id, more from t order by more") == [(1, "x"), (1, None)]


def test_names_with_quotes_and_capitals(warehouse, source, tmp_path):
    source.execute('create table "Odd ""Name""" ("My Col" int, "select" text)')
    source.execute('insert into "Odd ""Name""" values (1, $$x$$)')
    grant(source)
    resource = {"name": "odd", "source": 'Odd "Name"'}
    run(plan(warehouse, endpoint(source), resource), tmp_path, {})
    assert warehouse.execute('select my_col, "select" from odd') == [(1, "x")]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"password": "wrong"}, TerminalError, "refused the password"),
        ({"database": "nowhere"}, TerminalError, "no database 'nowhere'"),
        ({"port": 1}, TransientError, "nothing listens"),
        ({"addresses": ()}, InvalidConfig, "was not looked up"),
    ],
)
def test_a_source_that_cannot_be_reached(warehouse, source, tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        run(plan(warehouse, endpoint(source, **changes), {"name": "t"}), tmp_path, {})


def test_a_missing_table_and_one_without_the_right_to_read(warehouse, source, tmp_path):
    source.execute("create table hidden (id int)")
    for name in ("nope", "hidden"):
        with pytest.raises(TerminalError, match=f"no table '{name}' in schema 'demo_raw'"):
            run(plan(warehouse, endpoint(source), {"name": name}), tmp_path, {})


def test_a_source_cannot_be_written_to(warehouse, source, tmp_path):
    """A view that writes when it is read fails: the session is read-only."""
    source.execute(
        "create table log (at int); create function f() returns int language sql security definer "
        "as 'insert into demo_raw.log values (1) returning at'; "
        "create view sneaky as select f() as x"
    )
    grant(source)
    with pytest.raises(TerminalError, match="read-only transaction"):
        run(plan(warehouse, endpoint(source), {"name": "sneaky"}), tmp_path, {})
    assert source.count("log") == 0


def sqlite_source(path: Path) -> tuple[Endpoint, dict[str, Path]]:
    ref = FileRef(name="shop.db", sha256="0" * 64, size=path.stat().st_size, url="/shop.db")
    return Endpoint(connector="sqlite", config={"uploads": [1]}, files=(ref,)), {"shop.db": path}


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "create table orders (id integer primary key, at datetime, total decimal(10,2), "
            "paid boolean, note text, raw blob, ratio real);"
            "create table empty (x text);"
        )
        connection.executemany(
            "insert into orders values (?, ?, ?, ?, ?, ?, ?)",
            [
                (1, "2024-01-01 10:00:00", 9.99, 1, "", b"\x00\xff", 0.1),
                (2, "2024-01-02T10:00:00Z", 10, 0, None, b"", 1e308),
                (2**62, "2024-01-03", None, None, 'a "b"\n', None, None),
            ],
        )
    connection.close()
    return path


@pytest.mark.feature("C3")
def test_sqlite_arrives_by_declared_types(warehouse, shop, tmp_path):
    source, files = sqlite_source(shop)
    before = shop.read_bytes()
    run(plan(warehouse, source, mode="full_database", batch_size=2), tmp_path / "w", files)
    rows = warehouse.execute(
        "select id, at, total::text, paid, note, encode(raw, 'hex'), ratio from orders order by id"
    )
    assert rows == [
        (1, "2024-01-01 10:00:00", "9.99", True, "", "00ff", 0.1),
        (2, "2024-01-02T10:00:00Z", "10", False, None, "", 1e308),
        (2**62, "2024-01-03", None, None, 'a "b"\n', None, None),
    ]
    assert warehouse.count("empty") == 0
    assert shop.read_bytes() == before


def test_sqlite_window(warehouse, shop, tmp_path):
    source, files = sqlite_source(shop)
    window = Window(start=datetime(2024, 1, 2, tzinfo=UTC), end=datetime(2024, 1, 3, tzinfo=UTC))
    resource = {"name": "orders", "cursor": {"column": "at"}}
    run(plan(warehouse, source, resource, window=window), tmp_path / "w", files)
    assert warehouse.execute("select id from orders") == [(2,)]


def test_sqlite_refuses_a_value_that_is_not_of_its_type(warehouse, shop, tmp_path):
    with sqlite3.connect(shop) as connection:
        connection.execute("insert into orders (id, total) values (7, 'ten')")
    connection.close()
    source, files = sqlite_source(shop)
    with pytest.raises(TerminalError, match="table 'orders', column 'total'") as caught:
        run(plan(warehouse, source, {"name": "orders"}), tmp_path / "w", files)
    assert "ten" not in caught.value.message.replace("written", "")


def test_sqlite_that_is_not_one(warehouse, tmp_path):
    path = tmp_path / "shop.db"
    path.write_bytes(b"hello")
    source, files = sqlite_source(path)
    with pytest.raises(TerminalError, match="not a SQLite database"):
        run(plan(warehouse, source, {"name": "t"}), tmp_path / "w", files)
    with pytest.raises(TerminalError, match="missing"):
        run(plan(warehouse, source, {"name": "t"}), tmp_path / "w", {})


def test_destination_without_the_schema_says_who_must_make_it(warehouse, source, tmp_path):
    source.execute("create table t (id int)")
    grant(source)
    load_plan = plan(warehouse, endpoint(source), {"name": "t"})
    elsewhere = load_plan.model_copy(update={"dataset": "demo_other"})
    with pytest.raises(TerminalError, match="dataset 'demo_other'"):
        run(elsewhere, tmp_path, {})
    neighbour = load_plan.model_copy(update={"dataset": "pg_catalog"})
    with pytest.raises((TerminalError, psycopg.Error)):
        run(neighbour, tmp_path, {})
