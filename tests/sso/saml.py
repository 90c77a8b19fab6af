"""A real SAML identity provider, a service that knows it, and the way of a browser between them."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI

from etlfabric_core.settings import Settings
from tests.certificates import self_signed
from tests.sso import node
from tests.sso.browser import PUBLIC_URL, Browser
from tests.sso.world import running, with_values

CONSUME = "/api/v1/auth/saml/consume"
ISSUER = "urn:etlfabric:test-identity-provider"
ACCOUNTS = {
    name: {
        "id": f"{name}-1",
        "displayName": name.title(),
        "name": {"givenName": name.title(), "familyName": "Saml"},
        "emails": [{"value": f"{name}@saml.example"}],
    }
    for name in ("ada", "bob", "zoe", "eve", "fox")
}

Posted = dict[str, str]


@dataclass(frozen=True)
class IdentityProvider:
    """A running identity provider, and what the operator knows of it."""

    url: str
    key: str
    certificate: str

    def settings(self, settings: Settings) -> Settings:
        """A service that knows it."""
        return with_values(
            settings,
            public_url=PUBLIC_URL,
            saml_issuer=ISSUER,
            saml_sign_on_url=f"{self.url}/sign-on",
            saml_certificate=self.certificate,
            saml_vouches_for_email="true",
        )


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[IdentityProvider]:
    """A real identity provider with the accounts above."""
    pair = self_signed("identity provider")
    base = f"{PUBLIC_URL}/api/v1/auth/saml"
    given = {
        "accounts": ACCOUNTS,
        "issuer": ISSUER,
        "key": pair.key,
        "certificate": pair.certificate,
    }
    given |= {"audience": f"{base}/metadata", "consumer": f"{base}/consume"}
    with node.provider("saml.mjs", "samlp", given) as url:
        yield IdentityProvider(url, pair.key, pair.certificate)


@pytest.fixture(scope="session")
async def saml_app(
    settings: Settings, identity_provider: IdentityProvider
) -> AsyncIterator[FastAPI]:
    """A service that knows the identity provider."""
    async with running(identity_provider.settings(settings)) as application:
        yield application


@pytest.fixture
async def saml_browser(saml_app: FastAPI) -> AsyncIterator[Browser]:
    """A browser at the service that knows the identity provider."""
    async with Browser(saml_app) as made:
        yield made


async def answer_for(browser: Browser, person: str, next: str = "/") -> Posted:
    """What the identity provider's page makes the browser post."""
    start = await browser.start("saml", next)
    page = await browser.get(f"{start.url}&{urlencode({'person': person})}")
    assert page.status_code == 200, page.text
    fields = re.findall(r'name="([^"]+)"\s+value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in fields}


async def consume(browser: Browser, posted: Posted) -> httpx.Response:
    """Posts it and goes on to where the service sends the browser."""
    answer = await browser.post(CONSUME, data=posted)
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    return answer if where.startswith("/sign-in") else await browser.get(where)
