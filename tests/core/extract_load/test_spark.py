"""Spark arrives value for value, or is refused with what to do."""

from collections.abc import Iterator

import pytest

from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.connectors.spark import SPARK
from etlfabric_core.errors import TerminalError
from tests.loading import plan, run
from tests.spark import Spark, running_spark

pytestmark = pytest.mark.feature("B2")

COLUMNS = {
    "id": ("int", "integer"),
    "tiny": ("tinyint", "smallint"),
    "big": ("bigint", "bigint"),
    "exact": ("decimal(38,9)", "numeric(38,9)"),
    "single": ("float", "real"),
    "wide": ("double", "double precision"),
    "flag": ("boolean", "boolean"),
    "day": ("date", "date"),
    "at": ("timestamp", "timestamp with time zone"),
    "local": ("timestamp_ntz", "timestamp without time zone"),
    "note": ("string", "text"),
    "fixed": ("varchar(9)", "text"),
    "raw": ("binary", "bytea"),
    "many": ("array<int>", "json"),
    "pairs": ("map<string,int>", "json"),
    "parts": ("struct<a:int,b:string>", "json"),
    "A b`c%d": ("int", "integer"),
}
HOSTILE = "a'b\\c\\'d%s\n\t\"é🎉"
VALUES = (
    # As Spark is given them, and as they arrive.
    ("1", "1"),
    ("-128Y", "-128"),
    ("9223372036854775807L", "9223372036854775807"),
    ("12345678901234567890123456789.123456789", "12345678901234567890123456789.123456789"),
    ("float('0.1')", "0.1"),
    ("double('-infinity')", "-Infinity"),
    ("true", "true"),
    ("date'0001-01-01'", "0001-01-01"),
    ("timestamp'1899-12-31 23:59:59.123456 UTC'", "1899-12-31 23:59:59.123456+00"),
    ("timestamp_ntz'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
    (f"unhex('{HOSTILE.encode().hex()}')", HOSTILE),
    ("'x'", "x"),
    ("X'00ff5c'", "\\x00ff5c"),
    ("array(1, null)", "[1,null]"),
    ("map('k', 1)", '{"k":1}'),
    ("named_struct('a', 1, 'b', 'é')", '{"a":1,"b":"é"}'),
    ("7", "7"),
)


@pytest.fixture(scope="module")
def spark() -> Iterator[Spark]:
    with running_spark() as server:
        given = ", ".join(
            f"cast({value} as {type_})"
            for (value, _), (type_, _) in zip(VALUES, COLUMNS.values(), strict=True)
        )
        columns = ", ".join(
            f"`{name.replace('`', '``')}` {type_}" for name, (type_, _) in COLUMNS.items()
        )
        server.execute(
            f"create table kinds ({columns}) using parquet",
            f"insert into kinds select {given}",
            "insert into kinds (id) values (2)",
            "create table Days (n int, day date, price decimal(9,2), word string) using parquet "
            "partitioned by (day)",
            "insert into days select id, id / 4, concat('w\\'', id), "
            "date_add(date'2024-01-01', int(id)) from range(10)",
            "create view seen as select n from days",
            "create database other",
            "create table other.t as select 1 as n",
        )
        yield server


def test_no_value_changes_on_the_way(warehouse, spark, tmp_path):
    run(plan(warehouse, spark.endpoint(), {"name": "kinds"}), tmp_path, {})
    found = warehouse.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where "
        "attrelid = 'demo_raw.kinds'::regclass and attnum > 0 and attname not like '\\_dlt%' "
        "order by attnum"
    )
    assert [type_ for _, type_ in found] == [type_ for _, type_ in COLUMNS.values()]
    texts = ", ".join(f'"{name}"::text' for name, _ in found)
    warehouse.execute("set time zone 'UTC'")
    full, empty = warehouse.execute(f"select {texts} from kinds order by id")
    assert full == tuple(text for _, text in VALUES)
    assert set(empty) == {"2", None}


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([{"column": "n", "op": "gte", "value": 8}], [8, 9]),
        ([{"column": "day", "op": "lt", "value": "2024-01-03"}], [0, 1]),
        ([{"column": "price", "op": "eq", "value": "0.50"}], [2]),
        ([{"column": "word", "op": "in", "value": ["w'3", "x\\' or 1=1 --"]}], [3]),
        ([{"column": "word", "op": "eq", "value": "' or '1'='1"}], []),
        ([{"column": "word", "op": "eq", "value": "\\' or 1=1 --"}], []),
    ],
)
def test_filters_are_compared_by_spark(warehouse, spark, tmp_path, filters, rows):
    run(plan(warehouse, spark.endpoint(), {"name": "days", "filters": filters}), tmp_path, {})
    assert [n for (n,) in warehouse.execute("select n from days order by n")] == rows


def test_a_cursor_goes_on_where_it_was(warehouse, spark, tmp_path):
    resource = {"name": "days", "cursor": {"column": "day"}}
    load = plan(warehouse, spark.endpoint(), resource)
    run(load, tmp_path / "one", {})
    spark.execute("insert into days select 10, 1, 'later', date'2024-02-01'")
    again = run(load, tmp_path / "two", {}, epoch=2)
    assert again.tables[0].loaded == 1
    assert warehouse.execute("select count(*), count(distinct n) from days") == [(11, 11)]


def test_databases_tables_and_columns_are_listed(spark):
    endpoint = spark.endpoint()
    page = SPARK.browse.tables(endpoint, {}, TableQuery())
    listed = {(table.source, table.kind.value) for table in page.tables}
    assert listed >= {("kinds", "table"), ("days", "table"), ("seen", "view"), ("other.t", "table")}
    columns = SPARK.browse.columns(endpoint, {}, "days")
    assert [(column.name, column.type) for column in columns] == [
        ("n", "int"),
        ("price", "decimal(9,2)"),
        ("word", "string"),
        ("day", "date"),
    ]
    assert [column.name for column in columns if column.cursor_candidate] == ["n", "day"]
    assert SPARK.browse.columns(endpoint, {}, "other.t")[0].name == "n"
    with pytest.raises(TerminalError, match="there is no table 'nope'"):
        SPARK.browse.columns(endpoint, {}, "nope")


def test_a_connection_says_what_is_wrong(spark):
    assert spark.test().message.startswith("connected to Spark ")
    refused = SPARK.test(spark.endpoint(database="nope"), {})
    assert refused.message.startswith("database: there is no database 'nope'")
    assert SPARK.test(spark.endpoint(port=1), {}).message.startswith("port: nothing listens")
    unresolved = SPARK.test(spark.endpoint(addresses=()), {})
    assert unresolved.message == "host: '127.0.0.1' was not looked up"
