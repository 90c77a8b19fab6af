"""Loads into Snowflake as Parquet files through its own stage; a dataset is a schema."""

from base64 import b64encode
from typing import Any

from etlfabric_core.connectors.record import parse
from etlfabric_core.connectors.snowflake import SnowflakeConfig, SnowflakeSecrets, proof
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import PARQUET, SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds


def _factory() -> Any:
    from dlt.destinations import snowflake

    return snowflake


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials

    config = parse(SnowflakeConfig, endpoint.config)
    made = SnowflakeCredentials()
    made.host, made.database, made.username = config.account, config.database, config.user
    made.warehouse, made.role = config.warehouse, config.role
    signed = proof(parse(SnowflakeSecrets, endpoint.secrets))
    if "private_key" in signed:
        made.private_key = b64encode(signed["private_key"]).decode()
    else:
        made.password = signed["password"]
    made.application = "etlfabric"
    made.resolve()
    return {"credentials": made}


WRITING = SqlWriting(
    label="Snowflake",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=38, infinity=False, years=(1, 9999)),
    capabilities=PARQUET,
    driver=("snowflake.connector", "snowflake"),
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
