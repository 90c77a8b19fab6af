"""What every test may use: servers of the test session's own, and destinations of loads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres
from tests.destinations import DuckdbTarget, MariadbTarget, Target
from tests.mariadb import MariaDb, running_mariadb
from tests.s3_server import S3Server, s3_server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server on a free port; gone at the end of the session."""
    data_dir: Path = tmp_path_factory.mktemp("postgres") / "data"
    server = EmbeddedPostgres(data_dir, free_port(), "test-superuser", settings=FAST_AND_LOOSE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["duckdb", "mariadb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Each database that is a destination beside PostgreSQL and runs here, empty."""
    if request.param == "duckdb":
        return DuckdbTarget.new(tmp_path / "databases")
    return MariadbTarget.new(request.getfixturevalue("mariadb_server"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Packed bytes hold the time they were packed at, and workers have to agree on names."""
    return argname if isinstance(val, bytes) else None


class ByFile(LoadScopeScheduling):
    """Hands out whole files; whatever may use the one running stack goes to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if "/e2e/" in nodeid else nodeid.split("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Its own, because pytest 9.2 does not see the groups that xdist 3.8 writes into names."""
    config.option.loadscopereorder = False  # the order below is the better one
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest group first: a worker that begins it last works alone at the end."""
    items.sort(key=lambda item: "/e2e/" not in item.nodeid)
