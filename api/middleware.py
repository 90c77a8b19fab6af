"""What surrounds every request: its id, its log line, its size limit, its security headers."""

import re
import time
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer, unexpected
from etlfabric_core.errors import TooLarge

log = structlog.get_logger()

MAX_BODY_BYTES = 8 << 20
MULTIPART_OVERHEAD = 64 << 10
UPLOADS = "/api/v1/uploads"
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
}
# The viewer of the API's documentation is started inline.
DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


def install(app: FastAPI, *, upload_max_bytes: int) -> None:
    """Adds the middleware; the last one added is the outermost."""
    app.add_middleware(BodyLimit, upload_max_bytes=upload_max_bytes)
    app.add_middleware(RequestContext)


class RequestContext:
    """Gives a request its id, binds it to the log, sets headers, and writes one line about it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id", ""))
        client = scope["client"][0] if scope.get("client") else None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, client=client)
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _set_headers(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            response = unexpected(scope["path"], error)
            if not status:  # an answer that has begun cannot be taken back
                await response(scope, receive, send_with_headers)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
            )


def _request_id(given: str) -> str:
    return given if REQUEST_ID.fullmatch(given) else uuid4().hex


def _set_headers(headers: MutableHeaders, path: str, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    if path == "/docs":
        headers["Content-Security-Policy"] = DOCS_POLICY
    if path.startswith(("/api/", "/internal/")):
        headers.setdefault("Cache-Control", "no-store")


class BodyLimit:
    """Refuses a body that is longer than its path needs."""

    def __init__(self, app: ASGIApp, upload_max_bytes: int) -> None:
        self.app = app
        self.limits = {UPLOADS: upload_max_bytes + MULTIPART_OVERHEAD}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, received = self.limits.get(scope["path"], MAX_BODY_BYTES), 0
        message = f"the request's body is larger than the {limit} bytes that are accepted"
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            await answer(TooLarge(message, hint="send less at once"))(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal received
            part = await receive()
            received += len(part.get("body", b""))
            if received > limit:
                # The one kind of exception that FastAPI's body parser lets through.
                raise HTTPException(413, message)
            return part

        await self.app(scope, counted, send)
