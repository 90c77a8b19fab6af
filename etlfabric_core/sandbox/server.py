"""The warm fork server: a clean process that has imported dbt and forks a child per call.

It begins with an empty environment, holds no secret and never reads a request (its child does),
so nothing of one organization can be found in the memory of another's child.
"""

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from etlfabric_core.errors import TransientError

ADDRESS_VARIABLE = "ETLFABRIC_SANDBOX_ADDRESS"
_PRELOAD = (
    "dbt.cli.main",
    "dbt.adapters.postgres",
    "dbt.task.build",
    "etlfabric_core.transform.invocation",
    "etlfabric_core.sandbox.selftest",
)
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_PROGRAM = "import sys; from etlfabric_core.sandbox.server import main; main(sys.argv[1])"
_START_SECONDS = 120
_start = threading.Lock()


def ensure() -> str:
    """The address of a running server; starts one if there is none.

    The server ends with the process that started it. Call this early in a long-lived process
    (the metadata service, the scheduler): processes forked from it find the server through the
    environment and need none of their own.

    Raises:
        TransientError: the server did not start.
    """
    with _start:
        connection = _existing()
        if connection is None:
            os.environ[ADDRESS_VARIABLE] = _launch()
        else:
            connection.close()
        return os.environ[ADDRESS_VARIABLE]


def connect() -> socket.socket:
    """A connection to a fresh child of the server.

    Raises:
        TransientError: the server did not start.
    """
    connection = _existing()
    if connection is None:
        ensure()
        connection = _existing()
    if connection is None:
        raise TransientError("the sandbox server does not answer")
    return connection


def _existing() -> socket.socket | None:
    """A connection to the server that the environment names, if it lives."""
    address = os.environ.get(ADDRESS_VARIABLE)
    connection = socket.socket(socket.AF_UNIX)
    if address and connection.connect_ex(address) == 0:
        return connection
    connection.close()
    return None


def _launch() -> str:
    directory = tempfile.mkdtemp(prefix="etlfabric-sandbox-")  # mode 0700
    address = str(Path(directory) / "socket")
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-c", _PROGRAM, address],
        env=_ENVIRONMENT,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101  it is a pipe
    ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    if not ready or not process.stdout.read(1):
        process.kill()
        shutil.rmtree(directory, ignore_errors=True)
        raise TransientError("the sandbox server did not start")
    process.stdout.close()
    return address


class Server:
    """Accepts callers, forks a child for each, and kills the child of a caller that leaves."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._parent = os.getppid()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(128)
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._wakeup, wakeup = socket.socketpair()
        for end in (self._wakeup, wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        self._wakeup_writer = wakeup
        self._poll.register(self._wakeup, select.POLLIN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._calls: dict[int, tuple[socket.socket, int]] = {}  # fd → connection, child's pid

    def run(self) -> None:
        """Serve until the process that started the server is gone."""
        while os.getppid() == self._parent:
            for fd, _ in self._poll.poll(1000):
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == self._wakeup.fileno():
                    self._reap()
                elif fd in self._calls:
                    self._kill(self._calls[fd][1])

    def close(self) -> None:
        """Kill what still runs and remove the socket."""
        for _, pid in self._calls.values():
            self._kill(pid)
        shutil.rmtree(Path(self._address).parent, ignore_errors=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        if struct.unpack("3i", credentials)[1] != os.getuid():
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become_child(connection)
        self._calls[connection.fileno()] = connection, pid
        # Only the caller's end of the line matters here: what it says is for the child.
        self._poll.register(connection, select.POLLRDHUP)

    def _become_child(self, connection: socket.socket) -> None:
        from etlfabric_core.sandbox import child

        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child.serve(connection)
        finally:
            os._exit(0)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(4096):
                pass
        for fd, (connection, pid) in list(self._calls.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            self._poll.unregister(fd)
            del self._calls[fd]
            frame = b'\n{"exit": %d}\n' % os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):  # the caller may have left
                connection.send(frame, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            connection.close()

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _warm_up() -> None:
    from etlfabric_core.transform import invocation

    invocation.warm_up()
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  native threads count too
        raise RuntimeError("a process with threads must not fork")


def main(address: str) -> None:
    """Preload, say that we are ready, serve."""
    for module in _PRELOAD:
        importlib.import_module(module)
    _warm_up()
    server = Server(address)
    gc.collect()
    gc.freeze()  # children share these pages
    os.write(1, b"r")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    try:
        server.run()
    finally:
        server.close()
