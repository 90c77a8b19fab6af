"""Snowflake: a database as a source or a destination.

Its driver is an extra: `etlfabric[snowflake]`.
The host is always one of Snowflake's own: an account's name cannot lead anywhere else.
"""

from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import Field, SecretStr

from etlfabric_core.connectors.loading import TABLES
from etlfabric_core.connectors.pem import whole_pem
from etlfabric_core.connectors.record import Connector, ConnectorModel, Direction, Proof, parse
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import CONNECT_TIMEOUT_S, SqlSystem
from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

SUFFIX = ".snowflakecomputing.com"


class SnowflakeConfig(ConnectorModel):
    """Which account, and where in it."""

    account: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*){0,3}$",
        max_length=200,
        description="Account identifier, such as myorg-myaccount or xy12345.eu-central-1.",
    )
    user: str = Field(min_length=1, max_length=255)
    database: str = Field(min_length=1, max_length=255)
    schema_: str = Field(
        "public", alias="schema", min_length=1, max_length=255, description="Schema of tables."
    )
    warehouse: str = Field(
        min_length=1, max_length=255, description="The warehouse that runs the queries."
    )
    role: str | None = Field(None, max_length=255, description="Default: the user's own.")


class SnowflakeSecrets(ConnectorModel):
    """How to sign in: by a key pair, or by a password where the account still allows it."""

    private_key: SecretStr = Field(SecretStr(""), description="Unencrypted PEM text (PKCS 8).")
    password: SecretStr = SecretStr("")


REFUSALS = (
    Refusal(
        "incorrect username or password",
        "user: account '{account}' refused user '{user}'",
        "check user, and the private key or password",
        TerminalError,
    ),
    Refusal(
        "jwt token is invalid",
        "private_key: account '{account}' does not know the key of user '{user}'",
        "set the public key: alter user … set rsa_public_key",
        TerminalError,
    ),
    Refusal(
        "404 not found",
        "account: there is no account '{account}'",
        "copy the account identifier from Snowflake",
        TerminalError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "account: Snowflake account '{account}' cannot be reached",
    "check the account identifier, and that this machine may reach Snowflake",
    TransientError,
)


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`. No field is part of a URL.

    Raises:
        InvalidConfig: the private key is none.
    """
    config = parse(SnowflakeConfig, endpoint.config)
    return {
        "url": "snowflake://",
        "connect_args": {
            "account": config.account,
            "host": config.account + SUFFIX,
            "user": config.user,
            "database": config.database,
            "schema": config.schema_,
            "warehouse": config.warehouse,
            **({"role": config.role} if config.role else {}),
            **proof(parse(SnowflakeSecrets, endpoint.secrets)),
            "login_timeout": CONNECT_TIMEOUT_S,
            "session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "etlfabric"},
        },
    }


def proof(secrets: SnowflakeSecrets) -> dict[str, Any]:
    """What the driver is shown: the private key in DER, or the password.

    Raises:
        InvalidConfig: the private key is none.
    """
    if pem := secrets.private_key.get_secret_value():
        try:
            key = load_pem_private_key(whole_pem(pem).encode(), password=None)
        except (ValueError, TypeError):
            raise InvalidConfig(
                "private_key: this is no unencrypted PEM key",
                hint="paste the whole text, from BEGIN PRIVATE KEY to END PRIVATE KEY",
            ) from None
        return {"private_key": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())}
    return {"password": secrets.password.get_secret_value()}


SYSTEM = SqlSystem(
    label="Snowflake",
    config=SnowflakeConfig,
    driver="snowflake.sqlalchemy",
    extra="snowflake",
    engine=engine,
    refusals=REFUSALS,
    otherwise=UNREACHABLE,
    version="select current_version()",
    default_schema=lambda endpoint: parse(SnowflakeConfig, endpoint.config).schema_,
    cursor_types=("timestamp", "date", "decimal(38, 0)", "bigint", "integer"),
    vendor_hosts=True,
)

SNOWFLAKE = Connector(
    name="snowflake",
    label="Snowflake",
    description="Tables and views of a Snowflake database.",
    directions=frozenset(Direction),
    config=SnowflakeConfig,
    secrets=SnowflakeSecrets,
    test=SYSTEM.test,
    browse=SYSTEM.browse(),
    endpoint_fields=("account",),
    extra=SYSTEM.extra,
    loading=TABLES,
    proof=Proof.CONTRACT,
)
