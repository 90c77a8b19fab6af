"""The service with other settings, and clients of it at addresses of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from etlfabric_core.settings import Settings
from tests.api.conftest import USER_PASSWORD

WEB = {"X-Requested-With": "etlfabric-web"}


@dataclass(frozen=True)
class OtherService:
    """A service beside the one that most tests share."""

    app: FastAPI

    def client(self, address: str = "203.0.113.7", **options: Any) -> httpx.AsyncClient:
        """A client at that address."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://service.test", **options)


@asynccontextmanager
async def other_service(settings: Settings, **changes: Any) -> AsyncIterator[OtherService]:
    """A service whose settings differ by `changes`."""
    app = create_app(Settings(_env_file=None, **settings.model_dump() | changes))
    try:
        yield OtherService(app)
    finally:
        await app.state.wiring.orchestrator.close()
        await app.state.wiring.sessions.kw["bind"].dispose()


async def sign_in(
    client: httpx.AsyncClient, email: str, password: str = USER_PASSWORD, **more: str
) -> httpx.Response:
    """The answer to a sign-in."""
    body = {"email": email, "password": password, **more}
    return await client.post("/api/v1/auth/login", json=body)
