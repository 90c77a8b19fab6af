"""Readers of sources, one module per connector, which is imported when it is read from."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

from etlfabric_core.connectors.record import Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig


class Reader(Protocol):
    """An open source."""

    def names(self) -> list[str]:
        """All tables, for `full_database`."""

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The table that a resource reads.

        Raises:
            TerminalError: there is no such table.
        """


OpenReader = Callable[[Endpoint, Files, PipelineConfig], AbstractContextManager[Reader]]


def _module(name: str) -> OpenReader:
    def opened(endpoint: Endpoint, files: Files, config: PipelineConfig) -> Any:
        return import_module(f"{__name__}.{name}").open_reader(endpoint, files, config)

    return opened


def _api(name: str) -> OpenReader:
    def opened(endpoint: Endpoint, files: Files, config: PipelineConfig) -> Any:
        from etlfabric_core.extract_load.sources.rest import reader_of

        api_of = import_module(f"etlfabric_core.connectors.{name}").api_of
        return reader_of(api_of)(endpoint, files, config)

    return opened


MODULES = (
    *("postgres", "mysql", "mssql", "clickhouse", "redshift", "snowflake", "bigquery", "spark"),
    *("sqlite", "duckdb", "csv", "json", "parquet", "s3", "google_sheets"),
)
APIS = ("rest", "github", "stripe")
READERS: dict[str, OpenReader] = {
    **{name: _module(name) for name in MODULES},
    **{name: _api(name) for name in APIS},
}


def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> AbstractContextManager[Reader]:
    """The reader of a source connection.

    Raises:
        TerminalError: the connector cannot be a source.
    """
    if endpoint.connector not in READERS:
        raise TerminalError(
            f"connector '{endpoint.connector}' cannot be a source",
            hint=f"choose a connection of: {', '.join(READERS)}",
        )
    return READERS[endpoint.connector](endpoint, files, config)
