"""How a CSV file is written: its encoding, delimiter and header, each with the evidence for it."""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import charset_normalizer

from etlfabric_core.connectors.csv import CsvDialect, open_bytes
from etlfabric_core.errors import TerminalError
from etlfabric_core.files.formats import File

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
BOMS = {
    codecs.BOM_UTF8: ("utf-8", "UTF-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}
ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman", "cp850", "shift_jis"]
USUAL = "cp1252"
NEARLY = 0.02  # so much worse than the best guess may the usual encoding be
BLOCK_BYTES = 1 << 20
STRANGE_BYTES = 1 << 16  # of lines that are not ASCII, from which an encoding is guessed
ROWS = 500
DATA = re.compile(r"\s*([+-]?\d+([.,]\d+)*|\d{4}-\d\d-\d\d.*|true|false)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """What the user says about a dialect; None is to be found out."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None


@dataclass(frozen=True)
class Reason:
    """Why a part of the dialect is what it is."""

    part: str
    evidence: str


def detect(file: File, name: str, given: Given) -> tuple[CsvDialect, tuple[Reason, ...]]:
    """The dialect of a file, and why.

    Raises:
        TerminalError: it is damaged or empty, holds a NUL character, or is not in the given
            encoding.
    """
    encoding, why_encoding = _given(given.encoding) or _encoding(file, name)
    text = _beginning(file, name, encoding)
    delimiter, why_delimiter = _given(given.delimiter) or _delimiter(text)
    found_header, why_header = _header(text, delimiter)
    if given.header is not None:
        found_header, why_header = given.header, "as given"
    dialect = CsvDialect(encoding=encoding, delimiter=delimiter, header=found_header)
    return dialect, (
        Reason("encoding", why_encoding),
        Reason("delimiter", why_delimiter),
        Reason("header", why_header),
    )


def _given(value: str | None) -> tuple[str, str] | None:
    return None if value is None else (value, "as given")


@dataclass
class _Strange:
    """Lines that are not ASCII, as many as an encoding is guessed from; the first by number."""

    line: int = 0
    size: int = 0
    lines: tuple[bytes, ...] = ()

    def add(self, block: bytes, lines_before: int) -> None:
        if self.size > STRANGE_BYTES or block.isascii():
            return
        for number, line in enumerate(block.split(b"\n"), lines_before + 1):
            if not line.isascii() and self.size <= STRANGE_BYTES:
                self.line = self.line or number
                self.lines += (line[:STRANGE_BYTES],)
                self.size += len(line) + 1


def _encoding(file: File, name: str) -> tuple[str, str]:
    with open_bytes(file, name) as raw:
        head = raw.read(4096)
        for bom, (encoding, label) in BOMS.items():
            if head.startswith(bom):
                return encoding, f"it begins with the byte order mark of {label}"
        if b"\0" in head and (guess := _wide(head)):
            return guess, "every other byte is zero, as in UTF-16 text of Latin letters"
        return _narrow(raw, name, head)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark, by the bytes that are zero."""
    zeros = Counter(place % 2 for place, byte in enumerate(head) if byte == 0)
    place, count = zeros.most_common(1)[0]
    if count < len(head) / 4 or zeros[1 - place]:
        return None
    return "utf-16-le" if place else "utf-16-be"


def _narrow(raw: BinaryIO, name: str, head: bytes) -> tuple[str, str]:
    """UTF-8 where all of it is; else the encoding that fits the lines that are not ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    strange, lines, is_utf8, size = _Strange(), 0, True, 0
    block = head
    while block:
        if b"\0" in block:
            line = lines + block[: block.index(b"\0")].count(b"\n") + 1
            raise TerminalError(
                f"file '{name}', line {line}: a NUL character",
                hint="it is no text, or damaged; remove the character and upload the file again",
            )
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
        strange.add(block, lines)
        lines, size = lines + block.count(b"\n"), size + len(block)
        block = raw.read(BLOCK_BYTES)
    if is_utf8:
        what = "and not all ASCII" if strange.line else "and only ASCII"
        return "utf-8", f"all {size} bytes are UTF-8, {what}"
    return _guessed(strange)


def _guessed(strange: _Strange) -> tuple[str, str]:
    found = charset_normalizer.from_bytes(b"\n".join(strange.lines), cp_isolation=ENCODINGS)
    best = found.best()
    if best is None:
        return "latin-1", f"line {strange.line} is not UTF-8, and nothing else fits better"
    usual = next((one for one in found if USUAL in one.could_be_from_charset), None)
    if usual and usual.chaos <= best.chaos + NEARLY:
        return USUAL, f"line {strange.line} is not UTF-8; as Windows-1252 the text looks right"
    return best.encoding, f"line {strange.line} is not UTF-8; a guess from how the text looks"


def _beginning(file: File, name: str, encoding: str) -> str:
    """The first rows as text, cut at the end of a line."""
    with open_bytes(file, name) as raw:
        block = raw.read(BLOCK_BYTES)
    if not block:
        raise TerminalError(f"file '{name}' is empty", hint="upload the file again")
    try:
        text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(block)
    except LookupError:
        raise TerminalError(
            f"encoding: '{encoding}' is unknown", hint="name one as Python does, such as utf-8"
        ) from None
    whole = text.rfind("\n") + 1 if len(block) == BLOCK_BYTES else len(text)
    return text[: whole or len(text)].removeprefix("\ufeff")


def _delimiter(text: str) -> tuple[str, str]:
    """The character that cuts the most rows into the same number of fields."""
    best, rank, evidence = ",", (0.0, 1), "there is one column"
    for delimiter, label in DELIMITERS.items():
        widths = [len(row) for row in _rows(text, delimiter) if row]
        if not widths:
            continue
        (width, count), *_ = Counter(widths).most_common(1)
        if width > 1 and (count / len(widths), width) > rank:
            best, rank = delimiter, (count / len(widths), width)
            evidence = f"{label} gives {width} columns in {count} of the first {len(widths)} rows"
    return best, evidence


def _header(text: str, delimiter: str) -> tuple[bool, str]:
    first = next(iter(_rows(text, delimiter)), [])
    data = next((value for value in first if DATA.fullmatch(value)), None)
    if data is not None:
        return False, f"the first row holds '{data[:40].strip()}', which is a value and no name"
    return True, "the first row holds texts only, as names are"


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), ROWS))
    except csv.Error:  # a field of more than 128 KiB: it cannot be this delimiter
        return []
