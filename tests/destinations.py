"""Destinations other than PostgreSQL that tests load into, and look into afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, LoadResult, Window
from etlfabric_core.graph.configs import PipelineConfig
from tests.loading import run
from tests.mariadb import MariaDb, running_mariadb

DATASET = "demo_raw"


class Target(Protocol):
    """A destination, and a way to look at what is there."""

    def endpoint(self) -> Endpoint: ...

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs SQL, with the dataset as the default schema."""


@dataclass(frozen=True)
class DuckdbTarget:
    """A database file of its own."""

    path: Path

    def endpoint(self) -> Endpoint:
        return Endpoint(connector="duckdb", config={}, database_file=self.path)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"create schema if not exists {DATASET}")
            connection.execute(f"use {DATASET}")
            return connection.execute(statement).fetchall()


@dataclass(frozen=True)
class MariadbTarget:
    """A database of a running server, with a user who may make others."""

    server: MariaDb

    def endpoint(self) -> Endpoint:
        return self.server.endpoint()

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(
            f"create database if not exists {DATASET}", f"use {DATASET}", statement
        )


@contextmanager
def duckdb_target(folder: Path) -> Iterator[DuckdbTarget]:
    yield DuckdbTarget(folder / "1" / "2.duckdb")


@contextmanager
def mariadb_target(server: MariaDb) -> Iterator[MariadbTarget]:
    """The server without the datasets of earlier tests."""
    for name in (DATASET, f"{DATASET}_staging"):
        server.execute(f"drop database if exists {name}")
    server.execute(f"grant all on *.* to '{server.user}'@'%'")
    yield MariadbTarget(server)


@contextmanager
def mariadb_server() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        yield server


def load_plan(
    target: Target, source: Endpoint, *resources: Any, pipeline: str = "flights", **given: Any
) -> LoadPlan:
    window: Window | None = given.pop("window", None)
    return LoadPlan(
        pipeline=pipeline,
        source=source,
        destination=target.endpoint(),
        dataset=DATASET,
        config=PipelineConfig.model_validate({"resources": resources, **given}),
        window=window,
    )


def load(work: Path, plan: LoadPlan, files: Any = (), epoch: int = 1) -> LoadResult:
    return run(plan, work, dict(files), epoch)
