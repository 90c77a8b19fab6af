"""PostgreSQL: a database as a source or a destination."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr

from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredResource,
    Files,
    TestResult,
    parse,
)
from etlfabric_core.errors import FabricError, InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 10
# What libpq would else take from the home of the user that runs it, and show to a tenant's host.
NOTHING_OF_OURS = {"passfile": "/dev/null", "gssencmode": "disable", "sslcertmode": "disable"}
CURSOR_TYPES = ("timestamp", "date", "bigint", "integer", "smallint")


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


@dataclass(frozen=True)
class Refusal:
    """How a server's refusal is told: a part of its words, what we say, what to do, who errs."""

    words: str
    message: str
    hint: str
    error: type[FabricError]


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
    host, addresses = str(endpoint.config["host"]), endpoint.addresses
    if not addresses:
        raise InvalidConfig(
            f"host: '{host}' was not looked up", hint="connections go to checked addresses only"
        )
    return {
        "host": ",".join(host for _ in addresses),
        "hostaddr": ",".join(addresses),
        **NOTHING_OF_OURS,
    }


def refusal(words: str, config: PostgresConfig) -> FabricError:
    """The server's words as an error of ours, which never repeats a password or a DSN."""
    known = (entry for entry in REFUSALS if entry.words in words.lower())
    entry = next(known, UNREACHABLE)
    return entry.error(entry.message.format(**config.model_dump()), hint=entry.hint)


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Signs in and asks for the version. A refusal is an answer, not an exception."""
    started = time.monotonic()
    try:
        with connect(endpoint) as connection, connection.cursor() as cursor:
            cursor.execute("select current_setting('server_version')")
            version = " ".join(str(value) for value in cursor.fetchone() or ())
    except FabricError as error:
        return TestResult(False, error.message, _milliseconds(started), hint=error.hint)
    return TestResult(True, f"connected to PostgreSQL {version}", _milliseconds(started), version)


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


COLUMNS = """
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       not a.attnotnull, coalesce(a.attnum = any (i.indkey), false), c.reltuples::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_table_privilege(c.oid, 'select')
  and (%(schema)s::text is null or n.nspname = %(schema)s)
  and (%(table)s::text is null or c.relname = %(table)s)
  and (%(views)s or c.relkind in ('r', 'p'))
order by n.nspname, c.relname, a.attnum
"""


def discover(endpoint: Endpoint, files: Files) -> tuple[DiscoveredResource, ...]:
    """Every table and view that the user may read; those of other schemas as `schema.table`.

    Raises:
        TerminalError, TransientError: as `connect`.
    """
    default = parse(PostgresConfig, endpoint.config).schema_
    with connect(endpoint) as connection:
        return describe(connection, default_schema=default)


def describe(
    connection: "psycopg.Connection",
    *,
    default_schema: str,
    schema: str | None = None,
    table: str | None = None,
    views: bool = True,
) -> tuple[DiscoveredResource, ...]:
    """The readable tables of a session, or one schema's, or one of them."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, {"schema": schema, "table": table, "views": views})
        rows = cursor.fetchall()
    columns: dict[str, list[DiscoveredColumn]] = {}
    estimates: dict[str, int | None] = {}
    for namespace, relation, name, type_, nullable, in_key, estimate in rows:
        resource = relation if namespace == default_schema else f"{namespace}.{relation}"
        columns.setdefault(resource, []).append(_column(name, type_, nullable, in_key))
        estimates[resource] = int(estimate) if estimate >= 0 else None
    return tuple(
        DiscoveredResource(name, tuple(found), estimates[name]) for name, found in columns.items()
    )


def _column(name: str, type_: str, nullable: bool, in_key: bool) -> DiscoveredColumn:
    why_not = None
    if not type_.startswith(CURSOR_TYPES):
        why_not = f"{type_} does not grow from row to row"
    elif nullable:
        why_not = "it can be empty; such rows would never be loaded"
    return DiscoveredColumn(name, type_, nullable, in_key, why_not is None, why_not)


POSTGRES = Connector(
    name="postgres",
    label="PostgreSQL",
    description="Tables and views of a PostgreSQL database.",
    directions=frozenset({Direction.SOURCE, Direction.DESTINATION}),
    config=PostgresConfig,
    secrets=PostgresSecrets,
    test=test,
    discover=discover,
    endpoint_fields=("host", "port", "sslmode"),
)
