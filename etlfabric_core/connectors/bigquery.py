"""BigQuery: a project as a source. Its driver is an extra: `etlfabric[bigquery]`.

The hosts are always Google's own: of a service account's key only the parts that prove who calls
are used, and none of its addresses.
"""

import json
from typing import Any

from pydantic import Field, SecretStr
from sqlalchemy import URL

from etlfabric_core.connectors.record import Connector, ConnectorModel, Direction, Proof, parse
from etlfabric_core.connectors.refusal import Refusal
from etlfabric_core.connectors.sql import SqlSystem
from etlfabric_core.errors import InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
SCOPES = ("https://www.googleapis.com/auth/bigquery",)
USED = ("client_email", "private_key", "private_key_id", "project_id")


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


def key_info(endpoint: Endpoint) -> dict[str, str]:
    """What is used of the service account's key.

    Raises:
        InvalidConfig: it is not the key of a service account.
    """
    text = parse(BigquerySecrets, endpoint.secrets).service_account_key.get_secret_value()
    try:
        given = json.loads(text)
        used = {name: str(given[name]) for name in USED}
        if given.get("type") != "service_account":
            raise ValueError("other kinds of keys name files and hosts to ask")
    except (ValueError, KeyError, TypeError):
        raise InvalidConfig(
            "service_account_key: this is no key of a service account",
            hint="paste the whole JSON file that Google Cloud gave when the key was made",
        ) from None
    return {**used, "type": "service_account", "token_uri": TOKEN_URI}


def engine(endpoint: Endpoint, address: str) -> dict[str, Any]:
    """The arguments of `create_engine`; project and dataset are names and cannot be more.

    Raises:
        InvalidConfig: the key is not that of a service account.
    """
    from google.cloud import bigquery
    from google.oauth2 import service_account

    config = parse(BigqueryConfig, endpoint.config)
    made = service_account.Credentials.from_service_account_info(
        key_info(endpoint), scopes=list(SCOPES)
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
    directions=frozenset({Direction.SOURCE}),
    config=BigqueryConfig,
    secrets=BigquerySecrets,
    test=SYSTEM.test,
    browse=SYSTEM.browse(),
    endpoint_fields=("project",),
    extra=SYSTEM.extra,
    proof=Proof.CONTRACT,
)
