"""The processes of the stack as data: what starts when, how, and when it is ready."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import httpx

from cli.stack.environment import OPERATOR_ACCOUNT, SERVICE_ACCOUNT, Environment
from cli.stack.layout import PROJECT, python
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.privileges import before_exec

HEALTH_TIMEOUT_SECONDS = 2
ACCOUNT_PREFIX = "ETLFABRIC_ACCOUNT_"
UVICORN = (
    *("-m", "uvicorn", "--factory", "api.main:build", "--host", "127.0.0.1"),
    *("--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "5"),
)


@dataclass(frozen=True)
class Part:
    """One process. A job is ready when it has ended well; a service when `ready` says so."""

    name: str
    start: Callable[[IO[bytes]], "subprocess.Popen[bytes]"]
    after: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None

    @property
    def is_job(self) -> bool:
        return self.ready is None


def parts(environment: Environment) -> tuple[Part, ...]:
    """All parts of a stack, in an order in which each comes after what it needs."""
    layout = environment.layout
    return (
        _postgres(environment.postgres),
        Part(
            "migrate",
            command(python("-m", "cli.stack.migrate"), environment.migrations),
            ("postgres",),
        ),
        Part("airflow-migrate", _airflow(environment, "db", "migrate"), ("migrate",)),
        Part("airflow-accounts", _accounts(environment), ("airflow-migrate",)),
        # Both write the permissions of Airflow's own roles, and one at a time.
        Part(
            "api-server",
            _airflow(environment, "api-server", "--host", "127.0.0.1", "--workers", "1"),
            ("airflow-accounts",),
            lambda: answers(f"{layout.airflow_url}/api/v2/version"),
        ),
        # On one machine the api-server reads the logs of tasks from disk; Airflow's log servers
        # would listen on every interface.
        _component(environment, "scheduler", "--skip-serve-logs"),
        _component(environment, "triggerer", "--skip-serve-logs"),
        _component(environment, "dag-processor"),
        Part(
            "api",
            command(
                python(*UVICORN, "--port", str(layout.ports["api"])),
                environment.service,
            ),
            ("migrate",),
            lambda: answers(f"{layout.api_url}/healthz"),
        ),
    )


def answers(url: str) -> bool:
    """Whether a GET is answered with a success."""
    try:
        return httpx.get(url, timeout=HEALTH_TIMEOUT_SECONDS).is_success
    except httpx.HTTPError:
        return False


def airflow_health(url: str) -> dict[str, str | None]:
    """Airflow's own word on its components, by their names here; empty when it does not answer."""
    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=HEALTH_TIMEOUT_SECONDS)
        found = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return {}
    return {name.replace("_", "-"): (part or {}).get("status") for name, part in found.items()}


def _postgres(server: EmbeddedPostgres) -> Part:
    def start(log: IO[bytes]) -> "subprocess.Popen[bytes]":
        server.prepare()
        server.process = server.spawn(log)
        return server.process

    return Part("postgres", start, (), server.ready)


def _component(environment: Environment, name: str, *options: str) -> Part:
    url = environment.layout.airflow_url
    return Part(
        name,
        _airflow(environment, name, *options),
        ("airflow-migrate",),
        lambda: airflow_health(url).get(name) == "healthy",
    )


def _airflow(
    environment: Environment, *arguments: str
) -> Callable[[IO[bytes]], "subprocess.Popen[bytes]"]:
    return command(
        python("-m", "airflow", *arguments), lambda: environment.airflow_process(arguments[0])
    )


def _accounts(environment: Environment) -> Callable[[IO[bytes]], "subprocess.Popen[bytes]"]:
    """The account of the metadata service and the one of the person who runs the stack."""

    def settings() -> dict[str, str]:
        return environment.airflow_process() | {
            f"{ACCOUNT_PREFIX}{SERVICE_ACCOUNT}": environment.secrets["airflow_service_password"],
            f"{ACCOUNT_PREFIX}{OPERATOR_ACCOUNT}": environment.secrets["airflow_operator_password"],
        }

    return command(python("-m", "etlfabric_airflow.accounts"), settings)


def command(
    arguments: list[str], environment: Callable[[], dict[str, str]]
) -> Callable[[IO[bytes]], "subprocess.Popen[bytes]"]:
    """How to start a program: in a group of its own, and mortal with the supervisor."""

    def start(log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            arguments,
            env=environment(),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before_exec(15, None),
        )

    return start
