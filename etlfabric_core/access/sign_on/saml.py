"""SAML 2.0: a signed assertion, posted by the browser from the identity provider's page.

The post comes from another site, so that the browser leaves its cookies behind. What the assertion
says is therefore sealed into a short-lived code, with which the browser goes on to the callback
that knows the attempt. Only answers to our own requests are taken: none that a provider begins.
"""

import hmac
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Constants
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from etlfabric_core.access.sign_on.attempts import Attempt, seal_values, unseal_values
from etlfabric_core.access.sign_on.provider import Person, Refusal, SignOnRefused, make_person

CODE_LIFETIME = timedelta(minutes=1)
CODE_PURPOSE = b"etlfabric saml code"
CONFIRMATION = "/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
# Under these names identity providers send the address and the name.
EMAILS = (
    "email",
    "mail",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)
NAMES = (
    "name",
    "displayName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
)
# A signature says itself how to check it: with programs (XSLT, XPath), files, other places. All of
# it is done before the signature is judged, so that a stranger who posts may ask for nothing.
FORBIDDEN = "//ds:Object | //ds:Manifest | //ds:RetrievalMethod | //xenc:EncryptedData"
TRANSFORMS = "//ds:Transform | //ds:CanonicalizationMethod"
PLAIN_TRANSFORMS = (
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
)


@dataclass(frozen=True)
class SamlProvider:
    """The identity provider that the operator configured.

    Its NameID is who somebody is for ever: it must stay the same, and never go to another person.
    A persistent one is asked for, a transient one is refused. `vouches` says that nobody can choose
    their own e-mail address there: SAML itself has no word for a verified address.
    """

    name: str
    label: str
    entity_id: str
    sign_on_url: str
    certificate: str
    vouches: bool

    @property
    def issuer(self) -> str:
        """The issuer of its identities; an entity id could be the issuer of OpenID Connect too."""
        return f"saml:{self.entity_id}"


@dataclass(frozen=True)
class Site:
    """How this service presents itself: its entity id, and where assertions are posted to."""

    entity_id: str
    consumer_url: str


@cache
def metadata(provider: SamlProvider, site: Site) -> str:
    """The XML document that the identity provider's administrator imports."""
    document = OneLogin_Saml2_Settings(_settings(provider, site)).get_sp_metadata()
    return document if isinstance(document, str) else document.decode()


def begin(provider: SamlProvider, attempt: Attempt, site: Site) -> tuple[str, Attempt]:
    """Where the browser goes to sign in, and the attempt with the id of the request."""
    asking = OneLogin_Saml2_Auth(_request(site), _settings(provider, site))
    url = asking.login(return_to=attempt.state)
    return url, replace(attempt, nonce=asking.get_last_request_id())


def receive(provider: SamlProvider, site: Site, posted: str, secret: str) -> str:
    """The code for a posted answer whose signature, audience, times and recipient are right.

    Raises:
        SignOnRefused: one of them is wrong, or the person cancelled.
    """
    settings = OneLogin_Saml2_Settings(_settings(provider, site))
    try:
        answer = OneLogin_Saml2_Response(settings, posted)
        _check_signatures(answer.document)
        answer.is_valid(_request(site), raise_exceptions=True)
        named, attributes = answer.get_nameid_data(), answer.get_attributes()
        audiences, confirmations = answer.get_audiences(), answer._query_assertion(CONFIRMATION)
    # The toolkit raises bare Exception and TypeError for odd dates and references, among others.
    except Exception as error:
        raise SignOnRefused(Refusal.FAILED, f"the assertion: {str(error)[:200]}") from error
    if not audiences:
        raise SignOnRefused(Refusal.FAILED, "the assertion is for no audience")
    person, request_id = _person(provider, named, attributes), _answered(site, confirmations)
    values = {"person": asdict(person), "request_id": request_id, "provider": provider.name}
    return seal_values(values, secret, CODE_PURPOSE)


def finish(attempt: Attempt, state: str | None, code: str | None, secret: str) -> Person:
    """Whom the code names, if it answers the request of this attempt.

    Raises:
        SignOnRefused: the code is not ours, too old, or answers another request.
    """
    if not hmac.compare_digest((state or "").encode(), attempt.state.encode()):
        raise SignOnRefused(Refusal.EXPIRED, "the state is not that of the attempt")
    values = unseal_values(code, secret, CODE_PURPOSE, CODE_LIFETIME)
    asked = f"{attempt.provider} {attempt.nonce}"
    answered = f"{values['provider']} {values['request_id']}"
    if not hmac.compare_digest(answered.encode(), asked.encode()):
        raise SignOnRefused(Refusal.FAILED, "the assertion answers another request")
    return Person(**values["person"])


def _check_signatures(document: Any) -> None:
    """Looks at what the signatures ask for, before anybody does it.

    Raises:
        ValueError: more than to compare the element that a signature is in.
    """
    if OneLogin_Saml2_XML.query(document, FORBIDDEN):
        raise ValueError("it is encrypted, or a signature is of more than its element")
    for node in OneLogin_Saml2_XML.query(document, TRANSFORMS):
        if node.get("Algorithm") not in PLAIN_TRANSFORMS:
            raise ValueError("a signature asks for a transform that is not plain")
    for signature in OneLogin_Saml2_XML.query(document, "//ds:Signature"):
        references = OneLogin_Saml2_XML.query(document, ".//ds:Reference", signature)
        own = f"#{signature.getparent().get('ID')}"
        if [reference.get("URI") for reference in references] != [own]:
            raise ValueError("a signature does not refer to its element alone")


def _person(
    provider: SamlProvider, named: dict[str, Any], attributes: dict[str, list[Any]]
) -> Person:
    if named.get("Format") == Constants.NAMEID_TRANSIENT:
        raise SignOnRefused(Refusal.FAILED, "the provider names the person anew each time")
    email = _first(attributes, EMAILS)
    if email is None and named.get("Format") == Constants.NAMEID_EMAIL_ADDRESS:
        email = named.get("Value")
    return make_person(
        provider.issuer,
        subject=named.get("Value"),
        email=email,
        verified=provider.vouches,
        name=_first(attributes, NAMES),
    )


def _first(attributes: dict[str, list[Any]], names: tuple[str, ...]) -> Any:
    return next((attributes[name][0] for name in names if attributes.get(name)), None)


def _answered(site: Site, confirmations: list[Any]) -> str:
    """The id of our request. It is read inside the signature: the envelope may be unsigned.

    The toolkit passes over a recipient and an end that are missing.
    """
    for node in confirmations:
        if node.get("Recipient") != site.consumer_url or not node.get("NotOnOrAfter"):
            raise SignOnRefused(Refusal.FAILED, "the assertion is not for us, or has no end")
    found = {node.get("InResponseTo") for node in confirmations}
    if len(found) != 1 or not (request_id := found.pop()):
        raise SignOnRefused(Refusal.FAILED, "the assertion answers no request of ours")
    return str(request_id)


def _request(site: Site) -> dict[str, Any]:
    """What the toolkit wants to know of the request; from settings, not from headers."""
    url = urlsplit(site.consumer_url)
    return {
        "https": "on" if url.scheme == "https" else "off",
        "http_host": url.netloc,
        "script_name": url.path,
        "get_data": {},
        "post_data": {},
    }


def _settings(provider: SamlProvider, site: Site) -> dict[str, Any]:
    return {
        "strict": True,
        "sp": {
            "entityId": site.entity_id,
            "assertionConsumerService": {
                "url": site.consumer_url,
                "binding": Constants.BINDING_HTTP_POST,
            },
            "NameIDFormat": Constants.NAMEID_PERSISTENT,
        },
        "idp": {
            "entityId": provider.entity_id,
            "singleSignOnService": {
                "url": provider.sign_on_url,
                "binding": Constants.BINDING_HTTP_REDIRECT,
            },
            "x509cert": provider.certificate,
        },
        "security": {
            "wantAssertionsSigned": True,
            "wantAttributeStatement": False,
            "requestedAuthnContext": False,
            "rejectDeprecatedAlgorithm": True,
            "allowSingleLabelDomains": True,  # a host's name inside a deployment
            "metadataValidUntil": "",  # it holds for as long as the settings do
        },
    }
