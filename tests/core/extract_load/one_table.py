"""A source with one table, of each kind of server and file that can count its rows."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from etlfabric_core.extract_load.plan import Endpoint, FileRef
from tests.loading import Warehouse

MADE = ("create table t (id int primary key, v varchar(9))", "insert into t values (1, 'a')")
MORE = "insert into t values (2, 'b'), (3, 'c')"


@dataclass
class OneTable:
    """A source with one table `t`, and a way to change it."""

    endpoint: Endpoint
    execute: Callable[[str], Any]
    files: dict[str, Path]
    schema: str | None = None


def file_source(connector: str, path: Path, execute: Callable[[str], Any]) -> OneTable:
    ref = FileRef(name="shop.db", sha256="0" * 64, size=1, url="/shop.db")
    endpoint = Endpoint(connector=connector, config={"uploads": [1]}, files=(ref,))
    return OneTable(endpoint, execute, {"shop.db": path})


def postgres_source(warehouse: Warehouse) -> OneTable:
    warehouse.execute("create schema source")
    warehouse.execute(f"grant usage on schema source to {warehouse.role}")
    privileges = "alter default privileges in schema source grant select on tables to {}"
    warehouse.execute(privileges.format(warehouse.role))

    def execute(statement: str) -> Any:
        return warehouse.execute(f"set search_path to source; {statement}")

    return OneTable(warehouse.endpoint(), execute, {}, "source")


def database_file(connector: str, path: Path) -> OneTable:
    """A file of SQLite or DuckDB, which is open for each statement only."""

    def execute(statement: str) -> None:
        connect: Callable[[str], Any] = duckdb.connect if connector == "duckdb" else sqlite3.connect
        with connect(str(path)) as connection:
            connection.execute(statement)

    return file_source(connector, path, execute)
