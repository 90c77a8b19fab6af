"""The one process that starts the parts, restarts what crashes, and ends all of it.

Run with `python -m cli.stack.supervisor`. It holds a lock while it lives, tells what it knows in
`var/run/status.json`, and becomes the parent of whatever loses its own (a killed scheduler leaves
workers behind), so that nothing outlives it.
"""

import fcntl
import json
import os
import signal
import threading
import time
from pathlib import Path

import psutil

from cli.stack import credentials
from cli.stack.environment import MARKER, Environment
from cli.stack.layout import Layout
from cli.stack.parts import Part, parts
from cli.stack.privileges import adopt_orphans
from cli.stack.unit import Unit, UnitState
from etlfabric_core.errors import FabricError

TICK_SECONDS = 0.2
DRAIN_SECONDS = 15
KILL_SECONDS = 5
ORPHAN_CHECK_SECONDS = 5
LAST = "postgres"  # the others still need it while they stop


class Supervisor:
    """A loop over units. Single-threaded: one step per unit and tick."""

    def __init__(
        self, layout: Layout, all_parts: tuple[Part, ...], drain_seconds: float = DRAIN_SECONDS
    ) -> None:
        self._layout = layout
        self._drain_seconds = drain_seconds
        self._units = {part.name: Unit(part, layout) for part in all_parts}
        self._stopping = threading.Event()
        self._written: str | None = None
        me = psutil.Process()
        self._identity = {"pid": me.pid, "started": me.create_time()}
        self._orphans_checked = time.monotonic()

    def run(self) -> None:
        """Keep the parts alive until SIGTERM or SIGINT, then stop them in order."""
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, lambda *_: self._stopping.set())
        try:
            while not self._stopping.is_set():
                self._tick()
                self._stopping.wait(TICK_SECONDS)
        finally:
            self._stop()

    def _tick(self) -> None:
        done = {name for name, unit in self._units.items() if unit.state is UnitState.READY}
        for unit in self._units.values():
            unit.step(done)
        if time.monotonic() - self._orphans_checked > ORPHAN_CHECK_SECONDS:
            self._end_orphans()
            for unit in self._units.values():
                unit.rotate_log()
        self._write_status()

    def _end_orphans(self) -> None:
        """Kill what a dead part left behind: its children are ours now."""
        self._orphans_checked = time.monotonic()
        own = {unit.process.pid for unit in self._units.values() if unit.process}
        for child in psutil.Process().children():
            if child.pid not in own:
                _kill_tree(child)

    def _write_status(self) -> None:
        status = {
            "supervisor": self._identity,
            "parts": {name: unit.describe() for name, unit in self._units.items()},
        }
        text = json.dumps(status, indent=2)
        if text != self._written:
            _replace(self._layout.status_file, text)
            self._written = text

    def _stop(self) -> None:
        """Ask all to end and let them drain; then kill what is left; the database at last."""
        others = [unit for name, unit in self._units.items() if name != LAST]
        for unit in others:
            unit.terminate(signal.SIGTERM)
        deadline = time.monotonic() + self._drain_seconds
        while any(unit.is_alive() for unit in others) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        for unit in others:
            unit.kill_group()
        database = self._units.get(LAST)
        keep = {database.process.pid} if database and database.is_alive() else set()
        for child in psutil.Process().children():
            if child.pid not in keep:
                _kill_tree(child)
        if database:
            database.stop_gently(signal.SIGINT, self._drain_seconds)
        for unit in self._units.values():
            unit.forget()
        self._layout.status_file.unlink(missing_ok=True)


def _kill_tree(process: psutil.Process) -> None:
    """SIGKILL for a process and everything below it, and the wait for their end."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue  # it ended by itself in between
    psutil.wait_procs(family, KILL_SECONDS)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def main() -> int:
    """Run until told to stop. Returns 1 when another supervisor has the stack."""
    layout = Layout.from_environment()
    layout.make_directories()
    with layout.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("the stack is already running")  # noqa: T201
            return 1
        layout.pid_file("supervisor").write_text(
            f"{os.getpid()} {psutil.Process().create_time()}\n"
        )
        os.environ[MARKER] = str(layout.var)
        adopt_orphans()
        environment = Environment(layout, credentials.ensure(layout.secrets_file))
        try:
            Supervisor(layout, parts(environment)).run()
        except FabricError as error:
            print(f"{error.message}\n{error.hint or ''}")  # noqa: T201
            return 1
        finally:
            layout.pid_file("supervisor").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
