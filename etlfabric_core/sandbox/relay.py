"""Answers the connections that sandboxed code makes, on a thread of the caller's process."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

# What is done with each connection. It decides what is behind the gate, the child does not.
Gate = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_CHUNK = 1 << 16


@contextlib.contextmanager
def answering(listener: socket.socket, gate: Gate) -> Iterator[None]:
    """Answer what comes in on the listener until the block is left. Closes the listener."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await gate(reader, writer)
        except asyncio.CancelledError:
            writer.close()  # the block was left; asyncio would call it an error

    async def serve() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(answer, sock=listener)
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()  # the end of the loop cancels what is still being answered

    thread = threading.Thread(
        target=lambda: asyncio.run(serve()), name="sandbox-relay", daemon=True
    )
    thread.start()
    loop, stop = started.result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def join(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Pass bytes in both directions until both sides have ended."""
    await asyncio.gather(_pass(one[0], other[1]), _pass(other[0], one[1]))


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    except ConnectionError:
        return  # whoever went away did so on purpose; the other side is told below
    finally:
        sink.close()
