"""A line between two programs that breaks after so many bytes."""

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset and throws the rest away
BLOCK = 1 << 16
Direction = Literal["to_server", "to_client"]


class Proxy:
    """Passes connections on to a server until `bytes_left` bytes went in one direction.

    Then every connection breaks, and new ones are refused until `mend` is called.
    """

    def __init__(self, server_port: int, direction: Direction) -> None:
        self.direction = direction
        self.bytes_left: float = float("inf")
        self.passed = 0
        self.cut = threading.Event()
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines = selectors.DefaultSelector()
        self._lines.register(self._listener, selectors.EVENT_READ)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def break_after(self, bytes_left: int) -> None:
        """Lets so many bytes more through."""
        self.bytes_left = bytes_left

    def mend(self) -> None:
        """Lets everything through again."""
        self.bytes_left = float("inf")
        self.cut.clear()

    def _serve(self) -> None:
        while not self._over.is_set():
            for key, _ in self._lines.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:  # else it broke just now
                    self._pass_on(key.fileobj, *key.data)
        self._break()
        self._listener.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.cut.is_set():
            _reset(client)
            return
        server = socket.create_connection(self._server)
        self._lines.register(client, selectors.EVENT_READ, (server, "to_server"))
        self._lines.register(server, selectors.EVENT_READ, (client, "to_client"))

    def _pass_on(self, origin: socket.socket, target: socket.socket, direction: str) -> None:
        try:
            data = origin.recv(BLOCK)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for line in (origin, target):
                self._lines.unregister(line)
                line.close()
        if direction == self.direction:
            self.passed += len(data)
            self.bytes_left -= len(data)
            if self.bytes_left <= 0:
                self.cut.set()
                self._break()

    def _break(self) -> None:
        for key in list(self._lines.get_map().values()):
            if key.fileobj is not self._listener:
                self._lines.unregister(key.fileobj)
                _reset(key.fileobj)


def _reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    line.close()


@contextmanager
def proxy(server_port: int, direction: Direction) -> Iterator[Proxy]:
    """A running one."""
    made = Proxy(server_port, direction)
    made._thread.start()
    try:
        yield made
    finally:
        made._over.set()
        made._thread.join()
