"""A real Airflow of the test session's own: api-server and scheduler on PostgreSQL.

DAGs are written to a small versioned bundle. They stand for what the DAG factory builds, so that
what talks to Airflow can be tested by itself.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import psycopg
from cryptography.fernet import Fernet

from cli.stack.ports import free_port
from cli.stack.postgres import EmbeddedPostgres

USER = "etlfabric"
BOOT_SECONDS = 120
BROKEN = "broken.main.py"
AIRFLOW = str(Path(sys.executable).with_name("airflow"))

BUNDLE = """
from pathlib import Path
from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

class Versioned(BaseDagBundle):
    supports_versioning = True
    def __init__(self, *, folder, **kwargs):
        super().__init__(**kwargs)
        self.folder = Path(folder)
    @property
    def path(self):
        return self.folder
    def refresh(self):
        pass
    def get_current_version(self):
        return BundleVersion(self.version or (self.folder.parent / "VERSION").read_text())
"""

# `flights` fails until <flags>/mended exists; it waits for <flags>/go where `conf` says "hold", and
# `slow` where it says "wait".
DAG = """
import time
from datetime import datetime, timezone
from pathlib import Path
from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup
from airflow.providers.standard.operators.python import PythonOperator
from etlfabric_airflow.flow import refuse_behind_a_failure

FLAGS = Path({flags!r})

def flights(**context):
    refuse_behind_a_failure(context)  # as the first task of our DAGs does
    until_go(context["dag_run"], "hold")
    print("loading flights of {dag_id}")
    if not (FLAGS / "mended").exists():
        raise ValueError("the source is broken")

def until_go(dag_run, word):
    while (dag_run.conf or {{}}).get(word) and not (FLAGS / "go").exists():
        time.sleep(0.2)

def slow(dag_run):
    until_go(dag_run, "wait")

with DAG(
    {dag_id!r},
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="America/New_York"),
    start_date=datetime(2013, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=16,
    is_paused_upon_creation=False,
) as dag:
    load = PythonOperator(task_id="flights", python_callable=flights, retries=0)
    with TaskGroup("transform"):
        slow_task = PythonOperator(task_id="on_time_model_build", python_callable=slow)
    load >> slow_task
"""


class AirflowServer:
    """Starts from nothing, serves on a free port, ends with everything it started."""

    def __init__(self, home: Path, postgres: EmbeddedPostgres) -> None:
        self.home, self._postgres = home, postgres
        self.dags, self.flags = home / "dags", home / "flags"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(12)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    def start(self, dag_ids: tuple[str, ...]) -> None:
        """Migrates, makes the account, serializes the DAGs, starts and waits until healthy."""
        self.dags.mkdir(parents=True)
        self.flags.mkdir()
        (self.home / "versioned_bundle.py").write_text(BUNDLE)
        with psycopg.connect(self._postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS airflow_runs WITH (FORCE)")
            connection.execute("CREATE DATABASE airflow_runs")
        for dag_id in dag_ids:
            source = DAG.format(dag_id=dag_id, flags=str(self.flags))
            (self.dags / f"{dag_id}.py").write_text(source)
        (self.dags / BROKEN).write_text("raise RuntimeError('this file is corrupt') # airflow DAG")
        self._run("db", "migrate")
        (self.home / "VERSION").write_text("1000000")
        self._run("dags", "reserialize")
        account = ["--role", "Admin", "--email", "etlfabric@example.org"]
        account += ["--firstname", "ETL", "--lastname", "Fabric", "--password", self.password]
        # Before the api-server starts: both would write the permissions of the same roles.
        self._run("users", "create", "--username", USER, *account)
        self._spawn("api-server", "--port", str(self.port), "--host", "127.0.0.1", "-w", "1")
        self._spawn("scheduler")
        self._wait_until_healthy()

    def stop(self) -> None:
        """Ends the process groups that were started, and their logs."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for log in self._logs:
            log.close()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [AIRFLOW, *arguments], env=self._environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    def _spawn(self, *arguments: str) -> None:
        log = (self.home / f"{arguments[0]}.log").open("wb")
        self._logs.append(log)
        self._processes.append(
            subprocess.Popen(
                [AIRFLOW, *arguments],
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )

    def _environment(self) -> dict[str, str]:
        if not hasattr(self, "_env"):
            self._env = {**os.environ, **self._settings()}
        return self._env

    def _settings(self) -> dict[str, str]:
        bundle = {
            "name": "runs",
            "classpath": "versioned_bundle.Versioned",
            "kwargs": {"folder": str(self.dags)},
        }
        database = self._postgres.url("airflow_runs", driver="postgresql+psycopg2")
        return {
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "PYTHONPATH": str(self.home),
            "DO_NOT_TRACK": "1",
            "SCARF_NO_ANALYTICS": "true",
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
            ),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
        }

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not self._healthy():
            assert all(p.poll() is None for p in self._processes), f"see {self.home}/*.log"
            assert time.monotonic() < deadline, f"Airflow is not healthy: see {self.home}/*.log"
            time.sleep(0.3)

    def _healthy(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except httpx.HTTPError:
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler"))


def serve(
    home: Path, postgres: EmbeddedPostgres, dag_ids: tuple[str, ...]
) -> Iterator[AirflowServer]:
    """A running server; ended when the caller is done."""
    server = AirflowServer(home, postgres)
    try:
        server.start(dag_ids)
        yield server
    finally:
        server.stop()
