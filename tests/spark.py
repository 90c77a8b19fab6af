"""A Spark Thrift server of the tests' own: in a temporary folder, on a free port."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy

from cli.stack.ports import free_port
from etlfabric_core.connectors import spark
from etlfabric_core.connectors.record import TestResult
from etlfabric_core.extract_load.plan import Endpoint

MISSING = "Spark is not here: it needs Java, and pip install pyspark 'etlfabric[spark]'"
START_SECONDS = 120
SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"


@dataclass(frozen=True)
class Spark:
    """The server, which asks for no password."""

    port: int

    def endpoint(self, **changes: Any) -> Endpoint:
        """A connection to it."""
        addresses = changes.pop("addresses", ("127.0.0.1",))
        config = {"host": "127.0.0.1", "port": self.port, **changes}
        return Endpoint(connector="spark", config=config, addresses=addresses)

    def execute(self, *statements: str) -> None:
        """Runs SQL."""
        engine = sqlalchemy.create_engine(**spark.engine(self.endpoint(), "127.0.0.1"))
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))

    def test(self) -> TestResult:
        """What the test of the connection says."""
        return spark.SPARK.test(self.endpoint(), {})


@contextmanager
def running_spark() -> Iterator[Spark]:
    """A server that is gone afterwards; skips the test where Spark or its driver is missing."""
    installed, driver = find_spec("pyspark"), find_spec("pyhive")
    if installed is None or installed.origin is None or driver is None or not shutil.which("java"):
        pytest.skip(MISSING)
    home = Path(installed.origin).parent
    with TemporaryDirectory(prefix="etlfabric-spark-") as folder:
        made = Spark(free_port())
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [home / "bin" / "spark-submit", *_options(Path(folder), made.port)],
                cwd=folder,
                env={**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"},
                stdout=log,
                stderr=log,
            )
        try:
            _wait(process, made, Path(folder, "log"))
            yield made
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _options(folder: Path, port: int) -> list[str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={folder}/metastore;create=true"
        ),
        "spark.hadoop.hive.server2.thrift.port": port,
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
    }
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    return [
        "--class",
        SERVER,
        "--master",
        "local[1]",
        "--driver-memory",
        "1g",
        *options,
        "spark-internal",
    ]


def _wait(process: subprocess.Popen[bytes], server: Spark, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not server.test().ok:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Spark does not answer: {log.read_text()[-2000:]}")
        time.sleep(0.5)
