"""Counts what a table of a source holds: empty, distinct and frequent values, keys and cursors.

All figures are of a sample, the first rows, and the answer says so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import DiscoveredColumn
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.sample import (
    Sample,
    read_sample,
    shown_column,
    type_name,
)
from etlfabric_core.extract_load.source_table import SourceColumn

if TYPE_CHECKING:
    import pyarrow

SAMPLE_ROWS = 100_000
FREQUENT = 5
EXAMPLES = 5
# Text of other types does not sort as their values do.
SORTED_TEXT = re.compile(r"text|uuid|(character|varchar|char)[^\[]*")
NUMBERS_AS_TEXT = ("numeric", "decimal")


@dataclass(frozen=True)
class Frequent:
    """A value and how many rows have it."""

    value: Any
    rows: int


@dataclass(frozen=True)
class ColumnProfile:
    """`least` and `greatest` are None where the type's order is the source's own affair."""

    name: str
    type: str
    nulls: int
    distinct: int
    least: Any
    greatest: Any
    frequent: tuple[Frequent, ...]


@dataclass(frozen=True)
class Duplicate:
    """Values of a key that more than one row has."""

    values: tuple[Any, ...]
    rows: int


@dataclass(frozen=True)
class KeyProfile:
    """A key, who proposes it, and what speaks against it.

    `duplicates` counts rows that share their key with another one, `nulls` rows with an empty key.
    """

    columns: tuple[str, ...]
    proposed_by: Literal["caller", "source", "sample"]
    unique: bool
    duplicates: int
    nulls: int
    examples: tuple[Duplicate, ...]


@dataclass(frozen=True)
class CursorProfile:
    """How a column would do as a cursor.

    `ties` counts rows whose value another row has too, `out_of_order` rows with a smaller value
    than the row before them.
    """

    column: str
    nulls: int
    ties: int
    out_of_order: int
    why_not: str | None


@dataclass(frozen=True)
class Profile:
    """What was counted in the first `rows` rows; `complete`: the table has no others."""

    rows: int
    complete: bool
    columns: tuple[ColumnProfile, ...]
    key: KeyProfile | None
    cursors: tuple[CursorProfile, ...]


def profile(
    endpoint: Endpoint,
    files: Mapping[str, Path],
    source: str,
    *,
    key: Sequence[str] = (),
    rows: int = SAMPLE_ROWS,
) -> Profile:
    """The profile of the table that `source` names, with the caller's key or a proposed one.

    Raises:
        InvalidConfig: the key names a column that is not there.
        TerminalError, TransientError: as the reader of the connector.
    """
    listed = get_connector(endpoint.connector).browse.columns(endpoint, files, source)
    sample = read_sample(endpoint, files, source, rows=rows)
    if unknown := [name for name in key if sample.table.column(name) is None]:
        raise InvalidConfig(
            f"key: '{source}' has no column {', '.join(unknown)}",
            hint="name columns of the table",
            problems=[Problem("no such column", field="key")],
        )
    columns = tuple(_column(sample, column) for column in sample.table.columns)
    return Profile(
        sample.rows.num_rows,
        sample.complete,
        columns,
        _proposed_key(sample, columns, tuple(key)),
        tuple(_cursors(sample, columns, listed)),
    )


def _column(sample: Sample, column: SourceColumn) -> ColumnProfile:
    import pyarrow.compute as pc

    values = sample.rows.column(column.name)
    counted = pc.value_counts(values.drop_null())
    distinct, counts = counted.field("values"), counted.field("counts")
    top = pc.top_k_unstable(counts, FREQUENT)
    frequent = zip(shown_column(distinct.take(top)), counts.take(top).to_pylist(), strict=True)
    least, greatest = _extremes(distinct, column)
    return ColumnProfile(
        column.name,
        type_name(column),
        values.null_count,
        len(distinct),
        least,
        greatest,
        tuple(Frequent(value, rows) for value, rows in frequent if rows > 1),
    )


def _extremes(distinct: "pyarrow.Array", column: SourceColumn) -> tuple[Any, Any]:
    """The least and the greatest value in the order that the source would put them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(distinct):
        return None, None
    type_ = type_name(column)
    if column.arrow == "string" and type_.startswith(NUMBERS_AS_TEXT):
        numbers = distinct.to_pylist()
        return min(numbers, key=_number), max(numbers, key=_number)
    if column.arrow == "string" and not column.can_be_cursor and not SORTED_TEXT.fullmatch(type_):
        return None, None
    bounds = pc.min_max(distinct)
    least, greatest = shown_column(pa.array([bounds["min"], bounds["max"]]))
    return least, greatest


def _number(text: str) -> tuple[bool, Decimal]:
    """Sorted as PostgreSQL sorts numbers: what is none comes last."""
    number = Decimal(text)
    return number.is_nan(), Decimal(0) if number.is_nan() else number


def _proposed_key(
    sample: Sample, columns: tuple[ColumnProfile, ...], asked: tuple[str, ...]
) -> KeyProfile | None:
    if asked:
        return _key(sample, asked, "caller")
    if sample.table.primary_key:
        return _key(sample, sample.table.primary_key, "source")
    rows = sample.rows.num_rows
    unique = (column for column in columns if rows and column.distinct == rows)
    found = next(unique, None)
    return _key(sample, (found.name,), "sample") if found else None


def _key(
    sample: Sample, names: tuple[str, ...], proposed_by: Literal["caller", "source", "sample"]
) -> KeyProfile:
    import pyarrow.compute as pc

    keys = sample.rows.select(list(names))
    whole = keys.drop_null()
    nulls = keys.num_rows - whole.num_rows
    counted = whole.group_by(list(names)).aggregate([([], "count_all")])
    doubled = counted.filter(pc.greater(counted["count_all"], 1))
    worst = doubled.sort_by([("count_all", "descending")]).slice(0, EXAMPLES)
    values = zip(*(shown_column(worst[name]) for name in names), strict=True)
    duplicates = pc.sum(doubled["count_all"]).as_py() or 0
    return KeyProfile(
        names,
        proposed_by,
        unique=not duplicates and not nulls,
        duplicates=duplicates,
        nulls=nulls,
        examples=tuple(map(Duplicate, values, worst["count_all"].to_pylist())),
    )


def _cursors(
    sample: Sample, columns: tuple[ColumnProfile, ...], listed: tuple[DiscoveredColumn, ...]
) -> Iterator[CursorProfile]:
    """Of the columns that sort as time or numbers do, or that the source says can be one."""
    import pyarrow.compute as pc

    described = {entry.name: entry for entry in listed}
    for column, found in zip(sample.table.columns, columns, strict=True):
        entry = described.get(column.name)
        sorts = column.can_be_cursor and column.destination_type != "text"
        if not sorts and not (entry and entry.cursor_candidate):
            continue
        values = sample.rows.column(column.name).drop_null()
        before, after = values.slice(0, max(0, len(values) - 1)), values.slice(1)
        yield CursorProfile(
            column.name,
            found.nulls,
            ties=_ties(values),
            out_of_order=pc.sum(pc.less(after, before)).as_py() or 0,
            why_not=entry.why_not if entry else None,
        )


def _ties(values: "pyarrow.ChunkedArray") -> int:
    import pyarrow.compute as pc

    counts = pc.value_counts(values).field("counts")
    return int(pc.sum(counts.filter(pc.greater(counts, 1))).as_py() or 0)
