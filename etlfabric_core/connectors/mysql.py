"""MySQL and MariaDB: a database as a source or a destination."""

import socket
import ssl
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import pymysql
import sqlalchemy
from pydantic import Field, SecretStr
from pymysql.converters import conversions

from etlfabric_core.connectors import mysql_catalog
from etlfabric_core.connectors.loading import TABLES_WITH_ROW_LOCKS
from etlfabric_core.connectors.pem import whole_pem
from etlfabric_core.connectors.record import (
    Ability,
    Browse,
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    Files,
    TablePage,
    TableQuery,
    parse,
)
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S, HOST_PATTERN, SqlSystem
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

READ_TIMEOUT_S = 600  # how long the server may think about the next row
# Text depends on nothing but the values; nothing is written, whatever a view calls; and the
# server waits for us while a batch is being written down.
SESSION = (
    "set session time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600, "
    "character_set_results = utf8mb4"
)
# A value that does not fit is an error. A transaction sees what others have committed, and locks
# only the rows that it means.
WRITING_SESSION = (
    "set session time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "character_set_results = utf8mb4"
)
SEES_COMMITTED = "set session transaction isolation level read committed"
READ_ONLY = "set session transaction read only"


class MysqlConfig(ConnectorModel):
    """Where the database is."""

    host: str = Field(pattern=HOST_PATTERN, max_length=255, description="Host name or address.")
    port: int = Field(3306, ge=1, le=65535)
    database: str = Field(min_length=1, max_length=64)
    user: str = Field(min_length=1, max_length=80)
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="verify-full also checks that the certificate is the host's."
    )
    ca_certificate: str | None = Field(
        None, max_length=100_000, description="PEM text; without it the public authorities count."
    )
    zero_dates: Literal["refuse", "null"] = Field(
        "refuse", description="What becomes of 0000-00-00: the load fails, or NULL is loaded."
    )


class MysqlSecrets(ConnectorModel):
    """How to sign in."""

    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "(1045,",
        "password: {host}:{port} refused the password of user '{user}'",
        "check user and password, and that the user may sign in from this machine",
        TerminalError,
    ),
    Refusal(
        "(1044,",
        "database: user '{user}' may not use database '{database}' at {host}:{port}",
        "grant SELECT on the database to the user",
        TerminalError,
    ),
    Refusal(
        "(1049,",
        "database: there is no database '{database}' at {host}:{port}",
        "check the name of the database",
        TerminalError,
    ),
    Refusal(
        "(1130,",
        "host: {host}:{port} does not let this machine in",
        "create the user for this machine's address too",
        TerminalError,
    ),
    Refusal(
        "(1040,",
        "host: {host}:{port} has no free connection",
        "wait, or raise max_connections of the server",
        TransientError,
    ),
    Refusal(
        "(1203,",
        "user: '{user}' has no free connection at {host}:{port}",
        "wait, or raise max_user_connections of the user",
        TransientError,
    ),
    Refusal(
        "ssl is required but",
        "sslmode: {host}:{port} does not offer SSL",
        "choose sslmode 'prefer', or switch SSL on at the server",
        TerminalError,
    ),
    Refusal(
        "secure_transport",
        "sslmode: {host}:{port} demands SSL",
        "choose sslmode 'require'",
        TerminalError,
    ),
    Refusal(
        "hostname mismatch",
        "host: the certificate of {host}:{port} is not for this name",
        "enter the host as its certificate names it",
        TerminalError,
    ),
    Refusal(
        "certificate verify failed",
        "ca_certificate: the certificate of {host}:{port} is not signed by a known authority",
        "enter the authority's certificate",
        TerminalError,
    ),
    Refusal(
        "does not contain a certificate",
        "ca_certificate: this is no certificate",
        "paste the PEM text, from BEGIN CERTIFICATE to END CERTIFICATE",
        TerminalError,
    ),
    Refusal(
        "connectionrefused",
        "port: nothing listens at {host}:{port}",
        "check host and port, and that the server is running",
        TransientError,
    ),
    Refusal(
        "timeout",
        "host: {host}:{port} did not answer",
        "check host and port, and that a firewall lets this machine in",
        TransientError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "host: {host}:{port} cannot be reached, or is no MySQL server",
    "check host and port, and that the server is running",
    TransientError,
)


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`: a session through a socket of ours to that address."""
    return {"url": "mysql+pymysql://", "creator": partial(_open, endpoint, address)}


class Session(pymysql.Connection):  # type: ignore[misc]
    """Does not read a result to its end before it closes."""

    def close(self) -> None:
        if self._result is not None:
            self._result.unbuffered_active = False
        super().close()


def writing_engine(endpoint: Endpoint) -> "sqlalchemy.Engine":
    """An engine whose sessions write, at the first checked address that answers.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `SqlSystem.connect`.
    """
    with SYSTEM.connect(endpoint):
        pass  # or it has told in our words why the server cannot be reached
    config = parse(MysqlConfig, endpoint.config)
    url = sqlalchemy.URL.create("mysql+pymysql", host=config.host, database=config.database)
    return sqlalchemy.create_engine(
        url, creator=partial(_open_to_write, endpoint), hide_parameters=True
    )


def _open_to_write(endpoint: Endpoint) -> Session:
    *others, last = endpoint.addresses
    for address in others:
        with suppress(OSError):
            return _open(endpoint, address, writes=True)
    return _open(endpoint, last, writes=True)


def _decimal(value: Decimal, mapping: Any = None) -> str:
    """In quotes: MySQL would read a number with an exponent as a double, and round it."""
    return f"'{value:f}'"


def _open(endpoint: Endpoint, address: str, *, writes: bool = False) -> Session:
    config = parse(MysqlConfig, endpoint.config)
    connection = Session(
        host=config.host,  # for the certificate only: the socket is connected already
        port=config.port,
        user=config.user,
        password=parse(MysqlSecrets, endpoint.secrets).password.get_secret_value(),
        database=config.database,
        charset="utf8mb4",
        local_infile=False,  # a server could ask for any file of this machine
        autocommit=not writes,
        read_timeout=READ_TIMEOUT_S,
        init_command=WRITING_SESSION if writes else SESSION,
        conv={**conversions, Decimal: _decimal},
        ssl=_context(config),
        ssl_disabled=config.sslmode == "disable",
        defer_connect=True,
    )
    connection.connect(socket.create_connection((address, config.port), CONNECT_TIMEOUT_S))
    connection.query(SEES_COMMITTED if writes else READ_ONLY)
    return connection


def _context(config: MysqlConfig) -> ssl.SSLContext | None:
    """How the certificate is checked; None leaves SSL to what the server offers."""
    if config.sslmode in ("disable", "prefer"):
        return None
    if config.sslmode == "require":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    authorities = whole_pem(config.ca_certificate) if config.ca_certificate else None
    context = ssl.create_default_context(cadata=authorities)
    context.check_hostname = config.sslmode == "verify-full"
    return context


SYSTEM = SqlSystem(
    label="MySQL",
    config=MysqlConfig,
    driver="pymysql",
    engine=engine,
    refusals=REFUSALS,
    otherwise=UNREACHABLE,
    version="select version()",
    default_schema=lambda endpoint: str(endpoint.config["database"]),
    cursor_types=mysql_catalog.CURSOR_TYPES,
    lost=(1053, 1205, 1213, 1317, 1927, 2006, 2013),
)


def _schemas(endpoint: Endpoint, files: Files) -> tuple[str, ...]:
    with SYSTEM.connect(endpoint) as connection:
        return mysql_catalog.schemas(connection)


def _tables(endpoint: Endpoint, files: Files, query: TableQuery) -> TablePage:
    with SYSTEM.connect(endpoint) as connection:
        default = SYSTEM.default_schema(endpoint)
        return mysql_catalog.tables(connection, query, default_schema=default)


def _columns(endpoint: Endpoint, files: Files, source: str) -> tuple[DiscoveredColumn, ...]:
    with SYSTEM.connect(endpoint) as connection:
        schema, name = mysql_catalog.locate(connection, source, SYSTEM.default_schema(endpoint))
        return mysql_catalog.describe(connection, schema, name)


MYSQL = Connector(
    name="mysql",
    label="MySQL / MariaDB",
    description="Tables and views of a MySQL or MariaDB database.",
    directions=frozenset(Direction),
    config=MysqlConfig,
    secrets=MysqlSecrets,
    test=SYSTEM.test,
    browse=Browse(_schemas, _tables, _columns),
    endpoint_fields=("host", "port", "sslmode", "ca_certificate"),
    abilities=frozenset(Ability),
    loading=TABLES_WITH_ROW_LOCKS,
)
