"""Loads into ClickHouse as Parquet files over HTTP; a dataset is a prefix of tables' names.

It has no transactions: what a load leaves behind when it is interrupted is taken out by the next.
"""

from typing import Any

from etlfabric_core.connectors.clickhouse import ClickhouseConfig, ClickhouseSecrets
from etlfabric_core.connectors.record import parse
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import PARQUET, SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds


def _factory() -> Any:
    from dlt.destinations import clickhouse

    return clickhouse


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from dlt.destinations.impl.clickhouse.configuration import ClickHouseCredentials

    config = parse(ClickhouseConfig, endpoint.config)
    made = ClickHouseCredentials()
    made.host, made.port, made.http_port = config.host, config.native_port, config.port
    made.database, made.username = config.database, config.user
    made.password = parse(ClickhouseSecrets, endpoint.secrets).password.get_secret_value()
    made.secure = 1 if config.tls else 0
    made.resolve()
    return {"credentials": made}


def _connecting(endpoint: Endpoint) -> type:
    from etlfabric_core.extract_load.destinations.clickhouse_connections import connections

    return connections(endpoint)


WRITING = SqlWriting(
    label="ClickHouse",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=38, years=(1900, 2299)),
    capabilities=PARQUET,
    driver=("clickhouse_driver", "clickhouse"),
    connecting=_connecting,
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
