"""Files of rows as PostgreSQL's COPY reads them, on their way through a load package.

A file begins by saying how many rows it holds and of which columns, so that a load needs nothing
but the file to judge it. The binary format has room for that in its own header, which a reader
skips; before rows of text stands a header of the same form.
"""

import json
import struct
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

SUFFIX = ".csv"  # dlt has no name for the formats, and passes such files on without a look inside
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
TEXT_SIGNATURE = b"ETLTEXT\xff\r\n\0"
HEADER = struct.Struct("!11sii")  # signature, flags, bytes of the extension
ROWS = struct.Struct("!q")
TRAILER = b"\xff\xff"  # of the binary format; text has none
FILE_BYTES = 32 << 20  # a table is spread over files of about this size, to be loaded in parallel
BUFFER_BYTES = 1 << 18


@dataclass(frozen=True)
class CopyColumn:
    """A column of the file: its name and type at the destination."""

    name: str
    type: str


@dataclass(frozen=True)
class CopyFile:
    """A finished file."""

    path: Path
    rows: int
    size_bytes: int


@dataclass(frozen=True)
class CopyTarget:
    """Where files go, what their columns become, and the load that they are part of."""

    folder: Path
    columns: tuple[CopyColumn, ...]
    load_column: CopyColumn
    load_id: str

    @property
    def all_columns(self) -> tuple[CopyColumn, ...]:
        """Those of the table, then the one that names the load."""
        return (*self.columns, self.load_column)


@dataclass(frozen=True)
class CopyHeader:
    """What a file says of itself."""

    rows: int
    columns: tuple[CopyColumn, ...]
    is_text: bool


class CopyFileWriter(AbstractContextManager["CopyFileWriter"]):
    """Writes one file; rows are bytes as COPY takes them, without header and trailer."""

    def __init__(
        self, path: Path, columns: tuple[CopyColumn, ...], *, is_text: bool = False
    ) -> None:
        self.path = path
        self._columns = columns
        self._signature = TEXT_SIGNATURE if is_text else SIGNATURE
        self._trailer = b"" if is_text else TRAILER

    def __enter__(self) -> Self:
        self._file = self.path.open("wb", buffering=BUFFER_BYTES)
        names = json.dumps([[column.name, column.type] for column in self._columns]).encode()
        self._file.write(HEADER.pack(self._signature, 0, ROWS.size + len(names)))
        self._file.write(ROWS.pack(0) + names)
        self.write = self._file.write
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def finish(self, rows: int) -> CopyFile:
        """Completes the file, which holds that many rows."""
        self._file.write(self._trailer)
        size = self._file.tell()
        self._file.seek(HEADER.size)
        self._file.write(ROWS.pack(rows))
        self._file.close()
        return CopyFile(self.path, rows, size)


def read_header(file: BinaryIO) -> CopyHeader:
    """What the file says of itself; leaves it where COPY begins to read."""
    signature, _, size = HEADER.unpack(file.read(HEADER.size))
    if signature not in (SIGNATURE, TEXT_SIGNATURE):
        raise ValueError("not a file of this format")
    (rows,) = ROWS.unpack(file.read(ROWS.size))
    columns = json.loads(file.read(size - ROWS.size))
    is_text = signature == TEXT_SIGNATURE
    if not is_text:
        file.seek(0)
    return CopyHeader(rows, tuple(CopyColumn(name, type_) for name, type_ in columns), is_text)
