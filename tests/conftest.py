"""What every test may use: a real PostgreSQL server of the test session's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server on a free port; gone at the end of the session."""
    data_dir: Path = tmp_path_factory.mktemp("postgres") / "data"
    server = EmbeddedPostgres(data_dir, free_port(), "test-superuser", settings=FAST_AND_LOOSE)
    server.start()
    yield server
    server.stop()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Packed bytes hold the time they were packed at, and workers have to agree on names."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shares the work out by file; whatever may use the one running stack goes to one worker."""
    for item in items:
        file = item.location[0]
        item.add_marker(pytest.mark.xdist_group("e2e" if "/e2e/" in file else file))
