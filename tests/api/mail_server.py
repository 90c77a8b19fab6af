"""A real SMTP server that keeps what it gets."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from cli.stack.ports import free_port
from etlfabric_core.mail import Mailer

SENDER = "ETL Fabric <no-reply@service.test>"


class Inbox:
    """Takes every message, and remembers how it came."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.refuse = False

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse:
            return "554 not here"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        transport = server.transport  # type: ignore[attr-defined]
        self.encrypted.append(transport.get_extra_info("ssl_object") is not None)
        return "250 taken"


@dataclass(frozen=True)
class MailServer:
    """A running server, and what it got."""

    port: int
    inbox: Inbox

    @property
    def url(self) -> str:
        """As a setting."""
        return f"smtp://127.0.0.1:{self.port}"

    def links_to(self, address: str) -> list[str]:
        """Every link that was sent to an address, the oldest first."""
        texts = [
            message.get_content() for message in self.inbox.messages if message["To"] == address
        ]
        return [link for text in texts for link in re.findall(r"https?://\S+", text)]

    def mailer(
        self, scheme: str = "smtp", user: str = "", trust: ssl.SSLContext | None = None
    ) -> Mailer:
        """A mailer that sends here."""
        login = f"{user}@" if user else ""
        return Mailer(f"{scheme}://{login}127.0.0.1:{self.port}", SENDER, trust=trust)


@contextmanager
def running(**options: object) -> Iterator[MailServer]:
    """A server on a free port."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)  # type: ignore[arg-type]
    controller.start()
    try:
        yield MailServer(controller.port, inbox)
    finally:
        controller.stop()
