"""MySQL and MariaDB arrive value for value, or are refused with the column named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Window
from tests.loading import plan, run

FIDELITY = Path(__file__).with_name("fidelity_mysql.sql").read_text()
EXPECTED = {
    "tiny": "smallint",
    "flag": "smallint",
    "big": "bigint",
    "ubig": "numeric(20,0)",
    "uint": "bigint",
    "zero_filled": "integer",
    "exact": "numeric(65,30)",
    "single": "real",
    "wide": "double precision",
    "bits": "bit(10)",
    "one_bit": "bit(1)",
    "day": "date",
    "at": "timestamp without time zone",
    "zoned": "timestamp with time zone",
    "span": "interval",
    "made": "smallint",
    "kind": "text",
    "kinds": "text",
    "doc": "text",
    "note": "text",
    "old_note": "text",
    "raw": "bytea",
    "fixed": "bytea",
    "uid": "uuid",
    "twice": "bigint",
    "select": "text",
}


def rows_of(warehouse, table, names):
    query = ", ".join(f'"{name}"::text' for name in names)
    return warehouse.execute(f"select {query} from {table} order by id")


@pytest.mark.feature("C3")
@pytest.mark.parametrize("how", ["append", "replace", "merge"])
def test_no_value_changes_on_the_way(warehouse, mariadb, tmp_path, how):
    mariadb.execute(*filter(None, map(str.strip, FIDELITY.split(";\n"))))
    key = {"primary_key": ["id"]} if how == "merge" else {}
    resource = {"name": "fidelity", "write_disposition": how, **key}
    run(plan(warehouse, mariadb.endpoint(), resource), tmp_path, {})
    types = dict(
        warehouse.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where "
            "attrelid = 'demo_raw.fidelity'::regclass and attnum > 0"
        )
    )
    assert {name: types[name] for name in EXPECTED} == EXPECTED
    most, least, nothing = rows_of(warehouse, "fidelity", EXPECTED)
    assert nothing == (None,) * len(EXPECTED)
    assert dict(zip(EXPECTED, most, strict=True)) == MOST
    assert dict(zip(EXPECTED, least, strict=True)) == LEAST


MOST = {
    "tiny": "127",
    "flag": "2",
    "big": "9223372036854775807",
    "ubig": "18446744073709551615",
    "uint": "4294967295",
    "zero_filled": "42",
    "exact": "9" * 35 + "." + "9" * 30,
    "single": "0.1",
    "wide": "0.1",
    "bits": "1000000001",
    "one_bit": "1",
    "day": "9999-12-31",
    "at": "9999-12-31 23:59:59.999999",
    "zoned": "2038-01-19 03:14:07.5+00",
    "span": "838:59:59.999999",
    "made": "2155",
    "kind": 'a,"b"',
    "kinds": "x,z",
    "doc": '{"k": [1.10, null, "é"]}',
    "note": 'emoji 🎉, "quoted"\nline\\N',
    "old_note": "café",
    "raw": "\\x00ff2c22",
    "fixed": "\\x610000",
    "uid": "123e4567-e89b-12d3-a456-426655440000",
    "twice": "254",
    "select": "NULL",
}
LEAST = {
    "tiny": "-128",
    "flag": "0",
    "big": "-9223372036854775808",
    "ubig": "0",
    "uint": "0",
    "zero_filled": "0",
    "exact": "-0." + "0" * 29 + "1",
    "single": "-3.4028235e+38",
    "wide": "-1.7976931348623157e+308",
    "bits": "0000000000",
    "one_bit": "0",
    "day": "1000-01-01",
    "at": "1000-01-01 00:00:00",
    "zoned": "1970-01-01 00:00:01+00",
    "span": "-838:59:59",
    "made": "1901",
    "kind": "",
    "kinds": "",
    "doc": "{}",
    "note": "",
    "old_note": "",
    "raw": "\\x",
    "fixed": "\\x000000",
    "uid": "00000000-0000-0000-0000-000000000000",
    "twice": "-256",
    "select": " ",
}


@pytest.mark.feature("C4")
@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("datetime(6)", ("2024-01-01", "2024-01-02 00:00:00.5", "2024-01-10")),
        ("timestamp", ("2024-01-01", "2024-01-02", "2024-01-10")),
        ("date", ("2024-01-01", "2024-01-02", "2024-01-10")),
        ("int", ("1", "2", "10")),
        ("bigint unsigned", ("9", "10", "18446744073709551615")),
    ],
)
def test_a_cursor_reads_only_what_is_new(warehouse, mariadb, tmp_path, type_, values):
    first, second, third = values
    mariadb.execute(
        "set time_zone = '+05:00'",
        f"create table t (at {type_} not null, v text)",
        f"insert into t values ('{first}', 'a'), ('{second}', 'b')",
    )
    resource = {"name": "t", "cursor": {"column": "at"}}
    load_plan = plan(warehouse, mariadb.endpoint(), resource, batch_size=1)
    run(load_plan, tmp_path, {}, 1)
    mariadb.execute(
        "set time_zone = '+05:00'", f"insert into t values ('{second}', 'c'), ('{third}', 'd')"
    )
    assert run(load_plan, tmp_path, {}, 2).tables[0].loaded == 2
    assert run(load_plan, tmp_path, {}, 3).tables[0].loaded == 0
    assert [row[0] for row in warehouse.execute("select v from t order by v")] == list("abcd")


@pytest.mark.feature("C4")
@pytest.mark.parametrize("type_", ["datetime", "timestamp", "date"])
def test_a_window_bounds_the_query(warehouse, mariadb, tmp_path, type_):
    days = ", ".join(f"('2024-01-0{day}', {day})" for day in range(1, 10))
    mariadb.execute(
        "set time_zone = '+00:00'",
        f"create table t (at {type_} not null, v int)",
        f"insert into t values {days}",
    )
    window = Window(start=datetime(2024, 1, 3, tzinfo=UTC), end=datetime(2024, 1, 5, tzinfo=UTC))
    resource = {"name": "t", "cursor": {"column": "at"}}
    for epoch in (1, 2):
        run(plan(warehouse, mariadb.endpoint(), resource, window=window), tmp_path, {}, epoch)
        assert warehouse.execute("select v from t order by v") == [(3,), (4,)]


@pytest.mark.parametrize("zero", ["0000-00-00", "2024-00-00", "2024-01-00"])
def test_dates_that_do_not_exist(warehouse, mariadb, tmp_path, zero):
    mariadb.execute(
        "set sql_mode = ''",
        "create table t (id int, day date, at datetime, note text)",
        f"insert into t values (1, '{zero}', '{zero} 00:00:00', '{zero}'), "
        "(2, '2024-01-01', '2024-01-01 00:00:00', null)",
    )
    with pytest.raises(TerminalError, match="column 'day': a date that does not exist") as caught:
        run(plan(warehouse, mariadb.endpoint(), {"name": "t"}), tmp_path, {})
    assert "zero_dates" in str(caught.value.hint)
    run(plan(warehouse, mariadb.endpoint(zero_dates="null"), {"name": "t"}), tmp_path, {}, 2)
    rows = warehouse.execute("select day::text, at::text, note from t order by id")
    assert rows == [(None, None, zero), ("2024-01-01", "2024-01-01 00:00:00", None)]


@pytest.mark.feature("C3")
def test_full_database_takes_tables_and_no_views(warehouse, mariadb, tmp_path):
    mariadb.execute(
        "create table no_key (x int)",
        "insert into no_key values (1), (1)",
        "create table empty (x int, y text)",
        "create view seen as select 1 as one",
    )
    run(plan(warehouse, mariadb.endpoint(), mode="full_database"), tmp_path, {})
    tables = warehouse.execute(
        "select table_name from information_schema.tables where table_schema = 'demo_raw' "
        "and table_name !~ '^_' order by 1"
    )
    assert tables == [("empty",), ("no_key",)]
    assert (warehouse.count("no_key"), warehouse.count("empty")) == (2, 0)


def test_a_view_and_a_table_of_another_database(warehouse, mariadb, tmp_path):
    other = mariadb.empty()
    other.execute("create table far (x int)", "insert into far values (7)")
    mariadb.execute("create view seen as select 1 as one, cast('z' as char(3)) as word")
    resources = [{"name": "seen"}, {"name": "far", "source": f"{other.database}.far"}]
    run(plan(warehouse, mariadb.endpoint(), *resources), tmp_path, {})
    assert warehouse.execute("select one, word from seen") == [(1, "z")]
    assert warehouse.execute("select x from far") == [(7,)]


def test_names_with_quotes_capitals_and_signs(warehouse, mariadb, tmp_path):
    mariadb.execute(
        """create table `Odd ``Na"me\'%s:x` (`My Col` int, `100% "x" :y` text)""",
        """insert into `Odd ``Na"me\'%s:x` values (1, 'it''s')""",
    )
    filters = [{"column": '100% "x" :y', "op": "eq", "value": "it's"}]
    resource = {"name": "odd", "source": """Odd `Na"me'%s:x""", "filters": filters}
    run(plan(warehouse, mariadb.endpoint(), resource), tmp_path, {})
    assert warehouse.execute("select my_col from odd") == [(1,)]


def test_a_source_cannot_be_written_to(warehouse, mariadb, tmp_path):
    mariadb.execute(
        "create table log (at int)",
        "create function f() returns int modifies sql data "
        "begin insert into log values (1); return 1; end",
        "create view sneaky as select f() as x",
        f"grant all on {mariadb.database}.* to '{mariadb.user}'@'%'",
    )
    with pytest.raises(TerminalError, match="'sneaky'"):
        run(plan(warehouse, mariadb.endpoint(), {"name": "sneaky"}), tmp_path, {})
    assert mariadb.execute("select count(*) from log") == [(0,)]


def test_a_table_that_is_not_there_and_one_without_the_right_to_read(warehouse, mariadb, tmp_path):
    hidden = mariadb.empty()
    hidden.execute("create table t (x int)", f"revoke all on {hidden.database}.* from 'reader'@'%'")
    for name in ("nope", f"{hidden.database}.t"):
        resource = {"name": "t", "source": name}
        with pytest.raises(TerminalError, match=f"no table '{name}'"):
            run(plan(warehouse, mariadb.endpoint(), resource), tmp_path, {})


def test_a_row_that_the_server_does_not_send(warehouse, mariadb, tmp_path):
    """Longer than max_allowed_packet, a line of CSV is NULL: an error, not a lost row."""
    mariadb.execute(
        "create table t (a longtext, b longtext)",
        "insert into t values (repeat('x', 9000000), repeat('y', 9000000))",
    )
    with pytest.raises(TerminalError, match="a row is longer than the server sends"):
        run(plan(warehouse, mariadb.endpoint(), {"name": "t"}), tmp_path, {})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"password": "wrong"}, TerminalError, "refused the password"),
        ({"port": 1}, TransientError, "nothing listens"),
        ({"addresses": ()}, InvalidConfig, "was not looked up"),
        ({"addresses": ("127.0.0.1",), "host": "db.example.com"}, None, ""),
    ],
)
def test_connections_go_to_checked_addresses(warehouse, mariadb, tmp_path, changes, error, words):
    mariadb.execute("create table t (x int)")
    load_plan = plan(warehouse, mariadb.endpoint(**changes), {"name": "t"})
    if error is None:
        assert run(load_plan, tmp_path, {}).tables[0].table == "t"
        return
    with pytest.raises(error, match=words):
        run(load_plan, tmp_path, {})
