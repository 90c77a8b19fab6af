"""The way out of dbt's sandbox: one session, logged in from outside, whatever dbt asks for."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from etlfabric_core.sandbox import relay
from etlfabric_core.transform.gate import gate_to
from etlfabric_core.transform.plan import WarehouseLogin
from tests.certificates import self_signed


@contextlib.contextmanager
def opened(login: WarehouseLogin) -> Iterator[str]:
    """Connection words for the gate to this login, which ask for something else."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with relay.answering(listener, gate_to(login)):
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres password=x"


def test_what_is_asked_for_does_not_matter(login: WarehouseLogin) -> None:
    with (
        opened(login) as words,
        psycopg.connect(f"{words} options='-c search_path=x' application_name=y") as session,
    ):
        found = session.execute(
            "select current_user, current_database(), current_setting('search_path'),"
            " current_setting('application_name')"
        ).fetchone()
        assert found == ("org_demo", "transform_tests", '"$user", public', "etlfabric")
        assert len(session.execute("select repeat('x', 30000000)").fetchone()[0]) == 30_000_000


def test_several_sessions_at_once(login: WarehouseLogin) -> None:
    with opened(login) as words, contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(psycopg.connect(words)) for _ in range(5)]
        pids = {one.execute("select pg_backend_pid()").fetchone()[0] for one in sessions}
        assert len(pids) == 5


def test_more_sessions_than_dbt_needs_have_to_wait(login: WarehouseLogin) -> None:
    with opened(login) as words, contextlib.ExitStack() as stack:
        first, *_ = [stack.enter_context(psycopg.connect(words)) for _ in range(6)]
        with ThreadPoolExecutor() as pool:
            seventh = pool.submit(psycopg.connect, words)
            with pytest.raises(TimeoutError):
                seventh.result(timeout=1)
            first.close()
            seventh.result(timeout=30).close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"database": "postgres"}, "permission denied for database"),
        ({"host": "nowhere.invalid"}, "could not connect to the warehouse"),
        ({"port": 1}, "could not connect to the warehouse"),
    ],
)
def test_what_the_server_refuses_is_told(login: WarehouseLogin, change, said) -> None:
    with (
        opened(login.model_copy(update=change)) as words,
        pytest.raises(psycopg.OperationalError, match=said) as refused,
    ):
        psycopg.connect(words)
    assert login.password not in str(refused.value)


@pytest.mark.parametrize(
    "start",
    [b"", b"\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\0\0\0\x10\x04\xd2\x16\x2e"],
)
def test_other_words_are_hung_up_on(login: WarehouseLogin, start: bytes) -> None:
    with opened(login) as words:
        port = int(words.split()[1].removeprefix("port="))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(start)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""


def test_a_server_that_is_no_postgresql(login: WarehouseLogin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as impostor:
        threading.Thread(target=answer_nonsense, args=(impostor,), daemon=True).start()
        other = login.model_copy(update={"port": impostor.getsockname()[1], "host": "127.0.0.1"})
        with opened(other) as words, pytest.raises(psycopg.OperationalError, match="warehouse"):
            psycopg.connect(words)


def answer_nonsense(impostor: socket.socket) -> None:
    connection, _ = impostor.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"N")
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_server_that_offers_encryption_gets_it(login: WarehouseLogin, tmp_path: Path) -> None:
    """A front that speaks TLS as a PostgreSQL server does, before the real one."""
    seen: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed("front").write(tmp_path))

    async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(context)
        seen.append(writer.get_extra_info("cipher")[1])
        await relay.join((reader, writer), await asyncio.open_connection(login.host, login.port))

    listener = socket.create_server(("127.0.0.1", 0))
    behind = login.model_copy(update={"host": "127.0.0.1", "port": listener.getsockname()[1]})
    with (
        relay.answering(listener, front),
        opened(behind) as words,
        psycopg.connect(words) as session,
    ):
        assert session.execute("select current_user").fetchone() == ("org_demo",)
    assert seen == ["TLSv1.3"]
