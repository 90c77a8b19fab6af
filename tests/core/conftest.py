"""Servers of sources, started once for all tests."""

from collections.abc import Iterator

import pytest

from tests.mariadb import MariaDb, running_mariadb


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        yield server


@pytest.fixture
def mariadb(mariadb_server: MariaDb) -> MariaDb:
    """A database of its own on the server."""
    return mariadb_server.empty()
