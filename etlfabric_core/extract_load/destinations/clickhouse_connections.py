"""Connections to ClickHouse's checked addresses; the host's name is for its certificate alone."""

from typing import Any

from etlfabric_core import addresses
from etlfabric_core.connectors.clickhouse import ClickhouseConfig
from etlfabric_core.connectors.record import parse
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S
from etlfabric_core.extract_load.plan import Endpoint

SETTINGS = {
    "allow_experimental_lightweight_delete": 1,
    "date_time_input_format": "best_effort",
    "select_sequential_consistency": 1,
    "session_timezone": "UTC",
}


def connections(endpoint: Endpoint) -> type:
    """What dlt's SQL client is given to open its connections with.

    Raises:
        InvalidConfig: nobody looked the host up.
    """
    config = parse(ClickhouseConfig, endpoint.config)
    first, *others = addresses.checked(config.host, endpoint.addresses)

    class Pinned:
        credentials: Any

        def open_connection(self) -> Any:
            """Over the native protocol, for statements."""
            from clickhouse_driver import connect

            self._conn = connect(
                host=first,
                alt_hosts=",".join(others) or None,
                port=config.native_port,
                server_hostname=config.host if config.tls else None,
                secure=config.tls,
                verify=True,
                user=config.user,
                password=self.credentials.password,
                database=config.database,
                connect_timeout=CONNECT_TIMEOUT_S,
                settings=SETTINGS,
            )
            return self._conn

        def insert_file(
            self, file_path: str, table_name: str, file_format: str, compression: str
        ) -> Any:
            """Over HTTP, for files."""
            from clickhouse_connect import create_client
            from clickhouse_connect.driver.tools import insert_file

            path = self.make_qualified_table_name_path(table_name, quote=False)  # type: ignore[attr-defined]
            with create_client(
                host=first,
                port=config.port,
                server_host_name=config.host if config.tls else None,
                secure=config.tls,
                username=config.user,
                password=self.credentials.password,
                database=config.database,
                connect_timeout=CONNECT_TIMEOUT_S,
            ) as client:
                return insert_file(
                    client,
                    path[1],
                    file_path,
                    fmt=file_format,
                    database=path[0],
                    settings=SETTINGS,
                    compression=compression,
                )

    return Pinned
