"""Reads what a sandboxed child says. Nothing of it is believed: it may be a tenant's invention."""

import json
import logging
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from etlfabric_core.errors import (
    FabricError,
    InvalidConfig,
    Problem,
    TerminalError,
    TransientError,
)
from etlfabric_core.sandbox.limits import Policy, too_much_in

_ERRORS: dict[str, type[FabricError]] = {
    error.code: error for error in (InvalidConfig, TerminalError, TransientError)
}
_WATCH_SECONDS = 0.5  # between two looks at the child's folder
_LOGGERS = ("etlfabric_core.transform",)
_OTHER_LOGGER = "etlfabric_core.sandbox"
_LONGEST_LOG_LINE = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline
_KEPT_FOR_ERRORS = 100_000


@dataclass(frozen=True)
class Child:
    """A child's connection, and how to learn its wait status where no server reports it."""

    connection: socket.socket
    ended: Callable[[], int | None] = lambda: None


def await_answer(child: Child, policy: Policy) -> Any:
    """The function's result.

    Raises:
        TerminalError: the function raised, or the child went over a limit.
        InvalidConfig, TransientError: the function raised that.
    """
    log = _Log(policy.log_bytes)
    for frame in _frames(child.connection, policy):
        match frame:
            case {"log": [str(name), int(severity), str(message)]}:
                log.write(name, severity, message)
            case {"result": result}:
                return result
            case {"error": dict(body)}:
                raise _rebuilt(body)
            case {"exit": int(status)}:
                raise _limit(_death(status, policy))
    ended = child.ended()
    raise _limit("ended without an answer" if ended is None else _death(ended, policy))


class _Log:
    """The child's log lines in this process's log, up to a number of bytes."""

    def __init__(self, left: int) -> None:
        self._left = left

    def write(self, name: str, severity: int, message: str) -> None:
        if self._left <= 0:
            return
        logger = logging.getLogger(name if name in _LOGGERS else _OTHER_LOGGER)
        self._left -= len(message)
        severity = min(max(severity, logging.DEBUG), logging.ERROR)
        logger.log(severity, "%s", _CONTROL.sub("", message[:_LONGEST_LOG_LINE]))
        if self._left <= 0:
            logger.warning("it logs too much; its further lines are left out")


def _frames(connection: socket.socket, policy: Policy) -> Iterator[dict[str, Any]]:
    """The child's lines as they come; watches time, size and folder meanwhile."""
    deadline = time.monotonic() + policy.wall_seconds
    looked = time.monotonic()
    pending, received = b"", 0
    while True:
        now = time.monotonic()
        if now >= deadline:
            raise _limit(f"took longer than {policy.wall_seconds:g} seconds")
        if now - looked >= _WATCH_SECONDS:
            if excess := too_much_in(policy):
                raise _limit(excess)
            looked = now
        connection.settimeout(min(_WATCH_SECONDS, deadline - now))
        chunk = _received(connection)
        if chunk is None:
            continue
        if not chunk:
            return
        received += len(chunk)
        if received > policy.answer_bytes:
            raise _limit(f"answered with more than {policy.answer_bytes >> 20} MB")
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            frame = _parse(line)
            if frame is not None:
                yield frame


def _received(connection: socket.socket) -> bytes | None:
    """The next bytes; none when the child is gone, None when it said nothing for now."""
    try:
        return connection.recv(1 << 20)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def _parse(line: bytes) -> dict[str, Any] | None:
    """A frame; None for a line that a dying child left half-written or a hostile one made up."""
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def _rebuilt(body: dict[str, Any]) -> FabricError:
    """The child's error. It may be a lie of the tenant's, told to nobody but the tenant."""
    told = body.get("problems")
    problems = [
        Problem(
            message=str(problem.get("message"))[:_KEPT_FOR_ERRORS],
            field=_text(problem.get("field")),
            node=_text(problem.get("node")),
            line=line if isinstance(line := problem.get("line"), int) else None,
        )
        for problem in (told if isinstance(told, list) else ())
        if isinstance(problem, dict)
    ]
    error = _ERRORS.get(str(body.get("error")), TerminalError)
    message = str(body.get("message"))[:_KEPT_FOR_ERRORS]
    return error(message, hint=_text(body.get("hint")), problems=problems[:100])


def _text(value: Any) -> str | None:
    return value[:1000] if isinstance(value, str) else None


def _death(status: int, policy: Policy) -> str:
    """What a wait status says; SIGXCPU comes at the soft limit of processor time."""
    if status == -signal.SIGXCPU:
        return f"used more than {policy.cpu_seconds} seconds of processor time"
    if status == -signal.SIGKILL:
        megabytes = policy.memory_bytes >> 20
        return (
            f"used more than {policy.cpu_seconds} seconds of processor time or "
            f"needed more than {megabytes} MB of memory"
        )
    return f"ended without an answer (status {status})"


def _limit(what: str) -> TerminalError:
    return TerminalError(
        f"the sandboxed code {what} and was stopped",
        hint="look for an endless loop or a result that is too large",
    )
