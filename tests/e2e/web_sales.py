"""What a data team brings to the load pages: an export with its oddities, and a database."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from tests.e2e.running import Account, Stack

PASSWORD = "sellers-Own-password"
BAD_LINE = 14  # of the export: its first column holds no number


def export(price: str = "price", more: Sequence[str] = ()) -> bytes:
    """A spreadsheet's idea of CSV: byte order mark, semicolons, decimal commas, one bad row."""
    rows = [";".join(("id", "customer", price, "sold on", *more))]
    for number in range(1, 21):
        key = "unknown" if number + 1 == BAD_LINE else str(number)
        day = date(2026, 1, 1) + timedelta(days=number)
        rows.append(f"{key};Zoë {number};{1000 + number},50;{day}" + ";any" * len(more))
    return "\ufeff".encode() + "\n".join(rows).encode()


def new_database(stack: Stack, name: str) -> dict[str, Any]:
    """An empty database and a user, both of that name; how a connection says where it is."""
    with psycopg.connect(stack.superuser_url("postgres"), autocommit=True) as admin:
        user = sql.Identifier(name)
        admin.execute(sql.SQL("create role {} login password {}").format(user, PASSWORD))
        admin.execute(sql.SQL("create database {}").format(user))
    port = stack.layout.ports["postgres"]
    return {"host": "127.0.0.1", "port": port, "database": name, "user": name}


def sales_database(stack: Stack, name: str) -> dict[str, Any]:
    """A database with two schemas, and a user who may read all of it but one table."""
    config = new_database(stack, name)
    with psycopg.connect(stack.superuser_url(name)) as connection:
        connection.execute(
            "create table orders (id int primary key, placed_at timestamptz not null, region text)"
        )
        connection.execute(
            "insert into orders select n, timestamptz '2026-01-01 12:00Z' + n * interval '1 day',"
            " (array['north', 'south'])[n % 2 + 1] from generate_series(1, 30) as n"
        )
        connection.execute("create table regions (region text, manager text)")
        connection.execute("insert into regions values ('north', 'Ada'), ('south', 'Grace')")
        connection.execute("create table wages (person text)")
        connection.execute("create schema depot; create table depot.shelves (id int primary key)")
        connection.execute(
            sql.SQL(
                "grant usage on schema depot to {0}; grant select on orders, regions to {0};"
                "grant select on all tables in schema depot to {0}"
            ).format(sql.Identifier(name))
        )
    return config


def source_connection(account: Account, name: str, config: dict[str, Any]) -> int:
    """A PostgreSQL connection to read from."""
    made = account.post(
        "/connections",
        {
            "name": name,
            "connector": "postgres",
            "direction": "source",
            "config": config,
            "secrets": {"password": PASSWORD},
        },
    )
    return int(made["id"])
