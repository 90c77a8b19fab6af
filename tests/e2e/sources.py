"""A database of somebody's own on the stack's server: what pipelines read from."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tests.e2e.running import Account, Stack


@dataclass(frozen=True)
class Source:
    """A database and its owner, who is called like it."""

    url: str  # the superuser's
    config: dict[str, Any]
    password: str

    @classmethod
    def create(cls, stack: Stack, name: str, password: str = "the source's password") -> "Source":
        """A new database without tables."""
        with psycopg.connect(stack.superuser_url("postgres"), autocommit=True) as admin:
            owner = sql.Identifier(name)
            admin.execute(sql.SQL("create role {} login password {}").format(owner, password))
            admin.execute(sql.SQL("create database {} owner {}").format(owner, owner))
        port = stack.layout.ports["postgres"]
        config = {"host": "127.0.0.1", "port": port, "database": name, "user": name}
        return cls(stack.superuser_url(name), config, password)

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs SQL as the owner; the rows of the last statement."""
        return execute(self.url, f'set role "{self.config["user"]}"', *statements)

    def plant(self, *statements: str) -> None:
        """Runs SQL as the superuser: what it makes, the owner may not read unless allowed."""
        execute(self.url, *statements)

    def connect(self, account: Account) -> dict[str, Any]:
        """A connection to it in an organization."""
        made: dict[str, Any] = account.post(
            "/connections",
            {
                "name": self.config["database"],
                "connector": "postgres",
                "direction": "source",
                "config": self.config,
                "secrets": {"password": self.password},
            },
        )
        return made


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Runs SQL in a database of the stack, each statement in its own transaction.

    Returns the rows of the last one.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []
