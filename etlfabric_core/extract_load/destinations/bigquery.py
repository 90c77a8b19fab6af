"""Loads into BigQuery as Parquet files, by load jobs; a dataset is a dataset of the project."""

from typing import Any

from etlfabric_core.connectors.bigquery import BigqueryConfig, BigquerySecrets
from etlfabric_core.connectors.google import key_info
from etlfabric_core.connectors.record import parse
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import PARQUET, SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

LOCATION = "US"  # Google's own default, for datasets that a load makes


def _factory() -> Any:
    from dlt.destinations import bigquery

    return bigquery


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from dlt.common.configuration.specs import GcpServiceAccountCredentialsWithoutDefaults

    config = parse(BigqueryConfig, endpoint.config)
    made = GcpServiceAccountCredentialsWithoutDefaults()
    secrets = parse(BigquerySecrets, endpoint.secrets)
    made.update(key_info(secrets.service_account_key))
    made.resolve()
    return {
        "credentials": made,
        "project_id": config.project,
        "location": config.location or LOCATION,
    }


WRITING = SqlWriting(
    label="BigQuery",
    factory=_factory,
    arguments=_arguments,
    # dlt gives all times a zone there; what has none stays text.
    holds=Holds(digits=29, scale=9, local_times=False, years=(1, 9999)),
    capabilities=PARQUET,
    driver=("google.cloud.bigquery", "bigquery"),
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
