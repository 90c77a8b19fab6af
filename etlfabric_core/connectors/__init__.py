"""The registry of connectors: what organizations can connect to, as data."""

from etlfabric_core.connectors.bigquery import BIGQUERY
from etlfabric_core.connectors.clickhouse import CLICKHOUSE
from etlfabric_core.connectors.csv import CSV
from etlfabric_core.connectors.duckdb import DUCKDB
from etlfabric_core.connectors.github import GITHUB
from etlfabric_core.connectors.google_sheets import GOOGLE_SHEETS
from etlfabric_core.connectors.json import JSON
from etlfabric_core.connectors.mssql import MSSQL
from etlfabric_core.connectors.mysql import MYSQL
from etlfabric_core.connectors.parquet import PARQUET
from etlfabric_core.connectors.postgres import POSTGRES
from etlfabric_core.connectors.record import Connector
from etlfabric_core.connectors.redshift import REDSHIFT
from etlfabric_core.connectors.rest import REST
from etlfabric_core.connectors.s3 import S3
from etlfabric_core.connectors.snowflake import SNOWFLAKE
from etlfabric_core.connectors.spark import SPARK
from etlfabric_core.connectors.sqlite import SQLITE
from etlfabric_core.connectors.stripe import STRIPE
from etlfabric_core.errors import InvalidConfig

CONNECTORS: dict[str, Connector] = {
    connector.name: connector
    for connector in (
        *(POSTGRES, MYSQL, MSSQL, CLICKHOUSE, REDSHIFT, SNOWFLAKE, BIGQUERY, SPARK),
        *(SQLITE, DUCKDB, CSV, JSON, PARQUET, S3),
        *(REST, GITHUB, STRIPE, GOOGLE_SHEETS),
    )
}


def get_connector(name: str) -> Connector:
    """The connector of that name.

    Raises:
        InvalidConfig: there is none; the message lists those that exist.
    """
    if name not in CONNECTORS:
        raise InvalidConfig(f"unknown connector '{name}'", hint=f"one of: {', '.join(CONNECTORS)}")
    return CONNECTORS[name]
