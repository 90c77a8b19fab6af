"""The registry of connectors: what organizations can connect to, as data."""

from etlfabric_core.connectors.csv import CSV
from etlfabric_core.connectors.postgres import POSTGRES
from etlfabric_core.connectors.record import Connector
from etlfabric_core.connectors.sqlite import SQLITE
from etlfabric_core.errors import InvalidConfig

CONNECTORS: dict[str, Connector] = {
    connector.name: connector for connector in (POSTGRES, CSV, SQLITE)
}


def get_connector(name: str) -> Connector:
    """The connector of that name.

    Raises:
        InvalidConfig: there is none; the message lists those that exist.
    """
    if name not in CONNECTORS:
        raise InvalidConfig(f"unknown connector '{name}'", hint=f"one of: {', '.join(CONNECTORS)}")
    return CONNECTORS[name]
