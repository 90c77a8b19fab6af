"""The sandboxed side of a call: read the request, give everything up, run, answer in JSON lines."""

import ctypes
import gc
import importlib
import json
import logging
import os
import resource
import signal
import socket
import struct
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import Any

from etlfabric_core.errors import FabricError
from etlfabric_core.sandbox import landlock, network, seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522

_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/lib", "/lib64", "/etc/ssl/certs")
_SYSTEM_FILES = (
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/usr/share/locale",
    "/dev/urandom",
    "/dev/null",
)


class Channel(logging.Handler):
    """The way out: frames of JSON, one a line. Also the child's only log handler."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(logging.INFO)
        self._connection = connection
        self._one_at_a_time = threading.Lock()

    def send(self, **frame: Any) -> None:
        """Send one frame."""
        line = json.dumps(frame).encode() + b"\n"
        with self._one_at_a_time:
            self._connection.sendall(line)

    def emit(self, record: logging.LogRecord) -> None:
        self.send(log=[record.name, record.levelno, record.getMessage()])


def serve(connection: socket.socket) -> None:
    """Answer the one request that waits on the connection. The process is expected to end then."""
    die_with_parent()
    channel = Channel(connection)
    with connection.makefile("rb") as reader:
        line = reader.readline()
    if not line:
        return
    request = json.loads(line)
    megabytes = request["policy"]["memory_bytes"] >> 20
    try:
        function = _function(request["function"])
        _prepare(connection, request["policy"])
        logging.root.handlers[:] = [channel]
        logging.root.setLevel(logging.INFO)
        channel.send(result=function(*request["args"]))
    except FabricError as error:
        channel.send(error=error.body())
    except MemoryError:
        _answer_out_of_memory(channel, megabytes)
    except BaseException as error:  # whatever tenant code raises becomes an answer
        text = f"{type(error).__name__}: {error}"[:4000]
        channel.send(error={"error": "terminal", "message": text})


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _answer_out_of_memory(channel: Channel, megabytes: int) -> None:
    gc.collect()
    text = f"the sandboxed code needed more than {megabytes} MB of memory and was stopped"
    channel.send(error={"error": "terminal", "message": text, "hint": "use less at a time"})


def _function(name: str) -> Any:
    """The function to call. Only this package's own code can be named."""
    module, _, function = name.partition(":")
    if not module.startswith("etlfabric_core."):
        raise PermissionError(f"{module} may not be called in the sandbox")
    return getattr(importlib.import_module(module), function)


def _prepare(connection: socket.socket, policy: dict[str, Any]) -> None:
    """From here on, tenant code may do what it likes."""
    work_dir = policy["work_dir"]
    os.chdir(work_dir)
    os.umask(0o077)
    os.environ.clear()
    os.environ.update(
        {"HOME": work_dir, "TMPDIR": work_dir, "LANG": "C.UTF-8", "TZ": "UTC", "DO_NOT_TRACK": "1"}
    )
    os.environ.update(policy["environment"])
    tempfile.tempdir = work_dir
    _close_files_but(connection.fileno())
    ports = _leave_network(connection, policy)
    _limit(policy)
    libc = ctypes.CDLL(None)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if policy["level"] == "landlock":
        read = [Path(path) for path in (*_SYSTEM, *_SYSTEM_FILES, *_python_paths())]
        landlock.restrict(read, [Path(work_dir)], ports)
    if seccomp.available():
        _drop_capabilities(libc)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        seccomp.restrict()


def _leave_network(connection: socket.socket, policy: dict[str, Any]) -> list[int]:
    """The ports that stay open: the gate's, which alone matters where no namespace can be had."""
    if policy["level"] == "bubblewrap" or network.leave():
        network.in_force = "none"
    elif policy["level"] == "landlock":
        network.in_force = "one port"
    if not policy["gate"]:
        return []
    port = network.give_gate(connection)
    os.environ["GATE_PORT"] = str(port)
    return [port]


def _python_paths() -> set[str]:
    """The interpreter's own files, the installed packages, and this package."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths.add(str(Path(__file__).parents[1]))
    paths.add(str(Path(sys.base_prefix) / "lib"))
    return {path for path in paths if path}


def _close_files_but(kept: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)


def _limit(policy: dict[str, Any]) -> None:
    cpu = int(policy["cpu_seconds"])
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 2),
        (resource.RLIMIT_AS, policy["memory_bytes"], policy["memory_bytes"]),
        (resource.RLIMIT_FSIZE, policy["file_bytes"], policy["file_bytes"]),
        (resource.RLIMIT_NOFILE, policy["open_files"], policy["open_files"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))
    if network.in_force == "none":  # else all processes of this user would count
        resource.setrlimit(resource.RLIMIT_NPROC, (policy["threads"], policy["threads"]))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root without capabilities is an ordinary owner of its files."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))


if __name__ == "__main__":  # the bubblewrap way: a cold child on an inherited socket
    serve(socket.socket(fileno=int(sys.argv[1])))
