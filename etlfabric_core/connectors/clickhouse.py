"""ClickHouse: a database as a source, over its HTTP interface, without a driver; or a destination.

To load into it takes an extra: `etlfabric[clickhouse]`.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import httpx
from pydantic import Field, SecretStr

from etlfabric_core import addresses
from etlfabric_core.connectors import loading
from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    Proof,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.connectors.refusal import Refusal, told
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S, HOST_PATTERN, discovered, no_table
from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

READ_TIMEOUT_S = 600  # how long the server may think about the next rows
CURSOR_TYPES = ("DateTime", "Date", "Int64", "Int32", "Int16", "UInt64", "UInt32", "UInt16")


class ClickhouseConfig(ConnectorModel):
    """Where the database is."""

    host: str = Field(pattern=HOST_PATTERN, max_length=255, description="Host name or address.")
    port: int = Field(8443, ge=1, le=65535, description="Of HTTP: 8443 with TLS, 8123 without.")
    database: str = Field("default", min_length=1, max_length=255)
    user: str = Field("default", min_length=1, max_length=255, pattern=r"^[^:]+$")
    native_port: int = Field(
        9440, ge=1, le=65535, description="For loads into it: 9440 with TLS, 9000 without."
    )
    tls: bool = Field(True, description="Encrypt, and check that the certificate is the host's.")


class ClickhouseSecrets(ConnectorModel):
    """How to sign in."""

    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "code: 516",
        "password: {host}:{port} refused user '{user}' or its password",
        "check user and password",
        TerminalError,
    ),
    Refusal(
        "code: 81.",
        "database: there is no database '{database}' at {host}:{port}",
        "check the name of the database",
        TerminalError,
    ),
    Refusal(
        "code: 497",
        "user: '{user}' may not read this at {host}:{port}",
        "grant SELECT on the tables, and on system.tables and system.columns",
        TerminalError,
    ),
    Refusal(
        "code: 202",
        "host: {host}:{port} runs too many queries already",
        "wait, or raise max_concurrent_queries of the server",
        TransientError,
    ),
    Refusal(
        "code: ",
        "database: {host}:{port} refused the query",
        "check that the user may read every column of the table",
        TerminalError,
    ),
    Refusal(
        "certificate verify failed",
        "tls: the certificate of {host}:{port} is not the host's, or of no known authority",
        "enter the host as its certificate names it",
        TerminalError,
    ),
    Refusal(
        "connection refused",
        "port: nothing listens at {host}:{port}",
        "check host and port, and that the server is running",
        TransientError,
    ),
    Refusal(
        "timed out",
        "host: {host}:{port} did not answer",
        "check host and port, and that a firewall lets this machine in",
        TransientError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "host: {host}:{port} cannot be reached, or is no ClickHouse server",
    "check host, port and tls, and that the server is running",
    TransientError,
)
TABLES = """
select database, name, engine, total_rows from system.tables
where database not in ('system', 'INFORMATION_SCHEMA', 'information_schema') and not is_temporary
"""
COLUMNS = """
select name, type, is_in_primary_key from system.columns
where database = {database:String} and table = {name:String} order by position
"""


@contextmanager
def answer(
    endpoint: Endpoint, query: str, values: Mapping[str, str] | None = None, form: str = "JSON"
) -> Iterator[httpx.Response]:
    """The answer to a query, still on its way. `values` are those of `{name:Type}` in the query.

    Raises:
        InvalidConfig: the config is wrong, or nobody looked the host up.
        TerminalError, TransientError: the server refused, or was not reached.
    """
    config = parse(ClickhouseConfig, endpoint.config)
    addresses.checked(config.host, endpoint.addresses)
    # No redirect is followed, and nothing of the environment is used.
    verify = ssl.create_default_context() if config.tls else False
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(verify=verify, timeout=timeout, trust_env=False) as client:
        try:
            response = _sent(client, endpoint, config, query, values or {}, form)
        except httpx.HTTPError as error:
            raise told(str(error), REFUSALS, UNREACHABLE, config) from None
        with closing(response):
            yield response


def _sent(
    client: httpx.Client,
    endpoint: Endpoint,
    config: ClickhouseConfig,
    query: str,
    values: Mapping[str, str],
    form: str,
) -> httpx.Response:
    """The answer of the first address that can be connected to."""
    secrets = parse(ClickhouseSecrets, endpoint.secrets)
    signed = httpx.BasicAuth(config.user, secrets.password.get_secret_value())
    parameters = {"database": config.database, "default_format": form}
    *others, last = endpoint.addresses
    for address in (*others, last):
        request = client.build_request(
            "POST",
            httpx.URL(scheme="https" if config.tls else "http", host=address, port=config.port),
            params={**parameters, **{f"param_{name}": _escaped(v) for name, v in values.items()}},
            headers={"Host": f"{config.host}:{config.port}"},
            content=query.encode(),
            extensions={"sni_hostname": config.host},
        )
        try:
            response = client.send(request, auth=signed, stream=True)
            break
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if address == last:
                raise
    if response.status_code != httpx.codes.OK:
        words = next(response.iter_text(4096), "")
        response.close()
        raise told(words, REFUSALS, UNREACHABLE, config)
    return response


def _escaped(value: str) -> str:
    """A parameter as ClickHouse reads it: with the escapes of its tab-separated form."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def rows(
    endpoint: Endpoint, query: str, values: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """All rows of a small answer.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answer`; TransientError also when what
            answers is no ClickHouse server.
    """
    with answer(endpoint, query, values) as response:
        try:
            found: list[dict[str, Any]] = _json(response)["data"]
        except (ValueError, KeyError, TypeError, httpx.HTTPError):
            raise told("", (), UNREACHABLE, parse(ClickhouseConfig, endpoint.config)) from None
    return found


def _json(response: httpx.Response) -> Any:
    response.read()
    return response.json()


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Signs in and asks for the version. A refusal is an answer, not an exception."""
    started = time.monotonic()
    try:
        (row,) = rows(endpoint, "select version() as version")
    except FabricError as error:
        return TestResult(False, error.message, _milliseconds(started), hint=error.hint)
    version = str(row["version"])
    return TestResult(True, f"connected to ClickHouse {version}", _milliseconds(started), version)


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """Tables and views; those of other databases as `database.table`.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answer`.
    """
    default = parse(ClickhouseConfig, endpoint.config).database
    return [
        DiscoveredTable(
            row["database"],
            row["name"],
            row["name"] if row["database"] == default else f"{row['database']}.{row['name']}",
            TableKind.VIEW if row["engine"].endswith("View") else TableKind.TABLE,
            None if row["total_rows"] is None else int(row["total_rows"]),
        )
        for row in rows(endpoint, TABLES)
    ]


def list_columns(endpoint: Endpoint, files: Files, source: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one table or view.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answer`, or there is no such table.
    """
    return located(endpoint, source, parse(ClickhouseConfig, endpoint.config).database)[2]


def located(
    endpoint: Endpoint, source: str, default: str
) -> tuple[str, str, tuple[DiscoveredColumn, ...]]:
    """Database, name and columns of the table that a resource's `source` names.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answer`, or there is no such table.
    """
    database, _, name = source.partition(".")
    for place in ((default, source), (database, name)):
        if found := rows(endpoint, COLUMNS, {"database": place[0], "name": place[1]}):
            return (*place, tuple(map(_column, found)))
    raise no_table(source)


def _column(row: Mapping[str, Any]) -> DiscoveredColumn:
    type_ = unwrapped(row["type"])
    nullable = row["type"].removeprefix("LowCardinality(").startswith("Nullable(")
    return discovered(row["name"], type_, nullable, bool(row["is_in_primary_key"]), CURSOR_TYPES)


def unwrapped(type_: str) -> str:
    """A type without what says how it is stored, or that it can be empty."""
    for wrapper in ("LowCardinality(", "Nullable("):
        if type_.startswith(wrapper):
            type_ = type_.removeprefix(wrapper)[:-1]
    return type_


CLICKHOUSE = Connector(
    name="clickhouse",
    label="ClickHouse",
    description="Tables and views of a ClickHouse server or ClickHouse Cloud service.",
    directions=frozenset(Direction),
    config=ClickhouseConfig,
    secrets=ClickhouseSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    endpoint_fields=("host", "port", "native_port", "tls"),
    loading=loading.TABLES_BY_PREFIX,
    proof=Proof.CONTRACT,
)
