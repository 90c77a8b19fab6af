"""Formats of files, known by the ends of their names."""

from collections.abc import Collection
from enum import StrEnum
from typing import BinaryIO, Literal, Protocol

from etlfabric_core.files.unpacked import ENDINGS as PACKED


class Format(StrEnum):
    """How rows are written in a file."""

    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


ENDINGS = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}


class File(Protocol):
    """A file that can be opened again and again, and is the same each time: a path, an object."""

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Its bytes, from the beginning; the stream can seek."""


def stem(name: str) -> str:
    """The name without the endings that tell format and compression."""
    for ending in PACKED:
        name = name.removesuffix(ending)
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


def format_of(name: str) -> Format | None:
    """The format that a name tells, in any case; None where it tells none."""
    plain = name.lower()
    for packed in PACKED:
        plain = plain.removesuffix(packed)
    return next((kind for ending, kind in ENDINGS.items() if plain.endswith(ending)), None)


def named(known: Collection[str], name: str) -> str | None:
    """The file that a name means, with or without its endings: `flights` is `flights.csv.zip`."""
    if name in known:
        return name
    return next((found for found in sorted(known) if stem(found) == name), None)
