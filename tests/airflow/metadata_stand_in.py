"""Stands in for the metadata service: /internal/v1 over real HTTP, answers from memory."""

import json
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlparse

from etlfabric_core import clock
from etlfabric_core.specs.document import DagSpec, Publication, PublicationPage

TOKEN = "t" * 32
PREFIX = "/internal/v1/"

Answer = tuple[int, bytes]


class MetadataStandIn:
    """`publish` adds to the feed; `misbehave` replaces how a route answers."""

    def __init__(self, port: int = 0) -> None:
        self.publications: list[Publication] = []
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[str, dict[str, Any]], Answer]] = {
            "publications": self._publications,
            "specs": self._specs,
            "blobs": self._blob,
            "reports": lambda *_: (204, b""),
            "progress": lambda *_: (204, b""),
        }
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.handle(self, {})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                stand_in.handle(self, json.loads(self.rfile.read(length)))

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "MetadataStandIn":
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def publish(self, org: str, workflow: str, spec: DagSpec | None) -> int:
        seq = len(self.publications) + 1
        published = Publication(seq=seq, org=org, workflow=workflow, spec=spec)
        self.publications.append(published)
        return seq

    def store(self, content: bytes) -> str:
        name = sha256(content).hexdigest()
        self.blobs[name] = content
        return name

    def bodies(self, route: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.asked if asked.startswith(route)]

    def handle(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        url = urlparse(request.path)
        route = url.path.removeprefix(PREFIX)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append((route, {**query, **body}))
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            status, content = 401, b"{}"
        else:
            status, content = self.answers[route.split("/")[0]](route, {**query, **body})
        try:
            request.send_response(status)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client lost patience: that is what some tests are about

    def _publications(self, _route: str, query: dict[str, Any]) -> Answer:
        after, limit = int(query["after"]), int(query["limit"])
        news = [one for one in self.publications if one.seq > after]
        page = PublicationPage(
            after=after,
            last_seq=news[:limit][-1].seq if news else after,
            complete=len(news) <= limit,
            publications=tuple(news[:limit]),
        )
        return 200, page.model_dump_json().encode()

    def _specs(self, route: str, query: dict[str, Any]) -> Answer:
        _, org, workflow = route.split("/")
        found = [
            one
            for one in self.publications
            if (one.org, one.workflow) == (org, workflow) and one.seq <= int(query["at"])
        ]
        return (200, found[-1].model_dump_json().encode()) if found else (404, b"{}")

    def _blob(self, route: str, _query: dict[str, Any]) -> Answer:
        content = self.blobs.get(route.split("/")[1])
        return (200, content) if content is not None else (404, b"{}")


def slowly(seconds: float) -> Callable[[str, dict[str, Any]], Answer]:
    """An answer that takes its time."""

    def answer(_route: str, _query: dict[str, Any]) -> Answer:
        time.sleep(seconds)
        return 200, b"{}"

    return answer


def lease_answer(seconds: float = 30.0) -> Answer:
    """A granted lease."""
    expires = clock.now().timestamp() + seconds
    return 200, json.dumps({"epoch": 1, "expires_at": expires}).encode()
