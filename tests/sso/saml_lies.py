"""What can be changed in an identity provider's answer, as tables."""

import base64
import re
from collections.abc import Callable

from tests.sso.saml import Posted


def in_xml(change: Callable[[str], str]) -> Callable[[Posted], Posted]:
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
    return in_xml(lambda xml: xml.replace(tag, f"{tag}{added}", 1))


def _ends(moment: str) -> Callable[[Posted], Posted]:
    return in_xml(lambda xml: re.sub(r'NotOnOrAfter="[^"]*"', f'NotOnOrAfter="{moment}"', xml))


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
        in_xml(
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
        in_xml(lambda xml: re.sub(REFERENCE, "<Reference>", xml)),
        "its element alone",
    ),
    "a reference to everything": (
        in_xml(lambda xml: re.sub(REFERENCE, '<Reference URI="">', xml)),
        "its element alone",
    ),
    "a reference to a file": (
        in_xml(lambda xml: re.sub(REFERENCE, '<Reference URI="file:///dev/zero">', xml)),
        "its element alone",
    ),
    "two references": (
        in_xml(lambda xml: re.sub(r"(<Reference .*?</Reference>)", r"\1\1", xml, flags=re.DOTALL)),
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
    "another person": in_xml(lambda xml: xml.replace("zoe-1", "eve-1")),
    "another address": in_xml(lambda xml: xml.replace("zoe@", "eve@")),
    "no signature": in_xml(
        lambda xml: re.sub(r"<Signature.*?</Signature>", "", xml, flags=re.DOTALL)
    ),
    "longer life": in_xml(lambda xml: re.sub(r'NotOnOrAfter="2\d', 'NotOnOrAfter="3', xml)),
    "another audience": in_xml(
        lambda xml: re.sub(r"<saml:Audience>.*?</", "<saml:Audience>urn:other</", xml)
    ),
    "no audience": in_xml(
        lambda xml: re.sub(r"<saml:AudienceRestriction>.*?</saml:AudienceRestriction>", "", xml)
    ),
    "a comment in the name": in_xml(lambda xml: xml.replace("zoe-1", "zoe<!-- -->-1")),
    "wrapped": in_xml(_wrapped),
    "an entity": in_xml(
        lambda xml: f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{xml}'.replace(
            "zoe@", "&e;@"
        )
    ),
    "another state": lambda posted: posted | {"RelayState": "x"},
    "no state": lambda posted: {"SAMLResponse": posted["SAMLResponse"]},
}
