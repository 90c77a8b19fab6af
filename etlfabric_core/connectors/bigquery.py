"""BigQuery: a project as a source or a destination. Its driver is an extra: `etlfabric[bigquery]`.

The hosts are always Google's own: of a service account's key only the parts that prove who calls
are used, and none of its addresses.
"""

from typing import Any

from pydantic import Field, SecretStr
from sqlalchemy import URL

from etlfabric_core.connectors.google import key_info
from etlfabric_core.connectors.loading import TABLES
from etlfabric_core.connectors.record import Connector, ConnectorModel, Direction, Proof, parse
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import SqlSystem
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

SCOPES = ("https://www.googleapis.com/auth/bigquery",)


class BigqueryConfig(ConnectorModel):
    """Which project, and where in it."""

    project: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        description="Id of the project that owns the dataset and pays for the queries.",
    )
    dataset: str = Field(
        pattern=r"^[A-Za-z0-9_]+$", max_length=1024, description="Dataset of tables."
    )
    location: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]+$", max_length=64, description="Such as EU; found by itself."
    )


class BigquerySecrets(ConnectorModel):
    """How to sign in."""

    service_account_key: SecretStr = Field(
        SecretStr(""), description="The JSON key of a service account, as Google gave it."
    )


REFUSALS = (
    Refusal(
        "invalid_grant",
        "service_account_key: Google refused the key",
        "make a new key for the service account",
        TerminalError,
    ),
    Refusal(
        "403",
        "project: the service account may not run queries in project '{project}'",
        "grant it BigQuery Job User on the project and BigQuery Data Viewer on the dataset",
        TerminalError,
    ),
    Refusal(
        "404",
        "project: there is no project '{project}'",
        "check the id of the project",
        TerminalError,
    ),
)
UNREACHABLE = Refusal(
    "",
    "project: BigQuery cannot be reached for project '{project}'",
    "check that this machine may reach googleapis.com",
    TransientError,
)


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`; project and dataset are names and cannot be more.

    Raises:
        InvalidConfig: the key is not that of a service account.
    """
    from google.cloud import bigquery
    from google.oauth2 import service_account

    config = parse(BigqueryConfig, endpoint.config)
    secrets = parse(BigquerySecrets, endpoint.secrets)
    made = service_account.Credentials.from_service_account_info(
        key_info(secrets.service_account_key), scopes=list(SCOPES)
    )
    client = bigquery.Client(config.project, made, location=config.location)
    return {"url": url(config), "connect_args": {"client": client}}


def url(config: BigqueryConfig) -> URL:
    """SQLAlchemy's URL, which says that the client is ours."""
    query = {"user_supplied_client": "true"}
    return URL.create("bigquery", host=config.project, database=config.dataset, query=query)


SYSTEM = SqlSystem(
    label="BigQuery",
    config=BigqueryConfig,
    driver="sqlalchemy_bigquery",
    extra="bigquery",
    engine=engine,
    refusals=REFUSALS,
    otherwise=UNREACHABLE,
    version="select 'GoogleSQL'",
    default_schema=lambda endpoint: str(endpoint.config["dataset"]),
    cursor_types=("timestamp", "datetime", "date", "int64"),
    vendor_hosts=True,
    nested=".",
)

BIGQUERY = Connector(
    name="bigquery",
    label="Google BigQuery",
    description="Tables and views of a BigQuery dataset.",
    directions=frozenset(Direction),
    config=BigqueryConfig,
    secrets=BigquerySecrets,
    test=SYSTEM.test,
    browse=SYSTEM.browse(),
    endpoint_fields=("project",),
    extra=SYSTEM.extra,
    loading=TABLES,
    proof=Proof.CONTRACT,
)
