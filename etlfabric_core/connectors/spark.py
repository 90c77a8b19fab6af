"""Spark: tables behind a Thrift server, as a source. Its driver is an extra: `etlfabric[spark]`."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    TableKind,
    parse,
)
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import (
    HOST_PATTERN,
    SqlSystem,
    discovered,
    no_table,
)
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    from thrift.transport.TSocket import TSocket

OPEN_TIMEOUT_S = 25  # a server that has been idle opens its first session slowly
READ_TIMEOUT_S = 600  # a query that sorts or aggregates says nothing for long
CURSOR_TYPES = ("timestamp", "date", "bigint", "int", "smallint", "tinyint")


class SparkConfig(ConnectorModel):
    """Where the Thrift server is."""

    host: str = Field(pattern=HOST_PATTERN, max_length=255, description="Host name or address.")
    port: int = Field(10000, ge=1, le=65535)
    user: str = Field("etlfabric", min_length=1, max_length=255)
    database: str = Field(
        "default", pattern=r"^[A-Za-z0-9_]+$", max_length=255, description="Schema of tables."
    )
    tls: bool = Field(False, description="The certificate is checked.")


class SparkSecrets(ConnectorModel):
    """How to sign in. A server that asks for no password takes any."""

    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "bad status: 3",
        "password: {host}:{port} refused the password of user '{user}'",
        "check user and password",
        TerminalError,
    ),
    Refusal(
        "schema_not_found",
        "database: there is no database '{database}' at {host}:{port}",
        "check the name of the database",
        TerminalError,
    ),
    Refusal(
        "certificate verify failed",
        "tls: the certificate of {host}:{port} is not trusted",
        "give the server a certificate of a known authority, for this name",
        TerminalError,
    ),
    Refusal(
        "could not connect",
        "port: nothing listens at {host}:{port}",
        "check host and port, and that the Thrift server is running",
        TransientError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "host: {host}:{port} cannot be reached, or is no Spark Thrift server",
    "check host, port and tls, and that the server speaks binary Thrift, not HTTP",
    TransientError,
)


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`. No field is part of a URL."""
    config = parse(SparkConfig, endpoint.config)

    def connected() -> Any:
        from pyhive import hive
        from thrift.Thrift import TException

        socket = _socket(config, address)
        socket.setTimeout(OPEN_TIMEOUT_S * 1000)
        signing = _signing(endpoint, config, socket)
        try:
            connection = hive.connect(
                thrift_transport=signing, username=config.user, database=config.database
            )
        except TException as error:  # no error of the driver, so SQLAlchemy does not know it
            raise ConnectionError(str(error)) from None
        socket.setTimeout(READ_TIMEOUT_S * 1000)
        return connection

    return {"url": "hive://", "creator": connected}


def _socket(config: SparkConfig, address: str) -> "TSocket":
    """The way to one address. The host's name only serves to check the certificate."""
    from thrift.transport.TSocket import TSocket
    from thrift.transport.TSSLSocket import TSSLSocket

    if not config.tls:
        return TSocket(address, config.port)
    checked = {"ssl_context": ssl.create_default_context(), "server_hostname": config.host}
    return TSSLSocket(address, config.port, **checked)


def _signing(endpoint: Endpoint, config: SparkConfig, socket: "TSocket") -> Any:
    """What signs in before anything else is said."""
    from pyhive.sasl_compat import PureSASLClient
    from thrift_sasl import TSaslClientTransport

    # A server that asks for no password refuses an empty one.
    password = parse(SparkSecrets, endpoint.secrets).password.get_secret_value() or "none"

    def client() -> PureSASLClient:
        return PureSASLClient(
            config.host, mechanism="PLAIN", username=config.user, password=password
        )

    return TSaslClientTransport(client, "PLAIN", socket)


SYSTEM = SqlSystem(
    label="Spark",
    config=SparkConfig,
    driver="pyhive",
    extra="spark",
    engine=engine,
    refusals=REFUSALS,
    otherwise=UNREACHABLE,
    version="select version()",
    default_schema=lambda endpoint: parse(SparkConfig, endpoint.config).database,
    cursor_types=CURSOR_TYPES,
    lost=(),  # the driver's errors are what the server says
)


@contextmanager
def connect(endpoint: Endpoint) -> Iterator[Connection]:
    """A session at the Thrift server.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `SqlSystem.connect`.
    """
    with SYSTEM.connect(endpoint) as connection:
        from thrift.Thrift import TException

        names = connection.dialect.identifier_preparer
        names.escape_quote, names.escape_to_quote = "`", "``"  # PyHive leaves it at '"'
        try:
            yield connection
        except (TException, OSError) as error:
            raise TransientError(
                f"Spark: reading broke off ({type(error).__name__})",
                hint="check that the Thrift server is up; the next try begins anew",
            ) from None


def quoted(*names: str) -> str:
    """A name of Spark, however it is written."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def asked(connection: Connection, query: str) -> Sequence[Sequence[Any]]:
    """All rows of a small answer. Nothing in `query` is a parameter."""
    return connection.exec_driver_sql(query.replace("%", "%%")).fetchall()


def tables_of(connection: Connection, database: str) -> list[str]:
    """The names of its tables and views."""
    return [str(row[1]) for row in asked(connection, f"show tables in {quoted(database)}")]


def list_tables(endpoint: Endpoint, files: Files) -> Iterator[DiscoveredTable]:
    """Tables and views of every database; outside the connection's own as `database.table`.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `connect`.
    """
    default = parse(SparkConfig, endpoint.config).database
    with connect(endpoint) as connection:
        for (database,) in asked(connection, "show databases"):
            views = {row[1] for row in asked(connection, f"show views in {quoted(database)}")}
            for name in tables_of(connection, database):
                kind = TableKind.VIEW if name in views else TableKind.TABLE
                source = name if database == default else f"{database}.{name}"
                yield DiscoveredTable(database, name, source, kind)


def list_columns(endpoint: Endpoint, files: Files, source: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one table or view.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `connect` and `located`.
    """
    default = parse(SparkConfig, endpoint.config).database
    with connect(endpoint) as connection:
        return located(connection, source, default)[2]


def located(
    connection: Connection, source: str, default: str
) -> tuple[str, str, tuple[DiscoveredColumn, ...]]:
    """Database, name and columns of the table that a resource's `source` names.

    Raises:
        TerminalError: there is none that the user of the connection may read.
    """
    database, _, name = source.partition(".")
    for place in ((default, source), (database, name)):
        try:
            found = asked(connection, f"describe table {quoted(*place)}") if all(place) else ()
        except DBAPIError:
            continue
        # Behind the columns follow, after a line without a type, those of the partitions once more.
        types = [str(row[1] or "") for row in found]
        end = types.index("") if "" in types else len(types)
        if end:
            return (*place, tuple(_column(row[0], row[1]) for row in found[:end]))
    raise no_table(source)


def _column(name: str, type_: str) -> DiscoveredColumn:
    """Spark promises of no column that it is never empty; the load refuses an empty cursor."""
    return discovered(name, type_.lower(), False, False, CURSOR_TYPES)


SPARK = Connector(
    name="spark",
    label="Apache Spark",
    description="Tables and views behind a Spark Thrift server.",
    directions=frozenset({Direction.SOURCE}),
    config=SparkConfig,
    secrets=SparkSecrets,
    test=SYSTEM.test,
    browse=whole_list(list_tables, list_columns),
    endpoint_fields=("host", "port", "tls"),
    extra=SYSTEM.extra,
)
