"""Commands side by side share one file of tokens, and each refresh token is used once."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cli.client import credentials
from cli.client.errors import ClientError
from cli.client.service import Service
from etlfabric_core.access.tokens import Identity, issue_access, new_opaque

SECRET = "secret-of-this-test-" + "0123456789" * 5
LOGIN = uuid4()


class Tokens:
    """A service that rotates refresh tokens and ends the session when one comes twice."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.refresh = new_opaque()
        self.access = self.new_access()
        self.used: list[str] = []
        self.ended = False

    def new_access(self, login: UUID = LOGIN) -> str:
        return f"{issue_access(Identity(1, 1, login), SECRET)}~{new_opaque()}"

    def renew(self, given: str) -> dict[str, str] | None:
        with self.lock:
            if self.ended or given != self.refresh:
                self.ended = True
                return None
            self.used.append(given)
            self.refresh, self.access = new_opaque(), self.new_access()
            return {"access_token": self.access, "refresh_token": self.refresh}


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def url(tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of such a service; its credentials file is the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ETLFABRIC_TOKEN", raising=False)
    monkeypatch.delenv("ETLFABRIC_API_URL", raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers["Authorization"] == f"Bearer {tokens.access}"
            self._answer(200 if good else 401, {"good": good})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            renewed = tokens.renew(body["refresh_token"])
            self._answer(200 if renewed else 401, renewed or {"message": "the session has ended"})

        def _answer(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Nothing: the test's output stays readable."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _expired(tokens: Tokens) -> dict[str, str]:
    return {"access_token": tokens.new_access(), "refresh_token": tokens.refresh}


def test_the_file_is_its_owner_s_alone(url: str, tokens: Tokens) -> None:
    credentials.save(url, _expired(tokens))
    Service.signed_in().get("/me")
    for file in (credentials.path(), credentials.path().with_suffix(".lock")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_commands_side_by_side_renew_once(url: str, tokens: Tokens) -> None:
    credentials.save(url, _expired(tokens))
    services = [Service.signed_in() for _ in range(8)]
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda service=service: answers.append(service.get("/me")))
        for service in services
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"good": True}] * 8
    assert len(tokens.used) == 1
    assert credentials.load()["refresh_token"] == tokens.refresh


def test_a_command_that_ran_for_long_takes_the_newest_tokens(url: str, tokens: Tokens) -> None:
    credentials.save(url, _expired(tokens))
    old, new = Service.signed_in(), Service.signed_in()
    assert new.get("/me") == old.get("/me") == {"good": True}
    assert not tokens.ended


def test_a_sign_in_with_another_account_meanwhile_is_not_taken_over(
    url: str, tokens: Tokens
) -> None:
    credentials.save(url, _expired(tokens))
    running = Service.signed_in()
    other = {"access_token": tokens.new_access(uuid4()), "refresh_token": "of another account"}
    credentials.save(url, other)
    assert running.get("/me") == {"good": True}
    assert credentials.load()["refresh_token"] == "of another account"


def test_an_ended_session_says_so(url: str, tokens: Tokens) -> None:
    credentials.save(url, _expired(tokens))
    tokens.ended = True
    with pytest.raises(ClientError, match="the session has ended"):
        Service.signed_in().get("/me")
