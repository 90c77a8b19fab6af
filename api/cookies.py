"""Cookies as this service sets them: no script reads them, and one path alone gets them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from fastapi import Request, Response

from etlfabric_core.settings import Settings


@dataclass(frozen=True)
class Cookie:
    """One cookie: where it goes, and from which sites requests may carry it."""

    name: str
    path: str
    samesite: Literal["lax", "strict"]
    secure: bool

    def value(self, request: Request) -> str | None:
        """What the browser sent; empty is nothing."""
        return request.cookies.get(self._full_name) or None

    def keep(self, response: Response, value: str, lifetime: timedelta) -> None:
        """Leaves it with the browser."""
        response.set_cookie(
            self._full_name,
            value,
            max_age=int(lifetime.total_seconds()),
            path=self.path,
            httponly=True,
            samesite=self.samesite,
            secure=self.secure,
        )

    def drop(self, response: Response) -> None:
        """Takes it away."""
        response.delete_cookie(
            self._full_name,
            path=self.path,
            httponly=True,
            samesite=self.samesite,
            secure=self.secure,
        )

    @property
    def _full_name(self) -> str:
        # Browsers take a cookie of this prefix over an encrypted connection only.
        return f"__Secure-{self.name}" if self.secure else self.name


def over_https(settings: Settings) -> bool:
    """Whether browsers reach this service over an encrypted connection."""
    return settings.browser_url.startswith("https:")
