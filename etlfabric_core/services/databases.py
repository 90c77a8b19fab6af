"""Databases that the platform keeps for connections: one file each, named by ids alone."""

import shutil
from pathlib import Path

from etlfabric_core.connectors import get_connector
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.models import Connection


def file_name(connection: Connection) -> Path | None:
    """The file below the folder of databases; None: the connection has none that is kept."""
    kept = get_connector(connection.connector).keeps_database
    if not kept or connection.config.get("uploads"):
        return None
    return Path(str(connection.org_id)) / f"{connection.id}.{connection.connector}"


def require_writable(connection: Connection) -> None:
    """Checks that its database is not an upload, which no load may change.

    Raises:
        InvalidConfig: it is one.
    """
    if get_connector(connection.connector).keeps_database and file_name(connection) is None:
        raise InvalidConfig(
            f"destination_connection_id: connection '{connection.slug}' is an uploaded file",
            hint="choose one without an upload: the platform keeps its database",
            problems=[Problem("an uploaded file is only read", field="destination_connection_id")],
        )


def located(endpoint: Endpoint, folder: Path) -> Endpoint:
    """The endpoint with the whole path of its database, if it has one."""
    if endpoint.database_file is None:
        return endpoint
    return endpoint.model_copy(update={"database_file": folder / endpoint.database_file})


def forget(folder: Path, org_id: int) -> None:
    """Removes all databases of an organization. Doing it again is no error."""
    place = folder / str(org_id)
    if place.exists():
        shutil.rmtree(place)
