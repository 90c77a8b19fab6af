"""What tells the versions of a row apart where the former ones are kept."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from etlfabric_core.extract_load.source_table import SourceColumn

if TYPE_CHECKING:
    import pyarrow

VERSION = "row_version"
VERSION_COLUMN = SourceColumn(VERSION, "string", "text")


def versioned(batches: "Iterator[pyarrow.Table]") -> "Iterator[pyarrow.Table]":
    """The batches with a hash over all values of each row as a further column."""
    for batch in batches:
        yield batch.append_column(VERSION, _hashes(batch))


def _hashes(batch: "pyarrow.Table") -> "pyarrow.Array":
    import pyarrow as pa

    columns = [column.cast(pa.string()).to_pylist() for column in batch.columns]
    rows = zip(*columns, strict=True)
    return pa.array([hashlib.sha256(repr(row).encode()).hexdigest() for row in rows], pa.string())
