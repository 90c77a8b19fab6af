"""The first rows of one table of a source, read the way a load reads them, and shown as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import (
    DLT_TYPES,
    Selection,
    SourceColumn,
    SourceTable,
)
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 10_000
MOST_BYTES = 256 << 20  # of a sample in memory
MOST_CELLS = 5_000_000  # so that a table of a thousand columns is counted in time too
EXACT = 2**53  # beyond it JavaScript rounds integers
LONGEST = 1000  # characters of a value that is shown


@dataclass(frozen=True)
class Sample:
    """The first rows of a table in the order of the source; `complete`: there are no others."""

    table: SourceTable
    rows: "pyarrow.Table"
    complete: bool


def read_sample(endpoint: Endpoint, files: Mapping[str, Path], source: str, *, rows: int) -> Sample:
    """At most that many rows; fewer where they are very wide.

    Raises:
        TerminalError, TransientError: as the reader of the connector.
    """
    resource = ResourceConfig(name=source[:63], source=source)
    config = PipelineConfig(resources=(resource,), batch_size=min(rows + 1, BATCH_ROWS))
    with open_reader(endpoint, files, config) as reader:
        table = reader.table(resource)
        wanted = max(1, min(rows, MOST_CELLS // len(table.columns)))
        found = _first(table, wanted + 1)
    complete = found.num_rows <= wanted and found.nbytes < MOST_BYTES
    return Sample(table, found.slice(0, wanted), complete)


def _first(table: SourceTable, rows: int) -> "pyarrow.Table":
    import pyarrow as pa

    from etlfabric_core.extract_load.source_table import arrow_schema

    batches: list[pa.Table] = [arrow_schema(table.columns).empty_table()]
    count = size = 0
    for batch in table.read(Selection(limit=rows)):
        batches.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count >= rows or size >= MOST_BYTES:
            break
    return pa.concat_tables(batches)


def type_name(column: SourceColumn) -> str:
    """The type that a column gets at a PostgreSQL destination."""
    return column.destination_type or DLT_TYPES[column.arrow]


def shown_column(values: "pyarrow.ChunkedArray", longest: int = LONGEST) -> list[Any]:
    """The values of a column as JSON can say them, cut at so many characters."""
    import pyarrow as pa

    if pa.types.is_temporal(values.type):  # Python has no year 10000
        values = values.cast(pa.string())
    return [shown(value, longest) for value in values.to_pylist()]


def shown(value: Any, longest: int = LONGEST) -> Any:
    """A value as JSON without loss, but for long ones, which are cut and say so.

    Integers that JavaScript would round, decimals, infinities and times are text, bytes are
    hexadecimal.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return _cut("\\x" + value[:longest].hex(), 2 * len(value) + 2, longest)
    text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    return _cut(text, len(text), longest)


def _cut(text: str, length: int, longest: int) -> str:
    return text if length <= longest else f"{text[:longest]}… ({length} characters)"
