"""Destinations other than PostgreSQL that tests load into, and look into afterwards."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import duckdb

from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, LoadResult, Window
from etlfabric_core.graph.configs import PipelineConfig
from tests.loading import run
from tests.mariadb import PASSWORD, MariaDb

DATASET = "demo_raw"
LOADER = "loader"  # who may do more than the reader of sources
DATASETS = """
    select schema_name from information_schema.schemata where schema_name not like 'shop%'
    and schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema')"""


class Target(Protocol):
    """A destination, and a way to look at what is there."""

    def endpoint(self) -> Endpoint: ...

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs SQL, with the dataset as the default schema."""


@dataclass(frozen=True)
class DuckdbTarget:
    """A database file of its own."""

    path: Path

    @classmethod
    def new(cls, folder: Path) -> "DuckdbTarget":
        return cls(folder / "1" / "2.duckdb")

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

    @classmethod
    def new(cls, server: MariaDb) -> "MariadbTarget":
        """The server without the datasets of earlier tests."""
        for (name,) in server.execute(DATASETS):
            server.execute(f"drop database `{name}`")
        server.execute(f"grant all on *.* to '{LOADER}'@'%' identified by '{PASSWORD}'")
        return cls(replace(server, user=LOADER))

    def endpoint(self) -> Endpoint:
        return self.server.endpoint()

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(
            f"create database if not exists {DATASET}", f"use {DATASET}", statement
        )


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
