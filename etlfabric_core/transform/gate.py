"""The way from dbt's sandbox to the warehouse: one database, as one role, already logged in.

dbt speaks to this as if it were the server. The login happens here, outside of the sandbox, so
neither the password nor the address is in dbt's reach, and what dbt asks to connect to is not
looked at.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Mapping

from scramp import ScramClient, ScramException

from etlfabric_core.sandbox.relay import Gate, join
from etlfabric_core.transform.plan import WarehouseLogin

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_VERSION_3 = 3 << 16
_CANCEL, _ENCRYPTION = 80877102, (80877103, 80877104)
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_AUTHENTICATION_OK = struct.pack("!cII", b"R", 8, 0)
_OK, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 10, 11, 12
_LONGEST_MESSAGE = 1 << 16
_CONNECT_SECONDS = 10.0
_MOST_SESSIONS = 6  # dbt with one thread holds two or three
_MECHANISM = "SCRAM-SHA-256"
_SETTINGS: Mapping[str, str] = {
    "application_name": "etlfabric",
    # A query ends with dbt, also where dbt is killed in the middle of it.
    "client_connection_check_interval": "5s",
}


class Refused(Exception):
    """No session. `packet` is what PostgreSQL's protocol says of it."""

    def __init__(self, packet: bytes) -> None:
        super().__init__(packet)
        self.packet = packet


def gate_to(login: WarehouseLogin) -> Gate:
    """What answers dbt's connections: each becomes a session of this login.

    More than a few at a time wait until others have ended.
    """
    places = asyncio.Semaphore(_MOST_SESSIONS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            if await asyncio.wait_for(_wants_session(reader, writer), _CONNECT_SECONDS):
                async with places:
                    await _answer(login, (reader, writer))
        writer.close()

    return answer


async def _answer(login: WarehouseLogin, dbt: Stream) -> None:
    try:
        server = await asyncio.wait_for(_session(login), _CONNECT_SECONDS)
    except Refused as refused:
        dbt[1].write(refused.packet)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        dbt[1].write(_fatal("08006", f"could not connect to the warehouse: {type(error).__name__}"))
    else:
        dbt[1].write(_AUTHENTICATION_OK)
        await join(dbt, server)


async def _wants_session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Read the start of dbt's connection; what it asks for is not obeyed, so it is dropped."""
    while True:
        length, code = struct.unpack("!II", await reader.readexactly(8))
        if code in _ENCRYPTION:
            writer.write(b"N")
            continue
        if code != _VERSION_3 or not 8 <= length <= _LONGEST_MESSAGE:
            return False
        await reader.readexactly(length - 8)
        return True


async def _session(login: WarehouseLogin) -> Stream:
    """A session of the warehouse, logged in; the server's next words are for dbt.

    Raises:
        Refused: the server wants no such session.
        OSError, asyncio.IncompleteReadError: the server is away.
    """
    reader, writer = await asyncio.open_connection(login.host, login.port)
    try:
        await _encrypt(reader, writer)
        settings = {"user": login.user, "database": login.database, **_SETTINGS}
        words = b"".join(word.encode() + b"\0" for pair in settings.items() for word in pair)
        writer.write(struct.pack("!II", len(words) + 9, _VERSION_3) + words + b"\0")
        await _log_in(reader, writer, login.password)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _encrypt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Encrypt where the server offers it, as libpq does unless it is told otherwise."""
    writer.write(_SSL_REQUEST)
    if await reader.readexactly(1) == b"S":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await writer.start_tls(context)


async def _log_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str
) -> None:
    client: ScramClient | None = None
    while True:
        code, body = await _authentication(reader)
        try:
            if code == _OK and client is not None:
                return
            if code == _SASL and _MECHANISM.encode() in body.split(b"\0"):
                client = ScramClient([_MECHANISM], "*", password)  # the role was named before
                first = client.get_client_first().encode()
                _say(writer, _MECHANISM.encode() + struct.pack("!xI", len(first)) + first)
            elif code == _SASL_CONTINUE and client is not None:
                client.set_server_first(body.decode())
                _say(writer, client.get_client_final().encode())
            elif code == _SASL_FINAL and client is not None:
                client.set_server_final(body.decode())
            else:
                raise Refused(_fatal("28000", "the warehouse must use SCRAM passwords"))
        except ScramException as error:
            raise Refused(_fatal("28P01", "password authentication failed")) from error


async def _authentication(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The server's next message about the login: its kind and what it says."""
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    body = await reader.readexactly(min(length - 4, _LONGEST_MESSAGE))
    if kind == b"E":
        raise Refused(struct.pack("!cI", kind, length) + body)
    if kind != b"R":
        raise Refused(_fatal("08P01", "the warehouse is no PostgreSQL server"))
    return struct.unpack("!I", body[:4])[0], body[4:]


def _say(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(struct.pack("!cI", b"p", len(body) + 4) + body)


def _fatal(code: str, message: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
    return struct.pack("!cI", b"E", len(fields) + 4) + fields
