"""Starting, asking and ending the stack from outside: `up`, `status`, `down`."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from cli.stack import credentials
from cli.stack.environment import MARKER
from cli.stack.layout import PORT_SETTINGS, Layout, python
from cli.stack.parts import airflow_health, answers
from cli.stack.ports import is_taken
from cli.stack.supervisor import DRAIN_SECONDS, KILL_SECONDS
from etlfabric_core.errors import Conflict, TerminalError

UP_SECONDS = 420
DOWN_SECONDS = 3 * DRAIN_SECONDS
LOG_TAIL_LINES = 25
AIRFLOW_PARTS = ("scheduler", "dag-processor", "triggerer")
Say = Callable[[str], None]


def is_running(layout: Layout) -> bool:
    """Whether a supervisor holds the stack's lock."""
    if not layout.lock_file.exists():
        return False
    with layout.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def up(layout: Layout, say: Say) -> bool:
    """Start what is not running and wait until every part is healthy.

    Returns:
        False when the stack was up already.

    Raises:
        Conflict: another program has a port.
        TerminalError: a part did not start; the message has the end of its log.
    """
    layout.make_directories()
    already = is_running(layout)
    if not already:
        sweep(layout)
        _check_ports(layout)
        credentials.ensure(layout.secrets_file)
        _start_supervisor(layout)
    try:
        _wait_until_ready(layout, say, quiet=already)
    except TerminalError:
        if not already:
            down(layout)
        raise
    return not already


def down(layout: Layout) -> bool:
    """Stop every process of the stack and wait for its end. Returns whether there was one."""
    was_running = is_running(layout)
    if was_running:
        supervisor = _supervisor(layout)
        if supervisor is not None:
            supervisor.send_signal(signal.SIGTERM)
        _wait(lambda: not is_running(layout), DOWN_SECONDS)
    found = sweep(layout)
    for path in layout.run.glob("*.pid"):
        path.unlink(missing_ok=True)
    layout.status_file.unlink(missing_ok=True)
    return was_running or found


def status(layout: Layout) -> dict[str, Any]:
    """What the supervisor knows, and what each part itself says about its health now."""
    if not is_running(layout):
        return {"running": False, "parts": {}}
    parts = read_status(layout).get("parts", {})
    health = airflow_health(layout.airflow_url)
    healthy = {
        "postgres": is_taken(layout.ports["postgres"]),
        "api": answers(f"{layout.api_url}/healthz"),
        "api-server": bool(health),
        **{name: health.get(name) == "healthy" for name in AIRFLOW_PARTS},
    }
    for name, part in parts.items():
        part["healthy"] = part["state"] == "ready" and healthy.get(name, True)
    return {"running": True, "parts": parts}


def read_status(layout: Layout) -> dict[str, Any]:
    """The supervisor's last word; empty before its first."""
    try:
        found: dict[str, Any] = json.loads(layout.status_file.read_text())
    except FileNotFoundError:
        return {}
    return found


def sweep(layout: Layout) -> bool:
    """End whatever carries the stack's mark without a supervisor. Returns whether there was any."""
    left = marked(layout)
    for process in left:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, KILL_SECONDS)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, KILL_SECONDS)
    return bool(left)


def marked(layout: Layout) -> list[psutil.Process]:
    """Every live process that carries the stack's mark, except the one that asks."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARKER) == str(layout.var)
        except psutil.Error:
            continue  # gone, a zombie, or another user's and so not ours
        if ours and process.pid != os.getpid():
            found.append(process)
    return found


def _signal(process: psutil.Process, sig: int) -> None:
    try:
        process.send_signal(sig)
    except psutil.NoSuchProcess:
        return  # it ended by itself in between


def _check_ports(layout: Layout) -> None:
    if len(set(layout.ports.values())) < len(layout.ports):
        settings = ", ".join(setting for setting, _ in PORT_SETTINGS.values())
        raise Conflict(
            f"two parts would share a port: {dict(layout.ports)}",
            hint=f"Give each its own: {settings}",
        )
    for name, (setting, _) in PORT_SETTINGS.items():
        port = layout.ports[name]
        if is_taken(port):
            raise Conflict(
                f"port {port}, which {name} needs, is taken by another program",
                hint=f"End that program, or choose another port: {setting}=<free port> make up",
            )


def _start_supervisor(layout: Layout) -> None:
    with layout.log_file("supervisor").open("ab") as log:
        subprocess.Popen(
            python("-m", "cli.stack.supervisor"),
            env=os.environ | _settings(layout),
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _settings(layout: Layout) -> dict[str, str]:
    ports = {setting: str(layout.ports[name]) for name, (setting, _) in PORT_SETTINGS.items()}
    return {"ETLFABRIC_VAR": str(layout.var), MARKER: str(layout.var), **ports}


def _wait_until_ready(layout: Layout, say: Say, *, quiet: bool) -> None:
    """Follow the supervisor's word, with one line for each part that becomes ready."""
    begun, said = time.monotonic(), set[str]()
    while True:
        parts = read_status(layout).get("parts", {})
        for name, part in parts.items():
            _raise_if_failed(layout, name, part)
            if part["state"] == "ready" and name not in said:
                said.add(name)
                if not quiet:
                    say(f"  {name:18} ready after {time.monotonic() - begun:5.1f} s")
        if parts and len(said) == len(parts):
            return
        if time.monotonic() - begun > UP_SECONDS:
            waiting = ", ".join(sorted(set(parts) - said)) or "the supervisor"
            raise TerminalError(
                f"not ready after {UP_SECONDS} s: {waiting}",
                hint=f"Their logs are in {layout.logs}.",
            )
        if time.monotonic() - begun > KILL_SECONDS and not is_running(layout):
            raise TerminalError(f"the supervisor ended:\n{_tail(layout, 'supervisor')}")
        time.sleep(0.2)


def _raise_if_failed(layout: Layout, name: str, part: dict[str, Any]) -> None:
    if part["state"] == "failed":
        raise TerminalError(
            f"{name} {part['message']}; the end of {layout.log_file(name)}:\n{_tail(layout, name)}",
            hint="Mend what the log says, then start again with `make up`.",
        )


def _tail(layout: Layout, part: str) -> str:
    log = layout.log_file(part)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  | {line}" for line in lines[-LOG_TAIL_LINES:])


def _supervisor(layout: Layout) -> psutil.Process | None:
    """The process of the pid file, if it still is the one that wrote it."""
    try:
        pid, started = layout.pid_file("supervisor").read_text().split()
        process = psutil.Process(int(pid))
        return process if abs(process.create_time() - float(started)) < 1 else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
