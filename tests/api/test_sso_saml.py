"""Signing on with SAML 2.0 at a real identity provider."""

import asyncio

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from api.routes.saml import CHECKING
from etlfabric_core.access.sign_on import saml
from etlfabric_core.settings import Settings
from tests.sso.browser import PUBLIC_URL, Browser, problem
from tests.sso.saml import CONSUME, ISSUER, IdentityProvider, answer_for, consume
from tests.sso.world import running

pytestmark = pytest.mark.feature("A13")


async def test_somebody_new_signs_on_and_comes_back_as_the_same(
    saml_browser: Browser, saml_app: FastAPI
) -> None:
    answer = await consume(saml_browser, await answer_for(saml_browser, "ada", "/runs"))
    assert (problem(answer), answer.headers["location"]) == (None, "/runs")
    me = await saml_browser.me()
    assert me["user"]["email"] == "ada@saml.example"
    assert me["user"]["email_verified"] is True
    (identity,) = await saml_browser.identities()
    assert identity["provider"] == "saml"
    # No issuer of OpenID Connect can be the same: those are addresses.
    log = (await saml_browser.get("/api/v1/audit", params={"action": "link"})).json()["items"]
    assert log[0]["new_values"]["issuer"] == f"saml:{ISSUER}"
    async with Browser(saml_app) as other:
        assert problem(await consume(other, await answer_for(other, "ada"))) is None
        assert (await other.me())["user"]["id"] == me["user"]["id"]


async def test_another_identity_of_the_provider_is_a_way_in(
    saml_browser: Browser, service_connection: asyncpg.Connection
) -> None:
    assert problem(await consume(saml_browser, await answer_for(saml_browser, "fox"))) is None
    user_id = (await saml_browser.me())["user"]["id"]
    (identity,) = await saml_browser.identities()
    path = f"/api/v1/me/identities/{identity['id']}"
    assert (await saml_browser.delete(path)).status_code == 409
    async with service_connection.transaction():
        await service_connection.execute("SELECT set_config('app.platform', 'on', true)")
        await service_connection.execute(
            "INSERT INTO identity (user_id, provider, issuer, subject, email) "
            "VALUES ($1, 'saml', $2, 'fox-2', 'fox@saml.example')",
            user_id,
            f"saml:{ISSUER}",
        )
    assert (await saml_browser.delete(path)).status_code == 204


async def test_answers_that_are_checked_hold_up_nothing_else(saml_browser: Browser) -> None:
    posted = await answer_for(saml_browser, "eve")
    others = ("one", "another")
    for other in others:
        CHECKING.acquire_on_behalf_of_nowait(other)
    checked = asyncio.create_task(saml_browser.post(CONSUME, data=posted))
    try:
        async with asyncio.timeout(10):
            while not CHECKING.statistics().tasks_waiting:
                await asyncio.sleep(0)
        assert (await saml_browser.get("/api/v1/auth/saml/metadata")).status_code == 200
        assert not checked.done()
    finally:
        for other in others:
            CHECKING.release_on_behalf_of(other)
    assert (await checked).status_code == 303


async def test_a_provider_that_does_not_vouch_makes_no_account(
    settings: Settings, identity_provider: IdentityProvider
) -> None:
    careful = identity_provider.settings(settings).model_copy(
        update={"saml_vouches_for_email": False}
    )
    async with running(careful) as application, Browser(application) as browser:
        refused = await consume(browser, await answer_for(browser, "bob"))
        assert problem(refused) == "unverified"
        await browser.sign_up("bob@saml.example", "a long enough password")
        refused = await consume(browser, await answer_for(browser, "bob"))
        assert problem(refused) == "unverified"


async def test_the_metadata_names_where_to_post(saml_browser: Browser) -> None:
    document = (await saml_browser.get("/api/v1/auth/saml/metadata")).text
    assert f'entityID="{PUBLIC_URL}/api/v1/auth/saml/metadata"' in document
    assert f'Location="{PUBLIC_URL}{CONSUME}"' in document
    assert "nameid-format:persistent</" in document
    assert "validUntil" not in document  # it is made once


def test_the_metadata_is_made_once() -> None:
    def known() -> tuple[saml.SamlProvider, saml.Site]:
        provider = saml.SamlProvider("saml", "S", ISSUER, "http://127.0.0.1/x", "x", vouches=True)
        return provider, saml.Site(f"{PUBLIC_URL}/metadata", f"{PUBLIC_URL}/consume")

    assert saml.metadata(*known()) is saml.metadata(*known())


async def test_the_request_asks_for_a_lasting_name(saml_browser: Browser) -> None:
    asked = (await saml_browser.start("saml")).query["SAMLRequest"]
    document = OneLogin_Saml2_Utils.decode_base64_and_inflate(asked).decode()
    assert 'Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"' in document


async def test_without_configuration_there_is_no_saml(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/auth/saml/metadata")).status_code == 404
    refused = await client.post(CONSUME, data={"SAMLResponse": "x"})
    assert refused.status_code == 404
