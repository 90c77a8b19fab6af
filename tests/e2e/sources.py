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
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(self.config["user"])))
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

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
