"""SQL Server: a database as a source or a destination.

Its driver is an extra: `etlfabric[mssql]`.
"""

from typing import Any, Literal

from pydantic import Field, SecretStr

from etlfabric_core.connectors.loading import TABLES
from etlfabric_core.connectors.record import Connector, ConnectorModel, Direction, Proof, parse
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S, HOST_PATTERN, SqlSystem
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint


class MssqlConfig(ConnectorModel):
    """Where the database is."""

    host: str = Field(pattern=HOST_PATTERN, max_length=255, description="Host name or address.")
    port: int = Field(1433, ge=1, le=65535)
    database: str = Field(min_length=1, max_length=128)
    user: str = Field(
        min_length=1,
        max_length=128,
        description="SQL Server login; for Azure SQL user@server, since the name is not sent.",
    )
    schema_: str = Field(
        "dbo", alias="schema", min_length=1, max_length=128, description="Schema of tables."
    )
    encryption: Literal["off", "request", "require"] = Field(
        "require", description="TLS. The certificate's name is not checked by the driver."
    )


class MssqlSecrets(ConnectorModel):
    """How to sign in."""

    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "18456",
        "password: {host}:{port} refused user '{user}', its password, or database '{database}'",
        "check user, password and database, and that SQL Server logins are allowed",
        TerminalError,
    ),
    Refusal(
        "4060",
        "database: there is no database '{database}' at {host}:{port}, or '{user}' may not use it",
        "check the name of the database and the rights of the login",
        TerminalError,
    ),
    Refusal(
        "(20009,",
        "port: nothing listens at {host}:{port}",
        "check host and port, and that the server takes TCP connections",
        TransientError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "host: {host}:{port} cannot be reached, or does not agree on encryption",
    "check host, port and encryption, and that the server is running",
    TransientError,
)


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`. No field is part of a URL."""
    config = parse(MssqlConfig, endpoint.config)
    return {
        "url": "mssql+pymssql://",
        "connect_args": {
            "server": address,
            "port": str(config.port),
            "user": config.user,
            "password": parse(MssqlSecrets, endpoint.secrets).password.get_secret_value(),
            "database": config.database,
            "encryption": config.encryption,
            "tds_version": "7.4",
            "charset": "UTF-8",
            "login_timeout": CONNECT_TIMEOUT_S,
            "appname": "etlfabric",
        },
    }


SYSTEM = SqlSystem(
    label="SQL Server",
    config=MssqlConfig,
    driver="pymssql",
    extra="mssql",
    engine=engine,
    refusals=REFUSALS,
    otherwise=UNREACHABLE,
    version="select cast(serverproperty('ProductVersion') as varchar(64))",
    default_schema=lambda endpoint: parse(MssqlConfig, endpoint.config).schema_,
    cursor_types=("datetime", "smalldatetime", "date", "bigint", "int", "smallint"),
)

MSSQL = Connector(
    name="mssql",
    label="SQL Server",
    description="Tables and views of a Microsoft SQL Server or Azure SQL database.",
    directions=frozenset(Direction),
    config=MssqlConfig,
    secrets=MssqlSecrets,
    test=SYSTEM.test,
    browse=SYSTEM.browse(),
    endpoint_fields=("host", "port", "encryption"),
    extra=SYSTEM.extra,
    loading=TABLES,
    proof=Proof.CONTRACT,
)
