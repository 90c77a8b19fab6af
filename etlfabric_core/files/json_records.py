"""Records of JSON files, one at a time, with every number as it is written."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, cast

import ijson
import simplejson

from etlfabric_core.errors import TerminalError

MAX_RECORD_BYTES = 64 << 20
BLOCK_BYTES = 1 << 16
KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    Decimal: "a number",
    str: "text",
    dict: "an object",
    list: "an array",
    object: "nothing",
}
BOM = b"\xef\xbb\xbf"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is named twice")
    return found


DECODER = simplejson.JSONDecoder(parse_float=Decimal, object_pairs_hook=_unique)
ENCODER = simplejson.JSONEncoder(use_decimal=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Record:
    """One object, where it stands (`file 'a.jsonl', line 7`), and its size in bytes."""

    place: str
    fields: dict[str, Any]
    size: int
    line: int = 0  # of a file that has one record to a line


def lines(stream: BinaryIO, name: str) -> Iterator[Record]:
    """The objects of a JSON Lines file, one to a line; empty lines are none.

    Raises:
        TerminalError: a line is not one JSON object, or too long; names the line.
    """
    number = 0
    while line := stream.readline(MAX_RECORD_BYTES + 1):
        number += 1
        place = f"file '{name}', line {number}"
        if len(line) > MAX_RECORD_BYTES:
            raise _too_large(place)
        text = line.removeprefix(BOM).strip() if number == 1 else line.strip()
        if text:
            yield Record(place, _object(_decoded(text, place), place), len(line), number)


def document(stream: BinaryIO, name: str, path: str = "") -> Iterator[Record]:
    """The objects of a JSON document.

    Without a `path` these are the elements of the outermost array, else the outermost object, or
    several of them one after the other. A path such as `data.items` leads to an array inside.

    Raises:
        TerminalError: it is not JSON, an element is no object, or nothing is at the path.
    """
    metered = _Metered(stream, name)
    prefix = "item" if _begins_with_bracket(metered) else ""
    prefix = f"{path}.item" if path else prefix
    number, found, doubled = 0, not path, False

    class Map(dict[str, Any]):  # an exception here would get lost in ijson's C code
        def __setitem__(self, field: str, value: Any) -> None:
            nonlocal doubled
            doubled = doubled or field in self
            super().__setitem__(field, value)

    def events() -> Iterator[Any]:
        nonlocal found
        for event in ijson.parse(metered, buf_size=BLOCK_BYTES):
            found = found or event[:2] == (path, "start_array")
            yield event

    source: Any = events() if path else metered
    options = {} if path else {"multiple_values": True, "buf_size": BLOCK_BYTES}
    try:
        for value in ijson.items(source, prefix, map_type=Map, **options):
            number += 1
            place = f"file '{name}', record {number}"
            if doubled:
                raise _broken(place)
            yield Record(place, _object(value, place), metered.next_record())
    except (ijson.JSONError, ValueError, RecursionError):
        raise _broken(f"file '{name}', after record {number}") from None
    if not found:
        raise TerminalError(
            f"file '{name}': there is no array at '{path}'",
            hint="`records` is the way to the array of records, for example data.items",
        )


def parsed(text: str | bytes) -> Any:
    """One JSON value; its numbers are int and Decimal.

    Raises:
        ValueError: it is not JSON, or an object names a field twice.
        RecursionError: it is nested too deeply.
    """
    return DECODER.decode(text)


def text_of(value: Any) -> str:
    """A parsed value as JSON text, every number as exact as it came."""
    return str(ENCODER.encode(value))


def kind_of(value: Any) -> str:
    """What JSON calls a value, as a person would say it."""
    return next(words for kind, words in KINDS.items() if isinstance(value, kind))


def _decoded(text: bytes, place: str) -> Any:
    try:
        return parsed(text)
    except UnicodeDecodeError:
        raise TerminalError(f"{place}: not UTF-8 text", hint="JSON is written in UTF-8") from None
    except (ValueError, RecursionError):
        raise _broken(place) from None


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TerminalError(
            f"{place}: {kind_of(value)} where an object is expected",
            hint="every record is an object with named fields",
        )
    return value


def _begins_with_bracket(metered: "_Metered") -> bool:
    while (head := metered.peek(1)) and (head.isspace() or head in BOM):
        metered.read(1)
    return head == b"["


def _broken(place: str) -> TerminalError:
    return TerminalError(
        f"{place}: not JSON",
        hint="look there for a missing quote, bracket or comma, or a field that is named twice",
    )


def _too_large(place: str) -> TerminalError:
    return TerminalError(
        f"{place}: a record is larger than {MAX_RECORD_BYTES >> 20} MiB",
        hint="split the record",
    )


class _Metered(io.RawIOBase):
    """Counts the bytes since the last record, so that one record cannot fill the memory."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = io.BufferedReader(cast(io.RawIOBase, stream), BLOCK_BYTES)
        self._name = name
        self._since = 0

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read."""
        return self._stream.peek(size)[:size]

    def readinto(self, buffer: Any) -> int:
        size = self._stream.readinto(buffer)
        self._since += size
        if self._since > MAX_RECORD_BYTES:
            raise _too_large(f"file '{self._name}'")
        return size

    def next_record(self) -> int:
        """The bytes since the last record."""
        found, self._since = self._since, 0
        return found
