"""A small HTTP server on 127.0.0.1 whose answers a function makes, for what tests cannot reach."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What came in; of a parameter that is there twice, the first."""

    path: str
    query: dict[str, str]
    form: dict[str, str]
    authorization: str | None


@dataclass
class Reply:
    """An HTTP answer; it is held back until `after` is set."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    location: str | None = None
    after: threading.Event | None = None


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer with that JSON."""
    return Reply(status, json.dumps(value).encode())


class LocalServer:
    """Listens from `start` to `stop`."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port: int = self._server.server_port

    def start(self) -> None:
        """Serves in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(answer: Callable[[Request], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self._answer(self.rfile.read(length).decode())

        def _answer(self, body: str) -> None:
            url = urlsplit(self.path)
            authorization = self.headers.get("authorization")
            reply = answer(Request(url.path, _flat(url.query), _flat(body), authorization))
            if reply.after is not None:
                reply.after.wait(timeout=60)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.location:
                self.send_header("Location", reply.location)
            try:
                self.end_headers()
                self.wfile.write(reply.body)
            except ConnectionError:
                self.close_connection = True  # the service has hung up, as it should

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the output of the tests clean."""

    return Handler


def _flat(encoded: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded).items()}
