"""Signing on with SAML 2.0 at a real identity provider, and what of an assertion is refused."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi import FastAPI
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from api.routes.saml import CHECKING
from etlfabric_core import clock
from etlfabric_core.access.sign_on import providers, saml
from etlfabric_core.access.sign_on.provider import SignOnRefused
from etlfabric_core.settings import Settings
from tests.sso import node
from tests.sso.browser import PUBLIC_URL, Browser, problem
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

pytestmark = pytest.mark.feature("A13")
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


@pytest.fixture(scope="module")
def identity_provider() -> Iterator[IdentityProvider]:
    """A real identity provider with the accounts above."""
    key, certificate = _key_pair()
    base = f"{PUBLIC_URL}/api/v1/auth/saml"
    given = {"accounts": ACCOUNTS, "issuer": ISSUER, "key": key, "certificate": certificate}
    given |= {"audience": f"{base}/metadata", "consumer": f"{base}/consume"}
    with node.provider("saml.mjs", "samlp", given) as url:
        yield IdentityProvider(url, key, certificate)


def _key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "identity provider")])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
async def saml_app(
    settings: Settings, identity_provider: IdentityProvider
) -> AsyncIterator[FastAPI]:
    async with running(identity_provider.settings(settings)) as application:
        yield application


@pytest.fixture
async def browser(saml_app: FastAPI) -> AsyncIterator[Browser]:
    async with Browser(saml_app) as made:
        yield made


async def _posted(browser: Browser, person: str, next: str = "/") -> Posted:
    """What the identity provider's page makes the browser post."""
    start = await browser.start("saml", next)
    page = await browser.get(f"{start.url}&{urlencode({'person': person})}")
    assert page.status_code == 200, page.text
    fields = re.findall(r'name="([^"]+)"\s+value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in fields}


async def _consume(browser: Browser, posted: Posted) -> httpx.Response:
    """Posts it and goes on to where the service sends the browser."""
    answer = await browser.post(CONSUME, data=posted)
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    return answer if where.startswith("/sign-in") else await browser.get(where)


async def test_somebody_new_signs_on_and_comes_back_as_the_same(
    browser: Browser, saml_app: FastAPI
) -> None:
    answer = await _consume(browser, await _posted(browser, "ada", "/runs"))
    assert (problem(answer), answer.headers["location"]) == (None, "/runs")
    me = await browser.me()
    assert me["user"]["email"] == "ada@saml.example"
    assert me["user"]["email_verified"] is True
    (identity,) = await browser.identities()
    assert identity["provider"] == "saml"
    # No issuer of OpenID Connect can be the same: those are addresses.
    log = (await browser.get("/api/v1/audit", params={"action": "link"})).json()["items"]
    assert log[0]["new_values"]["issuer"] == f"saml:{ISSUER}"
    async with Browser(saml_app) as other:
        assert problem(await _consume(other, await _posted(other, "ada"))) is None
        assert (await other.me())["user"]["id"] == me["user"]["id"]


async def test_another_identity_of_the_provider_is_a_way_in(
    browser: Browser, service_connection: asyncpg.Connection
) -> None:
    assert problem(await _consume(browser, await _posted(browser, "fox"))) is None
    user_id = (await browser.me())["user"]["id"]
    (identity,) = await browser.identities()
    path = f"/api/v1/me/identities/{identity['id']}"
    assert (await browser.delete(path)).status_code == 409
    async with service_connection.transaction():
        await service_connection.execute("SELECT set_config('app.platform', 'on', true)")
        await service_connection.execute(
            "INSERT INTO identity (user_id, provider, issuer, subject, email) "
            "VALUES ($1, 'saml', $2, 'fox-2', 'fox@saml.example')",
            user_id,
            f"saml:{ISSUER}",
        )
    assert (await browser.delete(path)).status_code == 204


async def test_answers_that_are_checked_hold_up_nothing_else(browser: Browser) -> None:
    posted = await _posted(browser, "eve")
    others = ("one", "another")
    for other in others:
        CHECKING.acquire_on_behalf_of_nowait(other)
    checked = asyncio.create_task(browser.post(CONSUME, data=posted))
    try:
        async with asyncio.timeout(10):
            while not CHECKING.statistics().tasks_waiting:
                await asyncio.sleep(0)
        assert (await browser.get("/api/v1/auth/saml/metadata")).status_code == 200
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
        refused = await _consume(browser, await _posted(browser, "bob"))
        assert problem(refused) == "unverified"
        await browser.sign_up("bob@saml.example", "a long enough password")
        refused = await _consume(browser, await _posted(browser, "bob"))
        assert problem(refused) == "unverified"


async def test_the_metadata_names_where_to_post(browser: Browser) -> None:
    document = (await browser.get("/api/v1/auth/saml/metadata")).text
    assert f'entityID="{PUBLIC_URL}/api/v1/auth/saml/metadata"' in document
    assert f'Location="{PUBLIC_URL}{CONSUME}"' in document
    assert "nameid-format:persistent</" in document
    assert "validUntil" not in document  # it is made once


def test_the_metadata_is_made_once() -> None:
    def known() -> tuple[saml.SamlProvider, saml.Site]:
        provider = saml.SamlProvider("saml", "S", ISSUER, "http://127.0.0.1/x", "x", vouches=True)
        return provider, saml.Site(f"{PUBLIC_URL}/metadata", f"{PUBLIC_URL}/consume")

    assert saml.metadata(*known()) is saml.metadata(*known())


async def test_the_request_asks_for_a_lasting_name(browser: Browser) -> None:
    asked = (await browser.start("saml")).query["SAMLRequest"]
    document = OneLogin_Saml2_Utils.decode_base64_and_inflate(asked).decode()
    assert 'Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"' in document


async def test_without_configuration_there_is_no_saml(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/auth/saml/metadata")).status_code == 404
    refused = await client.post(CONSUME, data={"SAMLResponse": "x"})
    assert refused.status_code == 404


def _xml(change: Callable[[str], str]) -> Callable[[Posted], Posted]:
    def changed(posted: Posted) -> Posted:
        before = base64.b64decode(posted["SAMLResponse"]).decode()
        after = change(before)
        assert after != before
        return posted | {"SAMLResponse": base64.b64encode(after.encode()).decode()}

    return changed


def _wrapped(document: str) -> str:
    """The signed assertion hidden inside, a forged one in its place."""
    (assertion,) = re.findall(r"<saml:Assertion.*</saml:Assertion>", document, re.DOTALL)
    forged = re.sub(r"<Signature.*?</Signature>", "", assertion, flags=re.DOTALL)
    forged = forged.replace("zoe", "eve").replace('ID="', 'ID="x')
    return document.replace(assertion, f"{forged}<samlp:Extensions>{assertion}</samlp:Extensions>")


def _after(tag: str, added: str) -> Callable[[Posted], Posted]:
    return _xml(lambda xml: xml.replace(tag, f"{tag}{added}", 1))


def _ends(moment: str) -> Callable[[Posted], Posted]:
    return _xml(lambda xml: re.sub(r'NotOnOrAfter="[^"]*"', f'NotOnOrAfter="{moment}"', xml))


XSLT = """<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet
 version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><x>
 <xsl:call-template name="f"/></x></xsl:template><xsl:template name="f"><xsl:call-template
 name="f"/></xsl:template></xsl:stylesheet></Transform>"""
XPATH = """<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>
 count(//node()[count(//node()) &gt; 0]) &gt; 0</XPath></Transform>"""
MANIFEST = """<Object><Manifest><Reference URI="file:///dev/zero"><DigestMethod
 Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>AAAA</DigestValue></Reference>
 </Manifest></Object>"""
REFERENCE = r'<Reference URI="[^"]*">'
# What a signature asks for, and why that is not done.
ASKS: dict[str, tuple[Callable[[Posted], Posted], str]] = {
    "XSLT": (_after("<Transforms>", XSLT), "transform"),
    "XPath": (_after("<Transforms>", XPATH), "transform"),
    "another canonical form": (
        _xml(
            lambda xml: re.sub(
                r'(<CanonicalizationMethod Algorithm=)"[^"]*"',
                r'\1"http://www.w3.org/TR/1999/REC-xslt-19991116"',
                xml,
            )
        ),
        "transform",
    ),
    "a manifest with a file": (_after("</KeyInfo>", MANIFEST), "more than its element"),
    "a key from elsewhere": (
        _after("<KeyInfo>", '<RetrievalMethod URI="http://127.0.0.1:1/"/>'),
        "more than its element",
    ),
    "encrypted": (
        _after("</saml:Issuer>", '<e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"/>'),
        "encrypted",
    ),
    "a reference without URI": (
        _xml(lambda xml: re.sub(REFERENCE, "<Reference>", xml)),
        "its element alone",
    ),
    "a reference to everything": (
        _xml(lambda xml: re.sub(REFERENCE, '<Reference URI="">', xml)),
        "its element alone",
    ),
    "a reference to a file": (
        _xml(lambda xml: re.sub(REFERENCE, '<Reference URI="file:///dev/zero">', xml)),
        "its element alone",
    ),
    "two references": (
        _xml(lambda xml: re.sub(r"(<Reference .*?</Reference>)", r"\1\1", xml, flags=re.DOTALL)),
        "its element alone",
    ),
}
ATTACKS: dict[str, Callable[[Posted], Posted]] = {
    **{name: change for name, (change, _) in ASKS.items()},
    "an end in another zone": _ends("2099-01-01T00:00:00+01:00"),
    "an end in a far year": _ends("99999-01-01T00:00:00Z"),
    "an end before all": _ends("-0001-01-01T00:00:00Z"),
    "an end without a zone": _ends("2099-01-01T00:00:00"),
    "nothing": lambda posted: posted | {"SAMLResponse": ""},
    "no XML": lambda posted: posted | {"SAMLResponse": base64.b64encode(b"hello").decode()},
    "no base64": lambda posted: posted | {"SAMLResponse": "*" * 50},
    "another person": _xml(lambda xml: xml.replace("zoe-1", "eve-1")),
    "another address": _xml(lambda xml: xml.replace("zoe@", "eve@")),
    "no signature": _xml(
        lambda xml: re.sub(r"<Signature.*?</Signature>", "", xml, flags=re.DOTALL)
    ),
    "longer life": _xml(lambda xml: re.sub(r'NotOnOrAfter="2\d', 'NotOnOrAfter="3', xml)),
    "another audience": _xml(
        lambda xml: re.sub(r"<saml:Audience>.*?</", "<saml:Audience>urn:other</", xml)
    ),
    "no audience": _xml(
        lambda xml: re.sub(r"<saml:AudienceRestriction>.*?</saml:AudienceRestriction>", "", xml)
    ),
    "a comment in the name": _xml(lambda xml: xml.replace("zoe-1", "zoe<!-- -->-1")),
    "wrapped": _xml(_wrapped),
    "an entity": _xml(
        lambda xml: f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{xml}'.replace(
            "zoe@", "&e;@"
        )
    ),
    "another state": lambda posted: posted | {"RelayState": "x"},
    "no state": lambda posted: {"SAMLResponse": posted["SAMLResponse"]},
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_changed_answer_signs_nobody_in(browser: Browser, attack: str) -> None:
    posted = ATTACKS[attack](await _posted(browser, "zoe"))
    answer = await browser.post(CONSUME, data=posted)
    if answer.status_code == 303 and not answer.headers["location"].startswith("/sign-in"):
        answer = await browser.get(answer.headers["location"])
    if attack == "a comment in the name":  # what is signed leaves comments out, and so do we
        assert problem(answer) is None
        assert (await browser.me())["user"]["email"] == "zoe@saml.example"
        return
    assert answer.status_code == 422 or problem(answer) in ("failed", "expired")
    assert "etlfabric_refresh" not in browser.cookies


@pytest.mark.parametrize("asked", ASKS)
async def test_a_signature_is_looked_at_before_it_is_checked(
    browser: Browser, saml_app: FastAPI, asked: str
) -> None:
    change, why = ASKS[asked]
    posted = change(await _posted(browser, "zoe"))
    with pytest.raises(SignOnRefused, match=why):
        _receive(saml_app, posted)


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: re.sub(r'( Recipient="[^"]*)"', r'\1/more"', xml),
        lambda xml: re.sub(r' Recipient="[^"]*"', "", xml),
        lambda xml: re.sub(
            r'(<saml:SubjectConfirmationData[^>]*) NotOnOrAfter="[^"]*"', r"\1", xml
        ),
    ],
    ids=["another recipient", "no recipient", "no end"],
)
async def test_a_signed_assertion_is_for_us_and_ends(
    browser: Browser,
    saml_app: FastAPI,
    identity_provider: IdentityProvider,
    change: Callable[[str], str],
) -> None:
    posted = await _posted(browser, "zoe")
    _receive(saml_app, _signed_anew(posted, identity_provider, lambda xml: f"{xml} "))
    with pytest.raises(SignOnRefused, match="not for us, or has no end"):
        _receive(saml_app, _signed_anew(posted, identity_provider, change))


def _receive(application: FastAPI, posted: Posted) -> str:
    """The code for what is posted."""
    provider = providers.named(application.state.wiring.settings, "saml")
    assert isinstance(provider, saml.SamlProvider)
    base = f"{PUBLIC_URL}/api/v1/auth/saml"
    site = saml.Site(f"{base}/metadata", f"{base}/consume")
    return saml.receive(provider, site, posted["SAMLResponse"], "a secret of the tests")


def _signed_anew(posted: Posted, by: IdentityProvider, change: Callable[[str], str]) -> Posted:
    """As a provider would have signed the changed assertion."""

    def changed(document: str) -> str:
        (assertion,) = re.findall(r"<saml:Assertion.*</saml:Assertion>", document, re.DOTALL)
        unsigned = re.sub(r"<Signature.*?</Signature>", "", assertion, flags=re.DOTALL)
        other = change(unsigned)
        assert other != unsigned
        signed = OneLogin_Saml2_Utils.add_sign(other, by.key, by.certificate)
        return document.replace(assertion, signed.decode())

    return _xml(changed)(posted)


async def test_an_answer_to_another_browser_signs_nobody_in(
    browser: Browser, saml_app: FastAPI
) -> None:
    posted = await _posted(browser, "eve")
    async with Browser(saml_app) as victim:
        await victim.start("saml")
        assert problem(await _consume(victim, posted)) == "expired"
        state = parse_qs(urlsplit((await victim.start("saml")).url).query)["RelayState"][0]
        assert problem(await _consume(victim, posted | {"RelayState": state})) == "failed"


async def test_an_answer_counts_once(browser: Browser) -> None:
    posted = await _posted(browser, "eve")
    assert problem(await _consume(browser, posted)) is None
    assert problem(await _consume(browser, posted)) == "expired"
