"""From where a request to Airflow comes: sign-ins are counted by address."""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

_ADDRESS: ContextVar[str | None] = ContextVar("etlfabric_client", default=None)


def address() -> str | None:
    """The address of whoever is being answered, as the server sees it."""
    return _ADDRESS.get()


class ClientMiddleware:
    """Remembers the address: Airflow does not hand it to what checks a password."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        client = scope.get("client")
        _ADDRESS.set(client[0] if client else None)
        await self.app(scope, receive, send)
