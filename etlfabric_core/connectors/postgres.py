"""PostgreSQL: a database as a source or a destination."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr

from etlfabric_core import addresses
from etlfabric_core.connectors import postgres_catalog, postgres_rights
from etlfabric_core.connectors.loading import EVERYTHING
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
    TestResult,
    parse,
)
from etlfabric_core.connectors.refusal import Refusal, told
from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
# A server that vanished without a word is noticed within two minutes. One that only takes long to
# answer is not given up: its machine still acknowledges what it gets.
GIVES_UP = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "90000",
}
# What libpq would else take from the home of the user that runs it, and show to a tenant's host.
NOTHING_OF_OURS = {"passfile": "/dev/null", "gssencmode": "disable", "sslcertmode": "disable"}


class PostgresConfig(ConnectorModel):
    """Where the database is."""

    host: str = Field(
        pattern=r"^[A-Za-z0-9._:-]+$", max_length=255, description="Host name or address."
    )
    port: int = Field(5432, ge=1, le=65535)
    database: str = Field(min_length=1, max_length=63)
    user: str = Field(min_length=1, max_length=63)
    schema_: str = Field(
        "public", alias="schema", min_length=1, max_length=63, description="Schema of tables."
    )
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"


class PostgresSecrets(ConnectorModel):
    """How to sign in."""

    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "password authentication failed",
        "password: {host}:{port} refused the password of user '{user}'",
        "check user and password",
        TerminalError,
    ),
    Refusal(
        "no password supplied",
        "password: {host}:{port} asks for a password",
        "enter the password of the user",
        TerminalError,
    ),
    Refusal(
        'database "',
        "database: there is no database '{database}' at {host}:{port}",
        "check the name of the database",
        TerminalError,
    ),
    Refusal(
        'role "',
        "user: there is no user '{user}' at {host}:{port}",
        "check the user",
        TerminalError,
    ),
    Refusal(
        "connection refused",
        "port: nothing listens at {host}:{port}",
        "check host and port, and that the server is running",
        TransientError,
    ),
    Refusal(
        "timeout expired",
        "host: {host}:{port} did not answer",
        "check host and port, and that a firewall lets this machine in",
        TransientError,
    ),
    Refusal(
        "does not support ssl",
        "sslmode: {host}:{port} does not offer SSL",
        "choose sslmode 'prefer', or switch SSL on at the server",
        TerminalError,
    ),
    Refusal(
        "too many",
        "host: {host}:{port} has no free connection",
        "wait, or raise the connection limit of the server or the user",
        TransientError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "host: {host}:{port} cannot be reached",
    "check host and port, and that the server is running",
    TransientError,
)


@contextmanager
def connect(
    endpoint: Endpoint, *, application_name: str = "etlfabric"
) -> "Iterator[psycopg.Connection]":
    """A session at the endpoint, closed at the end.

    Raises:
        InvalidConfig: the endpoint's config is wrong, or its host was not looked up.
        TerminalError: the server refused (password, database, user).
        TransientError: the server was not reached.
    """
    import psycopg

    config = parse(PostgresConfig, endpoint.config)
    secrets = parse(PostgresSecrets, endpoint.secrets)
    try:
        connection = psycopg.connect(
            **location(endpoint),
            port=config.port,
            dbname=config.database,
            user=config.user,
            password=secrets.password.get_secret_value(),
            sslmode=config.sslmode,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application_name,
        )
    except psycopg.OperationalError as error:
        raise refusal(str(error), config) from None
    with closing(connection):
        yield connection


def location(endpoint: Endpoint) -> dict[str, Any]:
    """libpq's parameters for where to connect: the checked addresses, in this order.

    The host's name only serves to check the certificate.

    Raises:
        InvalidConfig: nobody looked the host up.
    """
    host = str(endpoint.config["host"])
    found = addresses.checked(host, endpoint.addresses)
    return {
        "host": ",".join(host for _ in found),
        "hostaddr": ",".join(found),
        **GIVES_UP,
        **NOTHING_OF_OURS,
    }


def refusal(words: str, config: PostgresConfig) -> FabricError:
    """The server's words as an error of ours, which never repeats a password or a DSN."""
    return told(words, REFUSALS, UNREACHABLE, config)


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Signs in, asks for the version and for the user's rights. A refusal is an answer."""
    started = time.monotonic()
    try:
        with connect(endpoint) as connection:
            row = connection.execute("select current_setting('server_version')").fetchone()
            latency = _milliseconds(started)
            config = parse(PostgresConfig, endpoint.config)
            missing = postgres_rights.missing(connection, config.schema_)
    except FabricError as error:
        return TestResult(False, error.message, _milliseconds(started), hint=error.hint)
    version = " ".join(row or ())
    return TestResult(True, f"connected to PostgreSQL {version}", latency, version, missing=missing)


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _schemas(endpoint: Endpoint, files: Files) -> tuple[str, ...]:
    with connect(endpoint) as connection:
        return postgres_catalog.schemas(connection)


def _tables(endpoint: Endpoint, files: Files, query: TableQuery) -> TablePage:
    default = parse(PostgresConfig, endpoint.config).schema_
    with connect(endpoint) as connection:
        return postgres_catalog.tables(connection, query, default_schema=default)


def _columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    default = parse(PostgresConfig, endpoint.config).schema_
    with connect(endpoint) as connection:
        return postgres_catalog.columns(connection, table, default_schema=default)


POSTGRES = Connector(
    name="postgres",
    label="PostgreSQL",
    description="Tables and views of a PostgreSQL database.",
    directions=frozenset({Direction.SOURCE, Direction.DESTINATION}),
    config=PostgresConfig,
    secrets=PostgresSecrets,
    test=test,
    browse=Browse(_schemas, _tables, _columns),
    endpoint_fields=("host", "port", "sslmode"),
    abilities=frozenset(Ability),
    loading=EVERYTHING,
)
