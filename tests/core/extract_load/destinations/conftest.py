"""Every destination that runs here, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.destinations import Target, duckdb_target, mariadb_target
from tests.mariadb import MariaDb, running_mariadb


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        yield server


@pytest.fixture(params=["duckdb", "mariadb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "duckdb":
        with duckdb_target(tmp_path / "databases") as made:
            yield made
    else:
        with mariadb_target(request.getfixturevalue("mariadb_server")) as made:
            yield made
