"""Readers of sources, one module per connector."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from etlfabric_core.connectors import github, stripe
from etlfabric_core.connectors import rest as rest_connector
from etlfabric_core.connectors.record import Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.extract_load.sources import (
    bigquery,
    clickhouse,
    csv,
    duckdb,
    google_sheets,
    json,
    mssql,
    mysql,
    parquet,
    postgres,
    redshift,
    rest,
    s3,
    snowflake,
    spark,
    sqlite,
)
from etlfabric_core.graph.configs import PipelineConfig, ResourceConfig


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

READERS: dict[str, OpenReader] = {
    "postgres": postgres.open_reader,
    "mysql": mysql.open_reader,
    "mssql": mssql.open_reader,
    "clickhouse": clickhouse.open_reader,
    "redshift": redshift.open_reader,
    "snowflake": snowflake.open_reader,
    "bigquery": bigquery.open_reader,
    "spark": spark.open_reader,
    "duckdb": duckdb.open_reader,
    "sqlite": sqlite.open_reader,
    "csv": csv.open_reader,
    "json": json.open_reader,
    "parquet": parquet.open_reader,
    "s3": s3.open_reader,
    "rest": rest.reader_of(rest_connector.api_of),
    "github": rest.reader_of(github.api_of),
    "stripe": rest.reader_of(stripe.api_of),
    "google_sheets": google_sheets.open_reader,
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
