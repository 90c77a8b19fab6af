"""Connections to destinations beside the warehouse, as bodies of requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.destinations import mariadb_target
from tests.mariadb import PASSWORD, running_mariadb

DUCKDB = {"connector": "duckdb", "config": {}, "direction": "both"}


@contextmanager
def destination_body(name: str) -> Iterator[dict[str, Any] | None]:
    """Of `warehouse`, `duckdb`, or the `mariadb` of a server that runs meanwhile."""
    if name != "mariadb":
        yield {"warehouse": None, "duckdb": DUCKDB}[name]
        return
    with running_mariadb() as server, mariadb_target(server) as target:
        config = dict(target.endpoint().config)
        made = {"connector": "mysql", "config": config, "secrets": {"password": PASSWORD}}
        yield {**made, "direction": "both"}
