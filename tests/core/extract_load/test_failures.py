"""What a failed load tells: where and what, and no value of a row, whoever's words they were."""

import duckdb
import psycopg
import psycopg2
import pymysql
import pytest
from dlt.common.schema.exceptions import CannotCoerceColumnException

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.failures import explained
from etlfabric_core.extract_load.plan import Endpoint

CANARY = "canary-4711"
ENDPOINT = Endpoint(connector="postgres", config={"host": "db.example", "port": 5432})
ERRORS = (
    CannotCoerceColumnException("demo", "people", "age", "text", "bigint", CANARY),
    duckdb.ConversionException(f"Could not convert string '{CANARY}' to INT32"),
    pymysql.err.DataError(1406, f"Data too long for column 'age': {CANARY}"),
    pymysql.err.IntegrityError(1062, f"Duplicate entry '{CANARY}' for key 'PRIMARY'"),
    ValueError(f"could not convert string to float: '{CANARY}'"),
)


@pytest.mark.feature("X12")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_words_of_libraries_that_repeat_a_value_are_not_passed_on(error: Exception) -> None:
    outer = RuntimeError("the load failed")
    outer.__cause__ = error
    told = explained(outer, ENDPOINT)
    assert isinstance(told, TerminalError)
    assert CANARY not in str(told.body())
    assert told.hint


@pytest.mark.feature("X12")
@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=lambda driver: driver.__name__)
@pytest.mark.parametrize(
    "statement",
    [
        f"select '{CANARY}'::integer",
        f"insert into pg_temp.people values ('{CANARY}'), ('{CANARY}')",
        f"insert into pg_temp.short values ('{CANARY}')",
        f"do $$ begin raise check_violation using detail = '{CANARY}'; end $$",
    ],
)
def test_what_postgresql_refuses_is_told_without_the_value(postgres, driver, statement) -> None:
    with driver.connect(postgres.url()) as connection, connection.cursor() as cursor:
        cursor.execute("create temporary table people (name text primary key)")
        cursor.execute("create temporary table short (name varchar(3))")
        with pytest.raises(driver.Error) as caught:
            cursor.execute(statement)
        connection.rollback()
    told = explained(caught.value, ENDPOINT)
    assert CANARY not in str(told.body())
    assert caught.value.diag.sqlstate in told.message


@pytest.mark.feature("X12")
def test_a_column_whose_type_does_not_hold_a_value_is_named() -> None:
    told = explained(ERRORS[0], ENDPOINT)
    assert "table 'people', column 'age'" in told.message
    assert "bigint" in told.message
