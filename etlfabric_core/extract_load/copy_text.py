r"""Rows of Arrow in COPY's text format, in which '' and NULL (\N) stay apart.

The server reads every value by its column's own type. Arrow joins whole columns to lines, so that
nothing in Python sees a value.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

FORMAT = "FORMAT TEXT"
NULL = r"\N"
# The backslash before those that become one.
ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
BLOCK_BYTES = 8 << 20


def blocks(
    rows: "pyarrow.Table | pyarrow.RecordBatch", constant: str | None = None
) -> "Iterator[memoryview]":
    """The rows as lines, in blocks of about `BLOCK_BYTES`; `constant` is one more value in each."""
    count = max(1, rows.num_rows * BLOCK_BYTES // max(rows.nbytes, 1))
    for first in range(0, rows.num_rows, count):
        texts = [_escaped(column) for column in rows.slice(first, count).columns]
        if constant is None:
            texts[-1] = _joined([texts[-1], ""], "\n")
        else:
            texts.append(f"{constant}\n")
        for chunk in _chunks(_joined(texts, "\t")):
            yield memoryview(_bytes(chunk))


def _joined(texts: list[Any], separator: str) -> Any:
    from pyarrow import compute

    return compute.binary_join_element_wise(
        *texts, separator, null_handling="replace", null_replacement=NULL
    )


def _escaped(values: Any) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_timestamp(values.type) and values.type.tz == "UTC":
        # Arrow writes a moment many times as fast when it has no zone.
        plain = values.cast(pa.timestamp(values.type.unit)).cast(pa.string())
        return compute.binary_join_element_wise(plain, "Z", "")
    if not pa.types.is_string(values.type):
        return compute.cast(values, pa.string())
    found = [_bytes(chunk).to_pybytes() for chunk in _chunks(values)]
    for character, escape in ESCAPES:
        if any(character.encode() in data for data in found):
            values = compute.replace_substring(values, character, escape)
    return values


def _chunks(values: Any) -> list[Any]:
    chunks: list[Any] = values.chunks if hasattr(values, "chunks") else [values]
    return [chunk for chunk in chunks if len(chunk)]


def _bytes(texts: Any) -> "pyarrow.Buffer":
    """All texts of an array, one after the other."""
    import pyarrow as pa

    _, offsets, data = texts.buffers()
    bounds = memoryview(offsets).cast("i")
    begin, end = bounds[texts.offset], bounds[texts.offset + len(texts)]
    return data.slice(begin, end - begin) if data else pa.py_buffer(b"")
