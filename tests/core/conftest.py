"""Sources of loads."""

import pytest

from tests.mariadb import MariaDb


@pytest.fixture
def mariadb(mariadb_server: MariaDb) -> MariaDb:
    """A database of its own on the server."""
    return mariadb_server.empty()
