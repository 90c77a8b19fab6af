"""Parquet files as one table; whatever Arrow and PostgreSQL hold differently travels as text."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import chain
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors.record import DiscoveredColumn
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.shape.selection import numbered, selected
from etlfabric_core.extract_load.source_table import (
    DLT_TYPES,
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.files.formats import File
from etlfabric_core.files.json_records import text_of
from etlfabric_core.graph.columns import ColumnType

if TYPE_CHECKING:
    import pyarrow

BATCH_BYTES = 32 << 20
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class ParquetFiles:
    """Files by name that make one table: all have the same columns, in any order."""

    files: Mapping[str, File]
    batch_size: int
    types: Mapping[str, ColumnType] = field(default_factory=dict)

    def table(self, name: str) -> SourceTable:
        """The table.

        Raises:
            TerminalError: a file is damaged, or its columns differ from those of the first.
        """
        columns: tuple[SourceColumn, ...] | None = None
        first = ""
        for file in self.files:
            with _opened(self.files[file], file) as parquet:
                found = tuple(_column(field, file) for field in parquet.schema_arrow)
            columns, first = columns or found, first or file
            _require_same(columns, found, first, file)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            batches = chain.from_iterable(self._batches(file, columns or ()) for file in self.files)
            return selected(numbered(batches), columns or (), selection, self.types)

        return SourceTable(name, columns or (), read)

    def _batches(self, name: str, columns: tuple[SourceColumn, ...]) -> "Iterator[pyarrow.Table]":
        import pyarrow as pa

        with _opened(self.files[name], name) as parquet:
            for batch in parquet.iter_batches(self._rows(parquet), use_threads=False):
                arrays = [_array(batch.column(column.name), column, name) for column in columns]
                yield pa.Table.from_arrays(arrays, schema=arrow_schema(columns))

    def _rows(self, parquet: Any) -> int:
        """Rows to a batch, fewer where they are wide."""
        meta = parquet.metadata
        groups = (meta.row_group(index) for index in range(meta.num_row_groups))
        size = sum(group.total_byte_size for group in groups)
        row_bytes = max(1, int(size) // max(1, int(meta.num_rows)))
        return max(1, min(self.batch_size, BATCH_BYTES // row_bytes))


def row_count(file: File, name: str) -> int:
    """The rows of one file, from its footer.

    Raises:
        TerminalError: it is damaged or not Parquet.
    """
    with _opened(file, name) as parquet:
        return int(parquet.metadata.num_rows)


def discovered(file: File, name: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one file as somebody chooses from them.

    Raises:
        TerminalError: it is damaged or not Parquet.
    """
    found = []
    for column in ParquetFiles({name: file}, batch_size=1).table(name).columns:
        good = column.can_be_cursor and column.destination_type != "text"
        why_not = None if good else "its values do not grow from row to row"
        kind = column.destination_type or DLT_TYPES[column.arrow]
        found.append(DiscoveredColumn(column.name, kind, True, False, good, why_not))
    return tuple(found)


@contextmanager
def _opened(file: File, name: str) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with file.open("rb") as raw:
            # Otherwise a column's part of a row group is read as a whole.
            yield parquet.ParquetFile(raw, buffer_size=READ_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise TerminalError(
            f"file '{name}' cannot be read as Parquet: {str(error).splitlines()[0][:200]}",
            hint="it is damaged or cut short, or not Parquet; bring it again",
        ) from None


def _require_same(
    columns: tuple[SourceColumn, ...],
    found: tuple[SourceColumn, ...],
    first: str,
    name: str,
) -> None:
    differing = sorted({column.name for column in set(columns) ^ set(found)})
    if differing:
        raise TerminalError(
            f"file '{name}' differs from '{first}' in column {', '.join(differing[:10])}",
            hint="files of one table have the same columns and types; load it as another table",
        )


# How columns travel, by the first test that their type passes: (arrow, destination, sorts by time).
TRAVELS: tuple[tuple[str, str, str | None, bool], ...] = (
    ("is_uint64", "string", "numeric", False),
    ("is_integer", "int64", "bigint", False),
    ("is_floating", "double", "double precision", False),
    ("is_boolean", "bool", None, False),
    ("is_date", "date32", None, True),
    ("is_timestamp", "string", "timestamp", True),
    ("is_string", "string", "text", True),
    ("is_large_string", "string", "text", True),
    ("is_string_view", "string", "text", True),
    ("is_binary", "string", "bytea", False),
    ("is_large_binary", "string", "bytea", False),
    ("is_binary_view", "string", "bytea", False),
    ("is_fixed_size_binary", "string", "bytea", False),
    ("is_time", "string", "time", False),
    ("is_nested", "string", "jsonb", False),
    ("is_null", "string", "text", False),
)


def _column(field: "pyarrow.Field", file: str) -> SourceColumn:
    """How a column travels.

    Raises:
        TerminalError: nothing at the destination holds its type.
    """
    import pyarrow as pa

    name, kind = field.name, field.type
    if pa.types.is_dictionary(kind):
        return _column(pa.field(name, kind.value_type), file)
    if pa.types.is_decimal(kind):
        return SourceColumn(name, "string", f"numeric({_numeric(kind)})")
    if pa.types.is_timestamp(kind) and kind.tz:
        return SourceColumn(name, "timestamp", is_time=True)
    for test, arrow, destination, is_time in TRAVELS:
        if getattr(pa.types, test)(kind):
            return SourceColumn(name, arrow, destination, is_time)
    raise TerminalError(
        f"file '{file}', column '{name}': nothing holds the type {kind}",
        hint="write the column with another type",
    )


def _numeric(kind: "pyarrow.DataType") -> str:
    """A negative scale is more digits before the point."""
    return f"{max(kind.precision, kind.precision - kind.scale)},{kind.scale}"


def _array(values: "pyarrow.Array", column: SourceColumn, file: str) -> "pyarrow.Array":
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        return _converted(values, column)
    except (pa.ArrowException, ValueError, OverflowError, TypeError):
        raise TerminalError(
            f"file '{file}', column '{column.name}': a value of type {values.type} cannot become "
            f"{column.destination_type or column.arrow} without a change",
            hint="write the column with another type",
        ) from None


def _converted(values: "pyarrow.Array", column: SourceColumn) -> "pyarrow.Array":
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", tz=values.type.tz))
    if types.is_time(values.type):
        values = values.cast(pa.time64("us"))
    text = _text_of(column)
    if text is not None:
        return pa.array([None if v is None else text(v) for v in values.to_pylist()], pa.string())
    return values.cast(arrow_schema((column,)).field(0).type)


def _text_of(column: SourceColumn) -> Callable[[Any], str] | None:
    return {"bytea": _hex, "jsonb": _json}.get(column.destination_type or "")


def _hex(value: bytes) -> str:
    return "\\x" + value.hex()


def _json(value: Any) -> str:
    return text_of(_plain(value))


def _plain(value: Any) -> Any:
    """A nested value as JSON has it. Maps come as pairs; times are text, bytes hexadecimal."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return _hex(value) if isinstance(value, bytes) else value
