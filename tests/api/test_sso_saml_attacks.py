"""What of an identity provider's answer is refused: changed, of others, or a second time."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from etlfabric_core.access.sign_on import providers, saml
from etlfabric_core.access.sign_on.provider import SignOnRefused
from tests.sso.browser import PUBLIC_URL, Browser, problem
from tests.sso.saml import CONSUME, IdentityProvider, Posted, answer_for, consume
from tests.sso.saml_lies import ASKS, ATTACKS, in_xml

pytestmark = pytest.mark.feature("A13")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_changed_answer_signs_nobody_in(saml_browser: Browser, attack: str) -> None:
    posted = ATTACKS[attack](await answer_for(saml_browser, "zoe"))
    answer = await saml_browser.post(CONSUME, data=posted)
    if answer.status_code == 303 and not answer.headers["location"].startswith("/sign-in"):
        answer = await saml_browser.get(answer.headers["location"])
    if attack == "a comment in the name":  # what is signed leaves comments out, and so do we
        assert problem(answer) is None
        assert (await saml_browser.me())["user"]["email"] == "zoe@saml.example"
        return
    assert answer.status_code == 422 or problem(answer) in ("failed", "expired")
    assert "etlfabric_refresh" not in saml_browser.cookies


@pytest.mark.parametrize("asked", ASKS)
async def test_a_signature_is_looked_at_before_it_is_checked(
    saml_browser: Browser, saml_app: FastAPI, asked: str
) -> None:
    change, why = ASKS[asked]
    posted = change(await answer_for(saml_browser, "zoe"))
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
    saml_browser: Browser,
    saml_app: FastAPI,
    identity_provider: IdentityProvider,
    change: Callable[[str], str],
) -> None:
    posted = await answer_for(saml_browser, "zoe")
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

    return in_xml(changed)(posted)


async def test_an_answer_to_another_browser_signs_nobody_in(
    saml_browser: Browser, saml_app: FastAPI
) -> None:
    posted = await answer_for(saml_browser, "eve")
    async with Browser(saml_app) as victim:
        await victim.start("saml")
        assert problem(await consume(victim, posted)) == "expired"
        state = parse_qs(urlsplit((await victim.start("saml")).url).query)["RelayState"][0]
        assert problem(await consume(victim, posted | {"RelayState": state})) == "failed"


async def test_an_answer_counts_once(saml_browser: Browser) -> None:
    posted = await answer_for(saml_browser, "eve")
    assert problem(await consume(saml_browser, posted)) is None
    assert problem(await consume(saml_browser, posted)) == "expired"
