"""Loads into Redshift: a dataset is a schema of the database.

Blanks at the end of a text count in no comparison there, so a merge by a key of text is refused.
"""

from typing import Any

from etlfabric_core.connectors import postgres
from etlfabric_core.connectors.record import parse
from etlfabric_core.connectors.redshift import RedshiftConfig, RedshiftSecrets
from etlfabric_core.extract_load.destinations.sql import opener
from etlfabric_core.extract_load.destinations.sql.states import SqlStates
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds


def _factory() -> Any:
    from dlt.destinations import redshift

    return redshift


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    from dlt.destinations.impl.redshift.configuration import RedshiftCredentials

    config = parse(RedshiftConfig, endpoint.config)
    made = RedshiftCredentials()
    made.host, made.port, made.database = config.host, config.port, config.database
    made.username = config.user
    made.password = parse(RedshiftSecrets, endpoint.secrets).password.get_secret_value()
    made.query = {
        "application_name": "etlfabric",
        "sslmode": config.sslmode,
        **postgres.location(endpoint),
    }
    made.resolve()
    return {"credentials": made}


WRITING = SqlWriting(
    label="Redshift",
    factory=_factory,
    arguments=_arguments,
    holds=Holds(digits=38, infinity=False, nul=False, years=(1, 9999)),
    folds_text=True,  # blanks at the end of a text do not count in any comparison
)
open_destination = opener(WRITING)
STATE_STORE = SqlStates(WRITING)
