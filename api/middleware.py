"""What surrounds every request: its id, its log line, its size limit, its security headers."""

import re
import time
from collections.abc import Mapping
from uuid import uuid4

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer, unexpected
from etlfabric_core.errors import TooLarge
from etlfabric_core.settings import Settings

log = structlog.get_logger()

# The largest model or graph that people write is far below. Airflow's side reports more.
MAX_BODY_BYTES = 1 << 20
MAX_INTERNAL_BODY_BYTES = 8 << 20
MAX_PIPELINE_BODY_BYTES = 4 << 20  # thousands of tables, each with all of its settings
MULTIPART_OVERHEAD = 64 << 10
UPLOADS = "/api/v1/uploads"
PIPELINES = "/api/v1/pipelines"
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
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


HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
# What pages of other origins may send and read. Never X-Requested-With: it marks our own pages.
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CORS_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "If-Match",
    "Last-Event-ID",
    "Upload-Checksum",
    "Upload-Offset",
)
CORS_ANSWER_HEADERS = ("ETag", "Retry-After", "Upload-Length", "Upload-Offset", "X-Request-ID")


def install(app: FastAPI, settings: Settings) -> None:
    """Adds the middleware; the last one added is the outermost."""
    app.add_middleware(BodyLimit, upload_max_bytes=settings.upload_max_bytes)
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=False,  # cookies are for our own pages
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        )
    https = settings.browser_url.startswith("https:")
    app.add_middleware(RequestContext, headers=SECURITY_HEADERS | (HTTPS_ONLY if https else {}))


class RequestContext:
    """Gives a request its id, binds it to the log, sets headers, and writes one line about it."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app = app
        self.headers = headers

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
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.update(self.headers)
                _fit_headers(headers, scope["path"])
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


def _fit_headers(headers: MutableHeaders, path: str) -> None:
    if path == "/docs":
        headers["Content-Security-Policy"] = DOCS_POLICY
    if path.startswith(("/api/", "/internal/")):
        headers.setdefault("Cache-Control", "no-store")


class BodyLimit:
    """Refuses a body that is longer than its path needs."""

    def __init__(self, app: ASGIApp, upload_max_bytes: int) -> None:
        self.app = app
        self.upload_max_bytes = upload_max_bytes + MULTIPART_OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, received = self._limit(scope["path"]), 0
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

    def _limit(self, path: str) -> int:
        if path == UPLOADS or path.startswith(f"{UPLOADS}/partial/"):
            return self.upload_max_bytes
        if path == PIPELINES or path.startswith(f"{PIPELINES}/"):
            return MAX_PIPELINE_BODY_BYTES
        return MAX_INTERNAL_BODY_BYTES if path.startswith("/internal/") else MAX_BODY_BYTES
