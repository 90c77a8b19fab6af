"""How rows that were read in one way pass today: through which shape, or why they cannot.

Nothing is loaded that is not what the source had: a masked value passes only as what it would
have become anyway, a column that a row was kept without is no empty one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.contract import Terms
from etlfabric_core.extract_load.replay.kept import KeptRow
from etlfabric_core.extract_load.shape.compile import compile_shape, raw_columns, read_columns
from etlfabric_core.extract_load.shape.rejected import Quarantine, ReadAs
from etlfabric_core.extract_load.shape.rows import Shape
from etlfabric_core.extract_load.shape.selection import selected
from etlfabric_core.extract_load.source_table import (
    POSITION,
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
    arrow_type,
)
from etlfabric_core.graph.columns import ColumnConfig, ColumnType
from etlfabric_core.graph.resources import ResourceConfig, RowFilter

if TYPE_CHECKING:
    import pyarrow

UNKNOWN = "it is not known how this row was read: an earlier version kept it, or it was changed"
MASKED = "it was kept masked, so its value cannot be had back; load the row from its source"
LEFT_OUT = "the row was kept without this column; load it from its source"
GONE = "the source has no such column any more, and the row has a value in it"
UNFIT = "the source's column is of another type by now, and the value is none"
FILTERED = "the row does not meet the filters"
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
DOUBLE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan", re.ASCII)
NUMBERS = {"int64": INTEGER, "uint64": INTEGER, "double": DOUBLE}
Why = tuple[str | None, str]  # column, reason


@dataclass(frozen=True)
class Passage:
    """The way of rows that were read alike. With `why` none of them can pass.

    `filters` are those that they have not met before.
    """

    resource: ResourceConfig
    source: SourceTable
    why: Why | None
    shape: Shape
    filters: tuple[RowFilter, ...]

    @property
    def needed(self) -> frozenset[str]:
        """Columns of the source that must be as the source had them."""
        return frozenset(self.shape.raw) | {one.column for one in self.filters}

    def unfit(self, row: KeptRow) -> Why | None:
        """Why a row cannot be read as one of today's source; None: it can."""
        names = {column.name for column in self.source.columns}
        if self.resource.other_columns == "include":
            for name, value in row.values.items():
                if name not in names and value is not None:
                    return name, GONE
        for column in self.source.columns:
            if column.name in self.needed and not _fits(row.values.get(column.name), column):
                return column.name, UNFIT
        return None

    def batch(self, rows: Sequence[KeptRow]) -> "pyarrow.Table":
        """Rows that fit, as the source would give them, with positions from 1."""
        import pyarrow as pa

        columns = self.source.columns
        arrays = [
            pa.array(
                [_value(row.values.get(column.name), column) for row in rows], arrow_type(column)
            )
            if column.name in self.needed
            else pa.nulls(len(rows), arrow_type(column))
            for column in columns
        ]
        table = pa.table(arrays, schema=arrow_schema(columns))
        return table.append_column(POSITION, pa.array(range(1, len(rows) + 1), pa.int64()))

    def filtered(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """Those that meet today's filters."""
        import pyarrow as pa

        if not self.filters or not batch.num_rows:
            return batch
        selection = Selection(filters=self.filters, positions=True)
        types = _types(self.resource, self.source)
        return pa.concat_tables(selected(iter([batch]), self.source.columns, selection, types))


def passage(
    resource: ResourceConfig,
    source: SourceTable,
    read_as: ReadAs | None,
    *,
    key: bytes,
    quarantine: Quarantine,
    terms: Terms,
) -> Passage:
    """The way of rows that were read like that through a resource.

    Raises:
        TerminalError: as `compile_shape`.
    """
    known = read_as or ReadAs()
    met = [one for one in resource.filters if one.model_dump(mode="json") in known.filters]
    filters = tuple(one for one in resource.filters if one not in met)
    as_is, why = _as_is(resource, source, known, filters)
    columns = {
        name: ColumnConfig(name=config.name) if name in as_is else config
        for name, config in resource.columns.items()
    }
    as_texts = tuple(
        SourceColumn(column.name, "string", "text") if column.name in as_is else column
        for column in source.columns
    )
    resource = resource.model_copy(update={"columns": columns})
    source = replace(source, columns=as_texts)
    shape = compile_shape(resource, source, key=key, quarantine=quarantine, terms=terms)
    return Passage(resource, source, why if read_as else (None, UNKNOWN), shape, filters)


def _as_is(
    resource: ResourceConfig, source: SourceTable, read_as: ReadAs, filters: Sequence[RowFilter]
) -> tuple[set[str], Why | None]:
    """Columns whose masked values are what would be loaded, and why others are in the way."""
    computed_with = read_columns(resource, source) | {one.column for one in filters}
    needed = set(raw_columns(resource, source)) | computed_with
    for name in read_as.left_out:
        if name in needed:
            return set(), (name, LEFT_OUT)
    as_is = set()
    for name, said in read_as.masked.items():
        if name not in needed:
            continue
        config = resource.columns.get(name, ColumnConfig())
        if name in computed_with or said is None or config.in_full() != said:
            return set(), (name, MASKED)
        as_is.add(name)
    return as_is, None


def _types(resource: ResourceConfig, source: SourceTable) -> Mapping[str, ColumnType]:
    """The types in which filters compare: times of a database travel as text."""
    times = {"timestamp": ColumnType.TIMESTAMP, "date": ColumnType.DATE}
    found = {
        column.name: times[word]
        for column in source.columns
        if column.arrow == "string"
        and (word := (column.destination_type or "").partition(" ")[0].partition("(")[0]) in times
    }
    return {**found, **resource.given_types}


def _fits(value: Any, column: SourceColumn) -> bool:
    import pyarrow as pa

    if value is None or (column.arrow == "string" and isinstance(value, str)):
        return True  # as nearly all are, so this is about speed
    try:
        pa.scalar(_value(value, column), arrow_type(column))
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return False
    return True


def _value(value: Any, column: SourceColumn) -> Any:
    """A value of the kept JSON, as it travels.

    Raises:
        ValueError, TypeError, pyarrow.ArrowException: it is none of the column's type.
    """
    import pyarrow as pa

    if value is None:
        return None
    if column.arrow == "bool":
        return value  # anything else is a TypeError of Arrow
    if isinstance(value, bool | list | dict):
        raise TypeError(column.name)
    if column.arrow == "string":
        return str(value)
    if isinstance(value, str) and column.arrow in NUMBERS:
        if not NUMBERS[column.arrow].fullmatch(value):
            raise ValueError(column.name)
        return float(value) if column.arrow == "double" else int(value)
    if column.arrow in NUMBERS:
        return float(value) if column.arrow == "double" else value
    return pa.scalar(value, pa.string()).cast(arrow_type(column)).as_py()
