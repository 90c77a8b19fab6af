"""Amazon Redshift: a database as a source or a destination.

To read from it takes an extra: `etlfabric[redshift]`.
"""

from typing import Any, Literal

from pydantic import Field, SecretStr

from etlfabric_core.connectors import postgres
from etlfabric_core.connectors.loading import TABLES
from etlfabric_core.connectors.record import Connector, ConnectorModel, Direction, Proof, parse
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S, HOST_PATTERN, SqlSystem
from etlfabric_core.extract_load.plan import Endpoint


class RedshiftConfig(ConnectorModel):
    """Where the database is."""

    host: str = Field(
        pattern=HOST_PATTERN, max_length=255, description="Endpoint of the cluster or workgroup."
    )
    port: int = Field(5439, ge=1, le=65535)
    database: str = Field(min_length=1, max_length=127)
    user: str = Field(min_length=1, max_length=127)
    schema_: str = Field(
        "public", alias="schema", min_length=1, max_length=127, description="Schema of tables."
    )
    sslmode: Literal["require", "verify-ca", "verify-full"] = Field(
        "verify-full", description="Certificates are checked against Amazon's own authorities."
    )


class RedshiftSecrets(ConnectorModel):
    """How to sign in."""

    password: SecretStr = SecretStr("")


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`. No field is part of a URL."""
    config = parse(RedshiftConfig, endpoint.config)
    return {
        "url": "redshift+psycopg2://",
        "connect_args": {
            "host": config.host,  # for the certificate only
            "hostaddr": address,
            "port": config.port,
            "dbname": config.database,
            "user": config.user,
            "password": parse(RedshiftSecrets, endpoint.secrets).password.get_secret_value(),
            "sslmode": config.sslmode,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "etlfabric",
            **postgres.NOTHING_OF_OURS,
        },
    }


SYSTEM = SqlSystem(
    label="Redshift",
    config=RedshiftConfig,
    driver="sqlalchemy_redshift",
    extra="redshift",
    engine=engine,
    refusals=postgres.REFUSALS,
    otherwise=postgres.UNREACHABLE,
    version="select version()",
    default_schema=lambda endpoint: parse(RedshiftConfig, endpoint.config).schema_,
    cursor_types=("timestamp", "date", "bigint", "integer", "smallint"),
)

REDSHIFT = Connector(
    name="redshift",
    label="Amazon Redshift",
    description="Tables and views of a Redshift cluster or serverless workgroup.",
    directions=frozenset(Direction),
    config=RedshiftConfig,
    secrets=RedshiftSecrets,
    test=SYSTEM.test,
    browse=SYSTEM.browse(),
    endpoint_fields=("host", "port", "sslmode"),
    extra=SYSTEM.extra,
    loading=TABLES,
    proof=Proof.CONTRACT,
)
