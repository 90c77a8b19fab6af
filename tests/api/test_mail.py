"""Mail, handed to a real SMTP server."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from cli.stack.ports import free_port
from etlfabric_core import mail
from etlfabric_core.errors import InvalidConfig, UpstreamUnavailable
from etlfabric_core.mail import Mailer
from tests.api.mail_server import SENDER, MailServer, running
from tests.certificates import self_signed


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1."""
    return self_signed("127.0.0.1").write(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def encrypting(certificate: Path) -> Iterator[MailServer]:
    """Wants STARTTLS and this password before it takes anything."""

    def check(server: object, session: object, envelope: object, how: str, said: LoginPassword):
        return AuthResult(success=said == LoginPassword(b"robot", b"p@ss:word"))

    with running(
        tls_context=_context(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=check,
    ) as server:
        yield server


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _trust(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def test_a_message_arrives_as_it_was_written(server: MailServer) -> None:
    mailer = server.mailer()
    assert mailer.enabled
    await mailer.send(to="ada@example.com", subject="Grüße", body="Zeile 1\n.\nZeile 3: ü\n")
    (message,) = server.inbox.messages
    assert server.inbox.recipients == [["ada@example.com"]]
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Grüße")
    assert message["From"] == SENDER
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines() == ["Zeile 1", ".", "Zeile 3: ü"]
    assert message["Message-ID"].endswith("@service.test>")


async def test_a_name_in_the_subject_adds_no_header(server: MailServer) -> None:
    subject = "Invitation to Acme\r\nBcc: eve@example.com\n\nBody\x00"
    await server.mailer().send(to="ada@example.com", subject=subject, body="b")
    (message,) = server.inbox.messages
    assert message["Bcc"] is None
    assert "Bcc: eve@example.com" in message["Subject"]
    assert server.inbox.recipients == [["ada@example.com"]]


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "ada,eve@example.com",
        "Ada <ada@example.com>",
        "ada@example.com>",
        "",
        "ada",
    ],
)
async def test_only_one_plain_address_gets_a_message(server: MailServer, to: str) -> None:
    with pytest.raises(InvalidConfig):
        await server.mailer().send(to=to, subject="s", body="b")
    assert server.inbox.messages == []


async def test_the_password_is_said_over_an_encrypted_line_only(
    encrypting: MailServer, server: MailServer, certificate: Path
) -> None:
    mailer = encrypting.mailer(user="robot:p%40ss%3Aword", trust=_trust(certificate))
    await mailer.send(to="ada@example.com", subject="s", body="b")
    assert encrypting.inbox.encrypted == [True]
    with pytest.raises(UpstreamUnavailable):  # a server that cannot encrypt learns no password
        await server.mailer(user="robot:secret").send(to="ada@example.com", subject="s", body="b")
    assert server.inbox.messages == []


async def test_an_unknown_certificate_or_wrong_password_sends_nothing(
    encrypting: MailServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_S", 1)  # the server waits for a handshake that is over
    wrong = encrypting.mailer(user="robot:wrong", trust=_trust(certificate))
    for mailer in (encrypting.mailer(user="robot:p%40ss%3Aword"), wrong):
        with pytest.raises(UpstreamUnavailable):
            await mailer.send(to="ada@example.com", subject="s", body="b")
    assert encrypting.inbox.messages == []


async def test_smtps_is_encrypted_from_the_first_byte(certificate: Path) -> None:
    with running(ssl_context=_context(certificate)) as server:
        await server.mailer("smtps", trust=_trust(certificate)).send(
            to="ada@example.com", subject="s", body="b"
        )
        assert server.inbox.encrypted == [True]


async def test_a_server_that_is_away_or_refuses_is_an_error_that_names_no_password(
    server: MailServer,
) -> None:
    server.inbox.refuse = True
    away = Mailer(f"smtp://robot:hidden-word@127.0.0.1:{free_port()}", SENDER)
    for mailer in (server.mailer(), away, Mailer("", SENDER)):
        with pytest.raises(UpstreamUnavailable) as caught:
            await mailer.send(to="ada@example.com", subject="s", body="b")
        assert caught.value.hint
        assert "hidden-word" not in str(caught.value.body())


def test_without_a_url_there_is_no_mail_and_a_wrong_url_is_refused_at_the_start() -> None:
    assert not Mailer("", SENDER).enabled
    for url in ("http://mail.example.com", "smtp://", "mail.example.com:25"):
        with pytest.raises(ValueError, match="smtp_url"):
            Mailer(url, SENDER)
