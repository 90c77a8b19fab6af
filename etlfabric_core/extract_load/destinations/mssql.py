"""Loads into SQL Server: a dataset is a schema of the database.

Times keep their microseconds and zones. Blanks at the end of a text count in no comparison there,
so a merge by a key of text is refused.
"""

from functools import partial
from typing import Any

from etlfabric_core.connectors.mssql import SYSTEM, MssqlConfig, engine
from etlfabric_core.connectors.record import parse
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import PARQUET, SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds


def _factory() -> Any:
    from dlt.destinations import sqlalchemy

    return sqlalchemy


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    import sqlalchemy

    from etlfabric_core.extract_load.destinations.mssql_types import LosslessTypeMapper

    config = parse(MssqlConfig, endpoint.config)
    # The names say where it is; connections go to the checked addresses alone.
    url = sqlalchemy.URL.create("mssql+pymssql", host=config.host, database=config.database)
    made = sqlalchemy.create_engine(url, creator=partial(_open, endpoint), hide_parameters=True)
    return {"credentials": made, "type_mapper": LosslessTypeMapper}


def _open(endpoint: Endpoint) -> Any:
    """A session at the first address that answers."""
    import pymssql

    *others, last = SYSTEM.addresses(endpoint)
    for address in others:
        try:
            return pymssql.connect(**engine(endpoint, address)["connect_args"])
        except pymssql.OperationalError:
            continue
    return pymssql.connect(**engine(endpoint, last)["connect_args"])


WRITING = SqlWriting(
    label="SQL Server",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=38, infinity=False, years=(1, 9999)),
    capabilities={
        **PARQUET,
        "max_rows_per_insert": 1000,
    },
    folds_text=True,  # blanks at the end of a text do not count in any comparison
    driver=("pymssql", "mssql"),
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
