"""Tries, from inside the sandbox, what tenant code must not be able to do."""

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etlfabric_core.sandbox import network


def attempt(attempts: list[list[Any]]) -> list[str]:
    """Carry out each `[name, *arguments]`; say "done: …" or the name of the refusal.

    An attempt that succeeds is a hole, except for those that the policy allows.
    """
    return [_outcome(_ATTEMPTS[name], arguments) for name, *arguments in attempts]


def attack(file: str, caller: int, port: int) -> dict[str, Any]:
    """Which of the plainest attacks on a file, a process and a port of the caller succeed."""
    attempts: list[list[Any]] = [
        ["read", file],
        ["write", file],
        ["write", f"{file}.new"],
        ["link", file, "link"],
        ["signal", caller],
        ["fork"],
        ["exec", "/bin/sh"],
        ["connect", "127.0.0.1", port],
        ["bind", 0],
        ["udp", 53],
        ["chmod", "."],
    ]
    outcomes = zip(attempts, attempt(attempts), strict=True)
    holes = [str(one[0]) for one, outcome in outcomes if outcome.startswith("done")]
    return {"network": network.in_force, "holes": holes}


def execute(sources: dict[str, str]) -> dict[str, str]:
    """Run Python texts one after the other; say "done: …" with what each left in `result`.

    Nothing of the product calls this: it is how the walls are tried with what tenants could write.
    """

    def run(source: str) -> Any:
        space: dict[str, Any] = {}
        exec(source, space)  # noqa: S102  that is what the sandbox is for
        return space.get("result")

    return {name: _outcome(run, [source]) for name, source in sources.items()}


def nothing() -> None:
    """Cost nothing, so that what a call costs can be measured."""


def spin() -> None:
    """Never end."""
    while True:
        pass


def hoard(size: int) -> int:
    """Take that many bytes."""
    return len(bytearray(size))


def _outcome(action: Callable[..., Any], arguments: list[Any]) -> str:
    try:
        return f"done: {action(*arguments)}"
    except MemoryError:
        raise
    except Exception as error:
        return type(error).__name__


def _connect(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=2):
        pass


def _bind(port: int) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()


def _unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)


def _udp(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.sendto(b"x", ("127.0.0.1", port))


def _fork() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def _thread() -> str:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "joined"


def _open_descriptors() -> list[int]:
    def is_open(fd: int) -> bool:
        try:
            os.fstat(fd)
        except OSError:
            return False
        return True

    return [fd for fd in range(3, 1024) if is_open(fd)]


def _initial_environment() -> str:
    """What the C library remembers of the environment, not what Python shows."""
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    values, index = [], 0
    while environ[index]:
        values.append(environ[index] or b"")
        index += 1
    return b" ".join(values).decode()


_ATTEMPTS: dict[str, Callable[..., Any]] = {
    "read": lambda path: Path(path).read_text(errors="replace"),
    "list": lambda path: os.listdir(path),  # noqa: PTH208  the plainest call is the better probe
    "write": lambda path: Path(path).write_text("x"),
    "chmod": lambda path: os.chmod(path, 0o777),  # noqa: PTH101, S103
    "link": lambda target, name: os.symlink(target, name),  # noqa: PTH211
    "connect": _connect,
    "bind": _bind,
    "unix": _unix,
    "udp": _udp,
    "fork": _fork,
    "thread": _thread,
    "exec": lambda path: os.execv(path, [path, "-c", "exit 7"]),  # noqa: S606
    "signal": lambda pid: os.kill(pid, signal.SIGCONT),
    "descriptors": _open_descriptors,
    "environ": lambda: dict(os.environ),
    "initial_environment": _initial_environment,
}
