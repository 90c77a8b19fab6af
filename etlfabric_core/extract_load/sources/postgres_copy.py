"""What `COPY … TO STDOUT` sends: as text, parsed into Arrow; or as binary rows, kept in files."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.copy_files import (
    FILE_BYTES,
    HEADER,
    SIGNATURE,
    TRAILER,
    CopyFile,
    CopyFileWriter,
    CopyTarget,
)
from etlfabric_core.extract_load.source_table import SourceColumn, arrow_schema

if TYPE_CHECKING:
    import psycopg
    import pyarrow
    from psycopg import sql

BLOCK_BYTES = 4 << 20


def batches(
    connection: "psycopg.Connection", query: "sql.Composed", columns: tuple[SourceColumn, ...]
) -> "Iterator[pyarrow.Table]":
    """The rows of a query in Arrow, by the server's text of their values."""
    from psycopg import sql
    from pyarrow import Table

    statement = sql.SQL("copy ({}) to stdout (format csv)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        stream = io.BufferedReader(_CopyStream(iter(copy)), BLOCK_BYTES)
        if not stream.peek(1):
            return
        for batch in _csv_reader(stream, columns):
            yield Table.from_batches([batch])


def _csv_reader(
    stream: "io.BufferedReader[Any]", columns: tuple[SourceColumn, ...]
) -> "pyarrow.csv.CSVStreamingReader":
    from pyarrow import csv

    schema = arrow_schema(columns)
    return csv.open_csv(
        stream,
        csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES, use_threads=False),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


class _CopyStream(io.RawIOBase):
    """What the server sends, as a file."""

    def __init__(self, blocks: "Iterator[bytes | bytearray | memoryview]") -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def binary_files(
    connection: "psycopg.Connection", query: "sql.Composed", target: CopyTarget
) -> Iterator[CopyFile]:
    """The rows of a query in files of about `FILE_BYTES`; none when there is no row.

    Raises:
        TerminalError: the server's count of the rows is not ours.
    """
    from psycopg import sql

    statement = sql.SQL("copy ({}) to stdout (format binary)").format(query)
    total = number = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        rows = _Rows(copy, connection.pgconn)
        while not rows.at_end:
            number += 1
            path = target.folder / f"{number}.copy"
            with CopyFileWriter(path, target.all_columns) as writer:
                file = writer.finish(rows.pass_on(writer))
            total += file.rows
            yield file
        copy.read()  # nothing comes any more, and the server's count is there
        if total != cursor.rowcount:
            raise TerminalError(
                f"the source sent {total} rows and says that they are {cursor.rowcount}",
                hint="connect to the server itself: something on the way changes what it sends",
            )


class _Source(Protocol):
    def read(self) -> Any: ...


class _Rows:
    """The rows of a binary COPY. The server sends each in a message of its own.

    There are millions of them, so one that has arrived is taken from libpq at once; psycopg's own
    `read`, which takes several times as long, is only asked when there is something to wait for.
    """

    def __init__(self, copy: _Source, pgconn: Any) -> None:
        self._copy = copy
        self._pgconn = pgconn
        header = bytes(copy.read())
        signature, _, extension = HEADER.unpack(header[: HEADER.size])
        if signature != SIGNATURE:
            raise TerminalError("the source does not send PostgreSQL's binary format")
        # The first row, or the trailer, comes in one message with the header.
        self._next: Any = header[HEADER.size + extension :] or copy.read()

    @property
    def at_end(self) -> bool:
        """Whether the last row is behind us."""
        return len(self._next) == len(TRAILER) and self._next == TRAILER

    def pass_on(self, writer: CopyFileWriter) -> int:
        """Writes rows until the file is full or there are no more; says how many."""
        write, take = writer.write, self._pgconn.get_copy_data
        block, rows, room = self._next, 0, FILE_BYTES
        size = len(block)
        while room > 0:
            write(block)
            rows += 1
            room -= size
            size, block = take(1)
            if size <= len(TRAILER):  # no row is as short as that
                block = self._waited(size, block)
                size = len(block)
                if block == TRAILER:
                    break
        self._next = bytes(block)
        return rows

    def _waited(self, size: int, block: Any) -> Any:
        if size == 0:
            return self._copy.read()
        if size < 0:
            raise _failure(self._pgconn)
        return block


def _failure(pgconn: Any) -> Exception:
    """Why the server stopped in the middle."""
    from psycopg.errors import error_from_result

    results = list(iter(pgconn.get_result, None))
    return error_from_result(results[0])
