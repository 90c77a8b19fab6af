"""The registry of connectors: what organizations can connect to, as data.

A connector's module is imported when it is asked for: a probe asks for one, and the drivers of all
the others would be most of the time it takes.
"""

from collections import UserDict
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from etlfabric_core.connectors.record import Connector
from etlfabric_core.errors import InvalidConfig

NOT_IMPORTED: Any = None


class Registry(UserDict[str, Connector]):
    """Connectors by their names, in order; each is the constant of its module that is named so."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.data = dict.fromkeys(names, NOT_IMPORTED)

    def __getitem__(self, name: str) -> Connector:
        if self.data[name] is NOT_IMPORTED:
            self.data[name] = getattr(import_module(f"{__name__}.{name}"), name.upper())
        return self.data[name]


CONNECTORS = Registry(
    (
        *("postgres", "mysql", "mssql", "clickhouse", "redshift", "snowflake", "bigquery", "spark"),
        *("sqlite", "duckdb", "csv", "json", "parquet", "s3"),
        *("rest", "github", "stripe", "google_sheets"),
    )
)


def get_connector(name: str) -> Connector:
    """The connector of that name.

    Raises:
        InvalidConfig: there is none; the message lists those that exist.
    """
    if name not in CONNECTORS:
        raise InvalidConfig(f"unknown connector '{name}'", hint=f"one of: {', '.join(CONNECTORS)}")
    return CONNECTORS[name]
