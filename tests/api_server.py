"""A small HTTP API on the loopback whose answers a test says, and a book of what was asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from etlfabric_core.extract_load.plan import Endpoint


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Said:
    """One answer. A body that is no text or bytes goes out as JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Route = Callable[[Asked], Said]


@dataclass
class ApiServer:
    """A running API: paths and what answers there."""

    port: int
    routes: dict[str, Route] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        route = self.routes.get(asked.path)
        return route(asked) if route else Said({"error": "unknown"}, 404)

    def endpoint(
        self, connector: str = "rest", secrets: dict[str, str] | None = None, **config: Any
    ) -> Endpoint:
        return Endpoint(
            connector=connector,
            config={"base_url": self.url, **config},
            secrets=secrets or {},
            addresses=("127.0.0.1",),
        )


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Starts it on a free port and ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            said = api.answer(Asked(self.command, parts.path, query, dict(self.headers), body))
            content = said.content()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_HEAD = do_GET  # noqa: N815 (named by the library)

        def log_message(self, *_: Any) -> None:
            """Nothing: the book is kept in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api = ApiServer(server.server_address[1])
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
