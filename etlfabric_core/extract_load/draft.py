"""What a resource that is not saved yet makes of the first rows of its table."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.definition import create_table, defined
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.preview import PreviewColumn
from etlfabric_core.extract_load.sample import shown_column, type_name
from etlfabric_core.extract_load.shape.compile import compile_shape
from etlfabric_core.extract_load.shape.rejected import Quarantine, RawRow, Refusal
from etlfabric_core.extract_load.shape.rows import Shape
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, SourceTable
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

MOST_CELLS = 20_000  # of an answer
HIDDEN = "•••"  # in the place of values that are masked on their way


@dataclass(frozen=True)
class DraftRow:
    """A row of the source and what becomes of it: `after`, or the reason why it is rejected."""

    before: list[Any]
    after: list[Any] | None
    rejected: Refusal | None


@dataclass(frozen=True)
class DraftPreview:
    """The first rows that meet the filters; `complete`: there are no others.

    `columns` are those of the table by their names and types at PostgreSQL, `definition` is the
    statement that would make it.
    """

    before: tuple[PreviewColumn, ...]
    after: tuple[PreviewColumn, ...]
    rows: list[DraftRow]
    complete: bool
    columns: dict[str, str]
    definition: str


def shaped_preview(
    endpoint: Endpoint, files: Mapping[str, Path], resource: ResourceConfig, *, limit: int
) -> DraftPreview:
    """The rows of the source and those that would be loaded, side by side.

    Raises:
        TerminalError: the table, or a column that is mapped, is missing; an expression or a
            function does not fit; or as the reader of the connector.
        TransientError: as the reader of the connector.
    """
    config = PipelineConfig(resources=(resource,), batch_size=limit + 1)
    with open_reader(endpoint, files, config) as reader:
        table = reader.table(resource)
        seen = _Seen(Path(), resource.name, 1)
        key = secrets.token_bytes(32)  # hashes of a preview are none of those that are loaded
        shape = compile_shape(resource, table, key=key, quarantine=seen)
        shape.fails = False  # a row that would fail the load is shown with its reason
        wanted = max(1, min(limit, MOST_CELLS // len(table.columns)))
        masked = {name for name, column in resource.columns.items() if column.mask}
        masked |= shape.redacted
        found = _first(table, resource, wanted + 1)
        rows = [_row(shape, one, masked, seen) for one in found]
    columns = defined(shape.columns)
    return DraftPreview(
        _described(table.columns),
        _described(shape.columns),
        rows[:wanted],
        len(rows) <= wanted,
        columns,
        create_table(resource.name, columns),
    )


@dataclass
class _Seen(Quarantine):
    """Remembers why the row that was just shaped was refused."""

    why: Refusal | None = None

    def add(self, refusals: Sequence[Refusal], rows: Sequence[RawRow]) -> None:
        self.why = refusals[0]


def _described(columns: Sequence[SourceColumn]) -> tuple[PreviewColumn, ...]:
    return tuple(PreviewColumn(column.name, type_name(column)) for column in columns)


def _first(table: SourceTable, resource: ResourceConfig, limit: int) -> "Iterator[pyarrow.Table]":
    """The rows, each a batch of its own."""
    left = limit
    for batch in table.read(Selection(filters=resource.filters, limit=limit, positions=True)):
        for place in range(min(left, batch.num_rows)):
            yield batch.slice(place, 1)
        left -= batch.num_rows
        if left <= 0:
            return


def _row(shape: Shape, row: "pyarrow.Table", masked: Collection[str], seen: _Seen) -> DraftRow:
    before = []
    for column in shape.source.columns:
        value = shown_column(row.column(column.name))[0]
        before.append(HIDDEN if column.name in masked and value is not None else value)
    seen.why = None
    after = shape.batch(row)
    cells = [shown_column(after.column(column.name)) for column in shape.columns]
    kept = after.num_rows == 1
    return DraftRow(before, [cell[0] for cell in cells] if kept else None, seen.why)
