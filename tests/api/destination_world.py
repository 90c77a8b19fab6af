"""Connections to destinations beside the warehouse, as bodies of requests."""

from typing import Any

import pytest

from tests.destinations import MariadbTarget
from tests.mariadb import PASSWORD

DUCKDB = {"connector": "duckdb", "config": {}, "direction": "both"}


def destination_body(request: pytest.FixtureRequest) -> dict[str, Any] | None:
    """Of what the fixture is asked for: `warehouse`, `duckdb` or `mariadb`."""
    if request.param != "mariadb":
        return {"warehouse": None, "duckdb": DUCKDB}[request.param]
    target = MariadbTarget.new(request.getfixturevalue("mariadb_server"))
    return {
        "connector": "mysql",
        "config": dict(target.endpoint().config),
        "secrets": {"password": PASSWORD},
        "direction": "both",
    }
