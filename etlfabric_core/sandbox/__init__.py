"""Runs code that a tenant wrote: no environment, few files, no network, bounded resources.

`call` asks the warm fork server (`server.py`) for a child (`child.py`), which restricts itself
(`network.py`, `landlock.py`, `seccomp.py`) before it runs anything. The server is a process of its
own that was started with an empty environment and reads no request, so its children inherit no
secret.
"""

import functools
import json
import os
import platform
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from typing import Any, Literal

from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.sandbox import (
    answers,
    bubblewrap,
    landlock,
    network,
    relay,
    scratch,
    seccomp,
    selftest,
    server,
)
from etlfabric_core.sandbox.limits import Policy

__all__ = ["Level", "Policy", "call", "level", "report", "server"]

Level = Literal["landlock", "bubblewrap", "process"]

OPT_OUT = "ETLFABRIC_ALLOW_UNSANDBOXED_CODE"


def call(function: Callable[..., Any], *args: Any, policy: Policy) -> Any:
    """Call an importable function with JSON-able arguments in a sandboxed child.

    What the function logs appears in this process's logging.

    Raises:
        TerminalError: the function raised, went over a limit of the policy, or this machine has
            no sandbox and the operator did not allow to go without.
        InvalidConfig, TransientError: the function raised that.
    """
    in_force = level()
    if in_force == "process" and not unsandboxed_code_is_allowed():
        raise TerminalError(
            "this machine has no sandbox for the code of organizations",
            hint=f"the operator has to install bubblewrap or a kernel with Landlock 4, "
            f"or accept the risk with {OPT_OUT}=true",
        )
    request = {
        "function": f"{function.__module__}:{function.__qualname__}",
        "args": args,
        "policy": policy.for_child() | {"level": in_force},
    }
    with _child(in_force, policy) as child:
        try:
            child.connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise TransientError("the sandbox went away before it began") from error
        with _gate(child, policy):
            return answers.await_answer(child, policy)


@functools.cache
def level() -> Level:
    """Which isolation this machine gives; operators see it in the report."""
    if landlock.abi() >= landlock.NETWORK_ABI and seccomp.available():
        return "landlock"
    return "bubblewrap" if bubblewrap.works() else "process"


def unsandboxed_code_is_allowed() -> bool:
    """Whether the operator accepts that tenant code runs in a plain child process."""
    return os.environ.get(OPT_OUT, "").lower() in ("1", "true", "yes")


@functools.cache
def report() -> dict[str, Any]:
    """What operators should know: the level in force, and what an attack from inside came to.

    Runs the self-test once per process; `holes` names what tenant code could do and should not.
    """
    in_force = level()
    runs = in_force != "process" or unsandboxed_code_is_allowed()
    found = _tried() if runs else {"network": "shared", "holes": []}
    numbers = [one for one in fields(Policy) if isinstance(one.default, int | float)]
    return {
        "level": in_force,
        "runs_tenant_code": runs,
        "landlock_abi": landlock.abi(),
        "seccomp": seccomp.available(),
        "network": found["network"],
        "holes": found["holes"],
        "limits": {one.name: one.default for one in numbers},
        "kernel": platform.release(),
    }


def _tried() -> dict[str, Any]:
    """What the self-test finds, which attacks a file and a port made for it, and this process."""
    with scratch.folder() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        (folder / "file").write_text("of the caller")
        policy = Policy(folder / "work", wall_seconds=30)
        policy.work_dir.mkdir()
        port = listener.getsockname()[1]
        found: dict[str, Any] = call(
            selftest.attack, str(folder / "file"), os.getpid(), port, policy=policy
        )
        return found


@contextmanager
def _child(in_force: Level, policy: Policy) -> Iterator[answers.Child]:
    """A child that waits for its request, and is gone when the block is left."""
    if in_force == "bubblewrap":
        with bubblewrap.started(policy.work_dir) as (connection, ended):
            yield answers.Child(connection, ended)
    else:
        with server.connect() as connection:
            yield answers.Child(connection)


def _gate(child: answers.Child, policy: Policy) -> AbstractContextManager[None]:
    if policy.gate is None:
        return nullcontext()
    child.connection.settimeout(policy.wall_seconds)
    listener = network.take_gate(child.connection)
    return relay.answering(listener, policy.gate) if listener else nullcontext()
