"""Loads into MySQL and MariaDB: a dataset is a database of the server.

Every transaction holds the row that says who writes until it commits, so that a newer try waits
for it and an older one fails. Texts are compared by their bytes, whatever the server's collation;
times with a zone are kept in UTC, booleans are 0 and 1, and NaN and infinity are refused.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors.mysql import writing_engine
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import PARQUET, Hint, SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

if TYPE_CHECKING:
    import pyarrow

MOST_ROWS = 5000  # in one statement
INDEX = "etlfabric_key"
FIND_INDEX = (
    "select count(*) from information_schema.statistics "
    "where table_schema = %s and table_name = %s and index_name = %s"
)


def _factory() -> Any:
    from dlt.destinations import sqlalchemy

    return sqlalchemy


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from etlfabric_core.extract_load.destinations.mysql_types import LosslessTypeMapper

    engine = writing_engine(endpoint)
    with engine.connect():
        pass  # so that the dialect knows whether it is MariaDB's
    return {"credentials": engine, "type_mapper": LosslessTypeMapper}


def _indexed(sql: Any, table: str, keys: Sequence[Hint]) -> None:
    """Otherwise the server would look through all staged rows for each row of the table."""
    columns = ", ".join(
        sql.escape_column_name(key["name"])
        + ("(100)" if key["data_type"] in ("text", "binary") else "")
        for key in keys
    )
    name = sql.make_qualified_table_name(table)
    if sql.execute_sql(FIND_INDEX, sql.dataset_name, table, INDEX)[0][0]:
        sql.execute_sql(f"drop index {INDEX} on {name}")
    sql.execute_sql(f"create index {INDEX} on {name} ({columns})")


def _inserted(sql: Any, table: str, rows: "pyarrow.Table") -> None:
    """The driver puts many rows into one statement."""
    import sqlalchemy

    places = ", ".join(f":{name}" for name in rows.column_names)
    names = ", ".join(rows.column_names)
    statement = sqlalchemy.text(f"insert into {table} ({names}) values ({places})")  # noqa: S608
    for batch in rows.to_batches(max_chunksize=MOST_ROWS):
        sql.native_connection.execute(statement, batch.to_pylist())


WRITING = SqlWriting(
    label="MySQL",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=65, booleans=False, zones=False, infinity=False, years=(1000, 9999)),
    capabilities={
        **PARQUET,
        "max_rows_per_insert": MOST_ROWS,
    },
    row_lock=" lock in share mode",
    indexed=_indexed,
    inserted=_inserted,
    time_type="datetime(6)",
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
