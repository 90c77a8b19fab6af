"""Runs code that a tenant wrote: no environment, few files, few ports, bounded resources.

`call` asks the warm fork server (`server.py`) for a child (`child.py`), which restricts itself
(`landlock.py`, `seccomp.py`) before it runs anything. The server is a process of its own that was
started with an empty environment and reads no request, so its children inherit no secret.
"""

import functools
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from etlfabric_core.errors import (
    FabricError,
    InvalidConfig,
    Problem,
    TerminalError,
    TransientError,
)
from etlfabric_core.sandbox import bubblewrap, landlock, server

Level = Literal["landlock", "bubblewrap", "process"]

_ERRORS: dict[str, type[FabricError]] = {
    error.code: error for error in (InvalidConfig, TerminalError, TransientError)
}


@dataclass(frozen=True)
class Policy:
    """What a call may use. Times are seconds, sizes bytes.

    `ports` are the TCP ports it may connect to; `environment` is all the environment it gets;
    `redact` are values that are taken out of everything it logs or raises.
    """

    work_dir: Path
    ports: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    wall_seconds: float = 60.0
    cpu_seconds: int = 60
    memory_bytes: int = 3 << 30
    file_bytes: int = 1 << 30
    open_files: int = 256
    answer_bytes: int = 64 << 20
    redact: tuple[str, ...] = field(default=(), repr=False)


def call(function: Callable[..., Any], *args: Any, policy: Policy) -> Any:
    """Call an importable function with JSON-able arguments in a sandboxed child.

    What the function logs appears in this process's logging.

    Raises:
        TerminalError: the function raised, or went over a limit of the policy.
        InvalidConfig, TransientError: the function raised that.
    """
    request = {
        "function": f"{function.__module__}:{function.__qualname__}",
        "args": args,
        "policy": asdict(policy) | {"work_dir": str(policy.work_dir.resolve()), "redact": ()},
    }
    connection = bubblewrap.start(policy.work_dir) if level() == "bubblewrap" else server.connect()
    deadline = time.monotonic() + policy.wall_seconds
    with connection:
        connection.settimeout(policy.wall_seconds)
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise TransientError("the sandbox went away before it began") from error
        return _answer(_frames(connection, policy, deadline), policy)


@functools.cache
def level() -> Level:
    """Which isolation this machine gives; operators see it in the health report."""
    if landlock.abi() >= landlock.NETWORK_ABI:
        return "landlock"
    return "bubblewrap" if bubblewrap.works() else "process"


def _frames(connection: socket.socket, policy: Policy, deadline: float) -> Iterator[dict[str, Any]]:
    """The child's lines as they come. Leaving the loop closes the socket, which kills the child."""
    pending, received = b"", 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise _limit(f"took longer than {policy.wall_seconds:g} s")
        connection.settimeout(left)
        try:
            chunk = connection.recv(1 << 20)
        except TimeoutError:
            continue
        except ConnectionError:
            chunk = b""
        if not chunk:
            return
        received += len(chunk)
        if received > policy.answer_bytes:
            raise _limit(f"answered with more than {policy.answer_bytes >> 20} MB")
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            frame = _parse(_redacted(line.decode(errors="replace"), policy))
            if frame is not None:
                yield frame


def _parse(line: str) -> dict[str, Any] | None:
    """A frame; None for a line that a dying child left half-written."""
    try:
        frame = json.loads(line)
    except ValueError:
        return None
    return frame if isinstance(frame, dict) else None


def _redacted(line: str, policy: Policy) -> str:
    for secret in policy.redact:
        line = line.replace(json.dumps(secret)[1:-1], "***")
    return line


def _answer(frames: Iterator[dict[str, Any]], policy: Policy) -> Any:
    for frame in frames:
        match frame:
            case {"log": [str(name), int(severity), str(message)]}:
                logging.getLogger(name).log(severity, "%s", message)
            case {"result": result}:
                return result
            case {"error": dict(body)}:
                raise _rebuilt(body)
            case {"exit": int(status)}:
                raise _limit(_death(status, policy))
    raise _limit("ended without an answer")


def _rebuilt(body: dict[str, Any]) -> FabricError:
    """The child's error. It may be a lie of the tenant's, told to nobody but the tenant."""
    problems = [
        Problem(
            message=str(problem.get("message")),
            field=problem.get("field"),
            node=problem.get("node"),
            line=problem.get("line"),
        )
        for problem in body.get("problems", ())
    ]
    error = _ERRORS.get(str(body.get("error")), TerminalError)
    return error(str(body.get("message")), hint=body.get("hint"), problems=problems)


def _death(status: int, policy: Policy) -> str:
    """What a wait status says; SIGXCPU comes at the soft limit of processor time."""
    if status in (-24, -9):
        return f"used more than {policy.cpu_seconds} s of processor time or too much memory"
    return f"ended without an answer (status {status})"


def _limit(what: str) -> TerminalError:
    return TerminalError(
        f"the sandboxed code {what} and was stopped",
        hint="look for an endless loop or a result that is too large",
    )
