"""A person's consent at a provider: asked for, brought back, kept as a secret of the connection."""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import Consent, Grant
from etlfabric_core.crypto import SecretBox, SecretUnreadable
from etlfabric_core.errors import Conflict
from etlfabric_core.models import Connection
from etlfabric_core.services import connection_fields, connections, probe
from etlfabric_core.services.probe import Prober

STATE_FIELD = "connection.consent"  # what the sealed state is bound to
LIFETIME = timedelta(minutes=10)


async def begin(
    session: AsyncSession, principal: Principal, id: int, *, box: SecretBox, redirect_uri: str
) -> str:
    """The provider's page where a person consents; it comes back to `redirect_uri`.

    The state begins with the connection's id. The rest is sealed: who asked, until when, and the
    verifier, which the provider sees only when the code is redeemed.

    Raises:
        NotFound: no such connection.
        Conflict: it does not sign in with a consent.
    """
    connection = await connections.get(session, id)
    consent = _consent(connection)
    verifier = secrets.token_urlsafe(48)
    until = clock.now() + LIFETIME
    asked = {"user": principal.user_id, "id": id, "verifier": verifier, "until": until.isoformat()}
    sealed = box.seal(asked, org_id=principal.org_id, field=STATE_FIELD).decode()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "client_id": connection.config["client_id"],
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": consent.scope,
        "state": f"{id}.{sealed}",
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
        **consent.parameters,
    }
    return f"{consent.authorize_url}?{urlencode(query)}"


async def finish(
    prober: Prober, principal: Principal, id: int, *, code: str, state: str, redirect_uri: str
) -> Connection:
    """The connection with the secret that the consent gave.

    Raises:
        NotFound: no such connection.
        Conflict: it signs in in another way by now; or the consent was asked for by somebody else,
            for another connection, or too long ago.
        InvalidConfig, TerminalError, TransientError: what the provider said to the code.
    """
    async with prober.opened() as session:
        _consent(await connections.get(session, id))
        verifier = _verifier(prober.box, principal, id, state)
        endpoint = await connections.probed_endpoint(
            session, id, box=prober.box, allowed=prober.allowed
        )
    grant = Grant(code, verifier, redirect_uri)
    given = await probe.ask(prober, "redeem", endpoint, **vars(grant))
    kept = dict.fromkeys(endpoint.secrets, connection_fields.KEPT)
    change = connections.Change(secrets=kept | given)
    async with prober.opened() as session:
        return await connections.change(
            session, principal, id, change, box=prober.box, allowed=prober.allowed
        )


def provider(connection: Connection) -> str | None:
    """At whom a person signs in for this connection, where it works like that."""
    consent = get_connector(connection.connector).consent
    return consent.provider if consent and consent.is_used(connection.config) else None


def _consent(connection: Connection) -> Consent:
    consent = get_connector(connection.connector).consent
    if consent is None or not consent.is_used(connection.config):
        raise Conflict(
            f"connection '{connection.slug}' does not sign in with a person's consent",
            hint="choose oauth2 in its form, with a client_id and a client_secret",
        )
    return consent


def _verifier(box: SecretBox, principal: Principal, id: int, state: str) -> str:
    sealed = state.partition(".")[2].encode()
    try:
        asked = box.open(sealed, org_id=principal.org_id, field=STATE_FIELD)
    except SecretUnreadable:
        asked = {}
    is_own = (asked.get("user"), asked.get("id")) == (principal.user_id, id)
    if not is_own or clock.now() > datetime.fromisoformat(asked["until"]):
        raise Conflict(
            "this consent was asked for by somebody else, for another connection, or more than "
            f"{LIFETIME.seconds // 60} minutes ago",
            hint="begin again on the connection's page",
        )
    return str(asked["verifier"])
