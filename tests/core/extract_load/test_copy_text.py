"""Rows of Arrow in COPY's text format: what a server reads back is what was there."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from etlfabric_core.extract_load import copy_text
from tests.core.extract_load.fidelity_values import TEXTS

UNESCAPED = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def written(rows, constant=None) -> bytes:
    return b"".join(copy_text.blocks(rows, constant))


def read_back(line: str) -> list[str | None]:
    """By the rules of PostgreSQL's manual."""
    return [None if field == r"\N" else unescaped(field) for field in line.split("\t")]


def unescaped(field: str) -> str:
    characters = iter(field)
    return "".join(UNESCAPED[next(characters)] if c == "\\" else c for c in characters)


@pytest.mark.feature("C3")
@pytest.mark.parametrize("constant", [None, "1700000000.5"])
@pytest.mark.parametrize("block_bytes", [1, 100, 8 << 20])
def test_every_text_comes_back(monkeypatch, constant, block_bytes):
    monkeypatch.setattr(copy_text, "BLOCK_BYTES", block_bytes)
    given = [*TEXTS, None, "\\t", "\\\\N", "ends with \\"]
    rows = pa.table({"a": given, "b": given[::-1]})
    lines = written(rows, constant).decode().removesuffix("\n").split("\n")
    more = [] if constant is None else [constant]
    expected = [[*row, *more] for row in zip(given, reversed(given), strict=True)]
    assert [read_back(line) for line in lines] == expected


def test_other_types_are_written_as_postgres_reads_them():
    rows = pa.table(
        {
            "whole": pa.array([-(2**63), None]),
            "real": [0.1, float("-inf")],
            "yes": [True, False],
            "day": [date(1, 1, 1), None],
            "at": pa.array([datetime(2024, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "word": pa.array(["x", None]).dictionary_encode(),
        }
    )
    assert written(rows).splitlines() == [
        b"-9223372036854775808\t0.1\ttrue\t0001-01-01\t2024-01-02 03:00:00.000000Z\tx",
        rb"\N" + b"\t-inf\tfalse\t" + rb"\N" + b"\t" + rb"\N" + b"\t" + rb"\N",
    ]


@pytest.mark.feature("C3")
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_written_as_with_their_zone(unit):
    """From the year 1 to far behind 9999; what Arrow cannot write, no server takes for a date."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds = [-62_135_596_800, -1, 0, 1, 253_402_300_800, 971_890_963_199]
    given = [n * per_second - (unit != "s") for n in seconds if n * per_second < 2**63]
    at = pa.array([n for n in given if n > -(2**63)] + [None], pa.timestamp(unit, "UTC"))
    expected = [*at.drop_null().cast(pa.string()).to_pylist(), r"\N"]
    assert written(pa.table({"at": at})).decode().splitlines() == expected


def test_moments_that_cannot_be_written_are_not_another_moment():
    far = pa.array([-(2**63), 2**62, 2**63 - 1], pa.timestamp("us", "UTC"))
    assert written(pa.table({"at": far})).count(b"<value out of range") == 3


def test_moments_of_another_zone():
    elsewhere = pa.array([0], pa.timestamp("us", "+01:00"))
    assert written(pa.table({"at": elsewhere})) == b"1970-01-01 01:00:00.000000+0100\n"


def test_parts_of_a_batch():
    rows = pa.table({"a": ["1", "2\t", "3", None]})
    assert written(rows.slice(1, 2)) == b"2\\t\n3\n"
    assert written(rows.to_batches()[0].slice(2)) == b"3\n\\N\n"
    assert written(rows.slice(4)) == b""
