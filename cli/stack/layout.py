"""Where the local stack keeps its things, and on which ports it listens."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etlfabric_core.errors import InvalidConfig

KEYS_FILE = "encryption.keys"  # beside the other secrets, because it changes while we run
PROJECT = Path(__file__).resolve().parents[2]
PORT_SETTINGS = {
    "postgres": ("ETLFABRIC_POSTGRES_PORT", 5433),
    "airflow": ("ETLFABRIC_AIRFLOW_PORT", 8080),
    "api": ("ETLFABRIC_API_PORT", 8000),
}


@dataclass(frozen=True)
class Layout:
    """Paths and ports of one stack. Everything that it writes lies below `var`."""

    var: Path
    ports: Mapping[str, int]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Layout":
        """The stack that the environment describes.

        Raises:
            InvalidConfig: a port setting is not a number that a port can have.
        """
        given = os.environ if environ is None else environ
        var = Path(given.get("ETLFABRIC_VAR") or PROJECT / "var").expanduser().absolute()
        ports = {
            name: _port(setting, given.get(setting) or default)
            for name, (setting, default) in PORT_SETTINGS.items()
        }
        return cls(var=var, ports=ports)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['airflow']}"

    @property
    def secrets_file(self) -> Path:
        return self.var / "secrets.json"

    @property
    def keys_file(self) -> Path:
        return self.var / KEYS_FILE

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def lock_file(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def status_file(self) -> Path:
        return self.run / "status.json"

    def log_file(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        return self.run / f"{part}.pid"

    def make_directories(self) -> None:
        """Create the folders; only the owner may look into them.

        Raises:
            InvalidConfig: they cannot be made.
        """
        try:
            for path in (self.var, self.run, self.logs, self.var / "storage", self.var / "work"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidConfig(
                f"{self.var} cannot be used: {error.strerror}",
                hint="Set ETLFABRIC_VAR to a folder that you may write to.",
            ) from error


def python(*arguments: str) -> list[str]:
    """A command of the interpreter that runs this program."""
    return [sys.executable, *arguments]


def _port(setting: str, value: str | int) -> int:
    try:
        port = int(value)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise InvalidConfig(f"{setting}={value} is not a port", hint="Give a number up to 65535.")
    return port
