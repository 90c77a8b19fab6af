"""A MariaDB server of the tests' own: in a temporary folder, on a free port of this machine."""

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pymysql
import pytest

from cli.stack.ports import free_port
from etlfabric_core.extract_load.plan import Endpoint
from tests.certificates import self_signed

MISSING = "MariaDB is not installed: apt-get install mariadb-server"
START_SECONDS = 60
PASSWORD = "reader-secret"
INSTALL = ("mariadb-install-db", "--auth-root-authentication-method=normal", "--skip-test-db")


@dataclass(frozen=True)
class MariaDb:
    """The server, and one database with a user who may read it."""

    folder: Path
    port: int
    database: str = "shop"
    user: str = "reader"

    def endpoint(self, **changes: Any) -> Endpoint:
        password = changes.pop("password", PASSWORD)
        addresses = changes.pop("addresses", ("127.0.0.1",))
        config = {"host": "127.0.0.1", "port": self.port, "database": self.database}
        return Endpoint(
            connector="mysql",
            config={**config, "user": self.user, **changes},
            secrets={"password": password},
            addresses=addresses,
        )

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs SQL as root; the rows of the last statement."""
        with closing(_as_root(self.folder)) as connection, connection.cursor() as cursor:
            cursor.execute(f"create database if not exists {self.database} character set utf8mb4")
            cursor.execute(f"use {self.database}")
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def empty(self) -> "MariaDb":
        """The same server with a new database that the user may read."""
        made = replace(self, database=f"shop_{uuid4().hex[:8]}")
        made.execute(
            f"grant select, show view on {made.database}.* to '{self.user}'@'%'",
        )
        return made


@contextmanager
def running_mariadb() -> Iterator[MariaDb]:
    """A server that is gone afterwards; skips the test where MariaDB is not installed."""
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    if server is None:
        pytest.skip(MISSING)
    with TemporaryDirectory(prefix="etlfabric-mariadb-") as name:
        folder = Path(name)
        port = free_port()
        with (folder / "log").open("wb") as log:
            options = _options(folder, port)
            subprocess.run([*INSTALL, *options], check=True, stdout=log, stderr=log)
            process = subprocess.Popen([server, *options], stdout=log, stderr=log)
        try:
            _wait(process, folder)
            made = MariaDb(folder, port)
            made.execute(f"create user '{made.user}'@'%' identified by '{PASSWORD}'")
            yield made
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _options(folder: Path, port: int) -> list[str]:
    identity = self_signed("127.0.0.1")
    (folder / "key.pem").write_text(identity.key)
    (folder / "certificate.pem").write_text(identity.certificate)
    return [
        *("--no-defaults", f"--datadir={folder / 'data'}", f"--port={port}"),
        *("--user=" + getpass.getuser(), f"--socket={folder / 'socket'}"),
        *("--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0"),
        *(f"--ssl-key={folder / 'key.pem'}", f"--ssl-cert={folder / 'certificate.pem'}"),
    ]


def _wait(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until the server takes connections."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(pymysql.err.OperationalError), closing(_as_root(folder)):
            return
        time.sleep(0.05)
    raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])


def _as_root(folder: Path) -> "pymysql.Connection[Any]":
    return pymysql.connect(unix_socket=str(folder / "socket"), user="root", autocommit=True)
