"""A browser that walks between the service and the providers, and keeps its cookies."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from fastapi import FastAPI

PUBLIC_URL = "http://service.test"
SSO = "/api/v1/auth/sso"
OURS = {"X-Requested-With": "etlfabric-web", "Origin": PUBLIC_URL}


@dataclass(frozen=True)
class Start:
    """What the service sent the browser to the provider with."""

    url: str
    query: dict[str, str]


class Browser(httpx.AsyncClient):
    """Keeps cookies, and reaches the service in this process and the providers over HTTP."""

    def __init__(self, app: FastAPI, public_url: str = PUBLIC_URL) -> None:
        service = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        super().__init__(mounts={public_url: service}, base_url=public_url, trust_env=False)

    async def start(self, provider: str, next: str = "/") -> Start:
        """Begins to sign on, without going to the provider yet."""
        answer = await self.get(f"{SSO}/{provider}/start", params={"next": next})
        assert answer.status_code in (302, 303), answer.text
        return as_start(answer.headers["location"])

    async def come_back(self, provider: str, **query: str) -> httpx.Response:
        """Visits the callback, as the provider would have it."""
        return await self.get(f"{SSO}/{provider}/callback", params=query)

    async def walk(self, url: str, account: str) -> httpx.Response:
        """From the provider's URL through its forms as `account`; the callback's answer."""
        return await self.get(await self.walk_to_callback(url, account))

    async def walk_to_callback(self, url: str, account: str) -> str:
        """The same, up to where the provider sends the browser."""
        answer = await self.get(url)
        for _ in range(12):
            if not answer.is_redirect:
                answer = await self._submit(answer, account)
                continue
            url = urljoin(str(answer.url), answer.headers["location"])
            if url.startswith(PUBLIC_URL):
                return url
            answer = await self.get(url)
        raise AssertionError(f"the provider never sent the browser back: {answer.text[:500]}")

    async def sign_on(self, account: str, next: str = "/") -> httpx.Response:
        """The whole way at the real provider; the callback's answer."""
        return await self.walk((await self.start("oidc", next)).url, account)

    async def sign_up(self, email: str, password: str) -> dict[str, Any]:
        """Registers with a password and an organization; who is signed in."""
        names = {"name": "Somebody", "organization": re.sub(r"[^a-z0-9]", "", email)}
        body = {"email": email, "password": password, **names}
        made = await self.post("/api/v1/auth/register", json=body, headers=OURS)
        assert made.status_code == 201, made.text
        return await self.me()

    async def sign_in(self, email: str, password: str) -> dict[str, Any]:
        """Signs in with a password; who is signed in."""
        body = {"email": email, "password": password}
        answer = await self.post("/api/v1/auth/login", json=body, headers=OURS)
        assert answer.status_code == 200, answer.text
        return await self.me()

    async def begin_to_link(self, provider: str) -> Start:
        """Begins to add an identity to the account that is signed in."""
        answer = await self.post(f"/api/v1/me/identities/{provider}")
        assert answer.status_code == 200, answer.text
        return as_start(answer.json()["url"])

    async def identities(self) -> list[dict[str, Any]]:
        """Those of the account that is signed in."""
        items: list[dict[str, Any]] = (await self.get("/api/v1/me/identities")).json()["items"]
        return items

    async def me(self) -> dict[str, Any]:
        """Who is signed in, by the cookie alone."""
        tokens = await self.post("/api/v1/auth/refresh", headers=OURS)
        assert tokens.status_code == 200, tokens.text
        self.headers["Authorization"] = f"Bearer {tokens.json()['access_token']}"
        answer: dict[str, Any] = (await self.get("/api/v1/me")).json()
        return answer

    async def _submit(self, page: httpx.Response, account: str) -> httpx.Response:
        assert page.status_code == 200, page.text
        action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="(\w+)"', page.text)
        assert action, page.text
        assert prompt, page.text
        form = {"prompt": prompt[1], "login": account, "password": "any"}
        return await self.post(urljoin(str(page.url), unescape(action[1])), data=form)


def as_start(url: str) -> Start:
    """The parts of an authorization URL."""
    return Start(url, {name: one[0] for name, one in parse_qs(urlsplit(url).query).items()})


def problem(answer: httpx.Response) -> str | None:
    """The code that the callback sent the browser away with, or None when it signed in."""
    assert answer.status_code in (302, 303), answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return query["problem"][0] if "problem" in query else None
