"""Several CSV files as one table: they have the same columns, in any order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from etlfabric_core.connectors.csv import CsvDialect
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import POSITION, Selection, SourceTable
from etlfabric_core.extract_load.sources.csv import file_table
from etlfabric_core.files.formats import File
from etlfabric_core.graph.columns import ColumnType

if TYPE_CHECKING:
    import pyarrow


FILE_ROWS = 1 << 40  # more than a file has: a position tells its file, too


def table(
    name: str, files: Mapping[str, File], dialect: CsvDialect, types: Mapping[str, ColumnType]
) -> SourceTable:
    """The table of all files; filters compare its columns as of the given types.

    Raises:
        TerminalError: a file has no header, or another one than the first.
    """
    tables = [file_table(files[file], file, dialect, types) for file in files]
    for other in tables[1:]:
        _require_same_columns(tables[0], other)
    names = [column.name for column in tables[0].columns]

    def read(selection: Selection) -> "Iterator[pyarrow.Table]":
        for number, one in enumerate(tables):
            for batch in one.read(selection):
                yield _numbered(batch, names, number)

    def places(positions: Sequence[int]) -> list[tuple[str, int]]:
        found = []
        for position in positions:
            one = tables[position // FILE_ROWS].places
            found += one([position % FILE_ROWS]) if one else []
        return found

    return SourceTable(name, tables[0].columns, read, places=places)


def _numbered(batch: "pyarrow.Table", names: list[str], number: int) -> "pyarrow.Table":
    """With the columns in the order of the first file, and positions that tell the file."""
    from pyarrow import compute

    if POSITION not in batch.column_names:
        return batch.select(names)
    positions = compute.add(batch.column(POSITION), number * FILE_ROWS)
    return batch.select(names).append_column(POSITION, positions)


def _require_same_columns(first: SourceTable, other: SourceTable) -> None:
    expected = {column.name for column in first.columns}
    found = {column.name for column in other.columns}
    differences = [f"lacks {name}" for name in sorted(expected - found)]
    differences += [f"has {name} besides" for name in sorted(found - expected)]
    if differences:
        raise TerminalError(
            f"file '{other.name}' {', '.join(differences[:10])}, unlike '{first.name}'",
            hint="files of one table have the same columns; load it as another table",
        )
