"""Mail: plain text to one person, over SMTP."""

import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib

from etlfabric_core import clock
from etlfabric_core.errors import InvalidConfig, UpstreamUnavailable

TIMEOUT_S = 15
PORTS = {"smtp": 587, "smtps": 465}
MAX_SUBJECT = 200


class Mailer:
    """Sends through one mail server; without one, `enabled` is False and links are shown instead.

    `smtps://` is encrypted from the first byte. `smtp://` turns encryption on where the server
    offers it, and insists on it before it says a password.
    """

    def __init__(self, smtp_url: str, sender: str, *, trust: ssl.SSLContext | None = None) -> None:
        """`trust` says whose certificates are believed; by default the system's authorities.

        Raises:
            ValueError: the URL is none of a mail server.
        """
        self._url = urlsplit(smtp_url)
        if smtp_url and (self._url.scheme not in PORTS or not self._url.hostname):
            raise ValueError("smtp_url: write smtp://user:password@host:587 or smtps://host:465")
        self._sender = sender
        self._trust = trust

    @property
    def enabled(self) -> bool:
        """Whether there is a mail server."""
        return bool(self._url.hostname)

    async def send(self, *, to: str, subject: str, body: str) -> None:
        """Hands one message to the mail server.

        Raises:
            UpstreamUnavailable: there is none, it cannot be reached, or it refused the message.
            InvalidConfig: `to` is no address that mail can be sent to.
        """
        if not self.enabled:
            raise UpstreamUnavailable(
                "no mail server is set", hint="the operator sets ETLFABRIC_SMTP_URL"
            )
        message = compose(self._sender, to, subject, body)
        user, password = self._url.username, self._url.password
        try:
            await aiosmtplib.send(
                message,
                recipients=[to],
                hostname=self._url.hostname,
                port=self._url.port or PORTS[self._url.scheme],
                username=unquote(user) if user else None,
                password=unquote(password) if password else None,
                use_tls=self._url.scheme == "smtps",
                start_tls=True if user and self._url.scheme == "smtp" else None,
                tls_context=self._trust,
                timeout=TIMEOUT_S,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise UpstreamUnavailable(
                f"the mail could not be sent: {type(error).__name__}",
                hint="try again later, or ask the operator to look at the mail server",
            ) from error


def compose(sender: str, to: str, subject: str, body: str) -> EmailMessage:
    """The message. Line breaks in the subject, which may hold a name, become spaces.

    Raises:
        InvalidConfig: `to` is not exactly one address.
    """
    message = EmailMessage()
    try:
        message["To"] = Address(addr_spec=to)
    except (MessageError, ValueError, IndexError) as error:
        raise InvalidConfig(
            "this is no e-mail address that mail can be sent to", hint="check it for typing errors"
        ) from error
    message["From"] = sender
    message["Subject"] = "".join(c if c.isprintable() else " " for c in subject)[:MAX_SUBJECT]
    message["Date"] = clock.now()
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain or "localhost")
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
    message.set_content(body)
    return message
