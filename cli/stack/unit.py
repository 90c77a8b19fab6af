"""One supervised process: waiting, starting, ready, crashed and waiting again, or failed."""

import os
import shutil
import signal
import subprocess
import time
from enum import StrEnum
from typing import Any

import psutil

from cli.stack.layout import Layout
from cli.stack.parts import Part
from etlfabric_core.errors import FabricError

START_TRIES = 3  # crashes before the first time it was ready
BACKOFF_SECONDS = (0.5, 1, 2, 5, 10, 30)
CALM_SECONDS = 60  # alive that long, and the backoff begins anew
LOG_BYTES = 20 * 1024 * 1024
READY_POLL_SECONDS = 0.5


class UnitState(StrEnum):
    """Where a unit is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    FAILED = "failed"


class Unit:
    """A part with its process. `step` moves it on and never blocks for long."""

    def __init__(self, part: Part, layout: Layout) -> None:
        self.part = part
        self.state = UnitState.WAITING
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.message: str | None = None
        self._layout = layout
        self._crashes = 0
        self._was_ready = False
        self._spawned_at = self._next_try = self._next_poll = 0.0
        self._seconds: float | None = None

    def step(self, ready: set[str]) -> None:
        """Look at the process and do what comes next; `ready` names the parts that are up."""
        now = time.monotonic()
        if self.state is UnitState.WAITING and ready.issuperset(self.part.after):
            self._spawn(now)
        elif self.state is UnitState.BACKOFF and now >= self._next_try:
            self.restarts += 1
            self._spawn(now)
        elif self.state in (UnitState.STARTING, UnitState.READY):
            self._look(now)

    def describe(self) -> dict[str, Any]:
        """What `status` and `up` read."""
        return {
            "state": str(self.state),
            "pid": self.process.pid if self.process and self.is_alive() else None,
            "restarts": self.restarts,
            "seconds": self._seconds,
            "message": self.message,
            "job": self.part.is_job,
        }

    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def terminate(self, sig: int) -> None:
        """Ask the process itself to end; it ends its own children."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sig)

    def kill_group(self) -> None:
        """Kill whatever is left of its process group, led by it or not."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # nothing is left, as it should be
        self.process.wait()

    def stop_gently(self, sig: int, seconds: float) -> None:
        """Ask, wait, then kill the group."""
        self.terminate(sig)
        if self.process is not None:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.message = f"did not end within {seconds} s"
        self.kill_group()

    def forget(self) -> None:
        """Remove the pid file."""
        self._layout.pid_file(self.part.name).unlink(missing_ok=True)

    def rotate_log(self) -> None:
        """Keep one former log. The process appends to the same open file, so it is emptied."""
        log = self._layout.log_file(self.part.name)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)

    def _spawn(self, now: float) -> None:
        self._spawned_at, self._next_poll = now, now
        self.state, self.message = UnitState.STARTING, None
        try:
            with self._layout.log_file(self.part.name).open("ab") as log:
                self.process = self.part.start(log)
            started = psutil.Process(self.process.pid).create_time()
        except (FabricError, OSError, psutil.Error, subprocess.SubprocessError) as error:
            self._crashed(now, str(error))
            return
        self._layout.pid_file(self.part.name).write_text(f"{self.process.pid} {started}\n")

    def _look(self, now: float) -> None:
        code = self.process.poll() if self.process else None
        if self.state is UnitState.READY and self.part.is_job:
            return
        if self.part.is_job and code == 0:
            self._become_ready(now)
        elif code is not None:
            self.kill_group()
            self._crashed(now, _how(code))
        elif self.state is UnitState.STARTING and now >= self._next_poll:
            self._next_poll = now + READY_POLL_SECONDS
            if self.part.ready is not None and self.part.ready():
                self._become_ready(now)
        elif self.state is UnitState.READY and now - self._spawned_at > CALM_SECONDS:
            self._crashes = 0

    def _become_ready(self, now: float) -> None:
        self.state, self._was_ready = UnitState.READY, True
        self._seconds = round(now - self._spawned_at, 1)

    def _crashed(self, now: float, message: str) -> None:
        self._crashes += 1
        self.message = message
        if self.part.is_job or (not self._was_ready and self._crashes >= START_TRIES):
            self.state = UnitState.FAILED
            return
        self.state = UnitState.BACKOFF
        self._next_try = now + BACKOFF_SECONDS[min(self._crashes, len(BACKOFF_SECONDS)) - 1]


def _how(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
