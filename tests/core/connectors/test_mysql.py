"""The MySQL connector against a real MariaDB: it answers, browses, and says what is wrong."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from cli.stack.ports import free_port
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.mysql import SYSTEM
from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.errors import TerminalError, TransientError
from tests.mariadb import MariaDb

CONNECTOR = get_connector("mysql")


@pytest.mark.feature("B2", "B7")
def test_it_answers(mariadb):
    result = CONNECTOR.test(mariadb.endpoint(), {})
    assert result.ok
    assert "MariaDB" in str(result.server_version)


@pytest.mark.feature("B7")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "canary-4711"}, "password"),
        ({"user": "nobody_here"}, "password"),
        ({"database": "nowhere"}, "database"),
        ({"port": 1}, "port"),
        ({"addresses": ("127.0.0.9",), "port": 1, "host": "db.example.com"}, "port"),
        ({"addresses": ()}, "host"),
        ({"sslmode": "verify-full"}, "ca_certificate"),
        ({"sslmode": "verify-ca", "ca_certificate": "none"}, "ca_certificate"),
        ({"database": ""}, "connection field 'database'"),
    ],
)
def test_it_says_which_field_is_wrong(mariadb, changes, field):
    result = CONNECTOR.test(mariadb.endpoint(**changes), {})
    assert not result.ok
    assert result.message.startswith(field)
    assert result.hint
    assert "canary" not in f"{result.message}{result.hint}"


@pytest.mark.parametrize(
    ("sslmode", "host", "encrypted"),
    [
        ("disable", "127.0.0.1", False),
        ("prefer", "127.0.0.1", True),
        ("require", "db.example.com", True),
        ("verify-ca", "db.example.com", True),
        ("verify-full", "127.0.0.1", True),
    ],
)
def test_encryption(mariadb, sslmode, host, encrypted):
    """The name is for the certificate alone: the session goes to the address."""
    pasted = (mariadb.folder / "certificate.pem").read_text().replace("\n", "")
    endpoint = mariadb.endpoint(sslmode=sslmode, host=host, ca_certificate=pasted)
    with SYSTEM.connect(endpoint) as connection:
        found = connection.exec_driver_sql("show status like 'Ssl_cipher'").one()
    assert bool(found[1]) is encrypted


def test_a_certificate_for_another_host(mariadb):
    certificate = (mariadb.folder / "certificate.pem").read_text()
    other = mariadb.endpoint(
        sslmode="verify-full", host="db.example.com", ca_certificate=certificate
    )
    result = CONNECTOR.test(other, {})
    assert result.message.startswith("host: the certificate")


def test_a_second_address_is_tried(mariadb):
    endpoint = mariadb.endpoint(addresses=("127.0.0.9", "127.0.0.1"))
    assert CONNECTOR.test(endpoint, {}).ok


@pytest.mark.feature("B10")
def test_it_browses_databases_tables_and_columns(mariadb):
    other = mariadb.empty()
    other.execute("create table far (x int)")
    mariadb.execute(
        "create table orders (id bigint unsigned primary key, at datetime not null, note text, "
        "seen timestamp null)",
        "create table Zebra (a int)",
        "create view seen as select id from orders",
    )
    browse, endpoint = CONNECTOR.browse, mariadb.endpoint()
    assert {mariadb.database, other.database} <= set(browse.schemas(endpoint, {}))
    inside = TableQuery(schema=mariadb.database, limit=2)
    page = browse.tables(endpoint, {}, inside)
    assert [(table.name, table.kind) for table in page.tables] == [
        ("Zebra", "table"),
        ("orders", "table"),
    ]
    assert page.more
    after = TableQuery(schema=mariadb.database, after=(mariadb.database, "orders"))
    assert [table.name for table in browse.tables(endpoint, {}, after).tables] == ["seen"]
    searched = TableQuery(schema=mariadb.database, search="EBR")
    assert [table.name for table in browse.tables(endpoint, {}, searched).tables] == ["Zebra"]
    (far,) = browse.tables(endpoint, {}, TableQuery(schema=other.database)).tables
    assert [column.name for column in browse.columns(endpoint, {}, far.source)] == ["x"]
    columns = browse.columns(endpoint, {}, "orders")
    assert [column.name for column in columns if column.primary_key] == ["id"]
    assert [column.name for column in columns if column.cursor_candidate] == ["id", "at"]
    with pytest.raises(TerminalError, match="no table 'nope'"):
        browse.columns(endpoint, {}, "nope")


def packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


GREETING = (
    b"\x0a5.7.0-rogue\x00\x01\x00\x00\x00saltsalt\x00\xff\xf7\x2d\x02\x00\xff\x81\x15"
    + b"\x00" * 10
    + b"saltsaltsalt\x00mysql_native_password\x00"
)
OK = b"\x00\x00\x00\x02\x00\x00\x00"


@contextmanager
def rogue_server(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Answers the second query by asking the client for a file; what it sends is in the list."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", free_port())) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(packet(0, GREETING))
                client.recv(65536)
                client.sendall(packet(2, OK))
                client.recv(65536)
                client.sendall(packet(1, OK))
                client.recv(65536)
                client.sendall(packet(1, b"\xfb" + str(path).encode()))
                while data := client.recv(65536):
                    received.append(data)
            received.append(b"closed by the client")

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(10)


def test_a_server_does_not_get_files_of_this_machine(tmp_path):
    """LOCAL INFILE: a server may answer any query by asking for a file."""
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-4711")
    with rogue_server(secret) as (port, received):
        endpoint = MariaDb(tmp_path, port).endpoint(sslmode="prefer")
        with pytest.raises(TransientError) as caught:
            SYSTEM.connect(endpoint).__enter__()
    assert received == [b"closed by the client"]
    assert "canary" not in str(caught.value)
