"""A warehouse per test, as an organization sees it."""

from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.loading import Warehouse, new_warehouse


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        yield made
